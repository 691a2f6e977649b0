/**
 * Words that the patchable toggles of an entry take, with the synonyms that the measured gateway
 * accepts for each. What is stored is always the offered word.
 */

export interface ChoiceField {
  /** In the order in which a refusal names them. */
  readonly offered: readonly string[];
  /** Lower-case word -> offered word. */
  readonly meanings: ReadonlyMap<string, string>;
  /** The word that is stored by removing the member. */
  readonly clearedBy?: string;
}

const ON = ['true', 'yes', '1'];
const OFF = ['false', 'no', '0'];

function choice(offered: readonly string[], synonyms: Readonly<Record<string, readonly string[]>> = {}): ChoiceField {
  const meanings = new Map(offered.map((word) => [word, word]));
  for (const [word, others] of Object.entries(synonyms)) for (const other of others) meanings.set(other, word);
  return { offered, meanings };
}

/** Fields with a fixed set of words. */
export const CHOICE_FIELDS: Readonly<Record<string, ChoiceField>> = {
  verboseLevel: choice(['on', 'off', 'full'], { on: [...ON, 'minimal'], off: OFF, full: ['all', 'everything'] }),
  traceLevel: choice(['on', 'off', 'raw'], { on: ON, off: OFF }),
  reasoningLevel: choice(['on', 'off', 'stream'], {
    on: [...ON, 'enable', 'enabled', 'visible', 'show'],
    off: [...OFF, 'disable', 'disabled', 'hidden', 'hide'],
    stream: ['streaming', 'draft'],
  }),
  responseUsage: {
    ...choice(['off', 'tokens', 'full'], {
      off: [...OFF, 'disable', 'disabled'],
      tokens: ['on', ...ON, 'enable', 'enabled', 'minimal', 'min', 'tok', 'token'],
      full: ['session'],
    }),
    clearedBy: 'off',
  },
  elevatedLevel: choice(['on', 'off', 'ask', 'full'], { on: ON, off: OFF, ask: ['approval', 'approve', 'prompt'], full: ['auto', 'auto-approve'] }),
  execHost: choice(['auto', 'sandbox', 'gateway', 'node']),
  execSecurity: choice(['deny', 'allowlist', 'full']),
  execAsk: choice(['off', 'on-miss', 'always']),
  sendPolicy: choice(['allow', 'deny']),
  groupActivation: choice(['mention', 'always']),
};

/** Thinking levels, lowest first; the first five are those of a model that says nothing else. */
export const THINKING_RANKS: readonly string[] = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'adaptive', 'max'];

/** Lower-case word -> thinking level. */
export const THINKING_SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    off: [],
    minimal: ['min', 'think'],
    low: ['on', 'enable', 'enabled', 'thinkhard', 'think-hard'],
    medium: ['mid', 'med', 'harder'],
    high: ['ultra', 'ultrathink', 'highest'],
    xhigh: ['x-high', 'extra-high', 'extrahigh'],
    adaptive: ['auto'],
    max: [],
  }).flatMap(([level, words]) => [level, ...words].map((word): [string, string] => [word, level])),
);
