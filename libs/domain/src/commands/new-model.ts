/** Which part of `/new <text>` names a model. */

/** A model that somebody could mean. */
export interface KnownModel {
  readonly provider: string;
  readonly model: string;
  /** Short names of the user's choice. */
  readonly aliases?: readonly string[];
}

export interface NewModelChoice {
  /** `provider/model`; undefined when the text names none. */
  readonly model: string | undefined;
  /** The first prompt; undefined when nothing is left. */
  readonly prompt: string | undefined;
}

/** Shortest word that is taken for a misspelt provider: shorter ones are ordinary words too often. */
const FUZZY_LENGTH_MIN = 5;

/**
 * Looks at the first word only: an alias, `provider/model`, a model's id, or a provider's name, which
 * may have one letter wrong and stands for its first model. Any other text is all prompt.
 * @param models in order of preference.
 */
export function chooseNewModel(text: string | undefined, models: readonly KnownModel[]): NewModelChoice {
  const trimmed = text?.trim() ?? '';
  const word = /^\S+/.exec(trimmed)?.[0] ?? '';
  const found = word === '' ? undefined : matchModel(word.toLowerCase(), models);
  const prompt = found === undefined ? trimmed : trimmed.slice(word.length).trim();
  return { model: found === undefined ? undefined : `${found.provider}/${found.model}`, prompt: prompt === '' ? undefined : prompt };
}

function matchModel(word: string, models: readonly KnownModel[]): KnownModel | undefined {
  const tests: readonly ((model: KnownModel) => boolean)[] = [
    (model) => model.aliases?.some((alias) => alias.toLowerCase() === word) ?? false,
    (model) => `${model.provider}/${model.model}`.toLowerCase() === word,
    (model) => model.model.toLowerCase() === word,
    (model) => model.provider.toLowerCase() === word,
  ];
  for (const test of tests) {
    const match = models.find(test);
    if (match !== undefined) return match;
  }
  if (word.length < FUZZY_LENGTH_MIN) return undefined;
  const near = [...new Set(models.map((model) => model.provider.toLowerCase()))].filter((provider) => isOneEditAway(word, provider));
  return near.length === 1 ? models.find((model) => model.provider.toLowerCase() === near[0]) : undefined;
}

/** One letter changed, added or missing. */
function isOneEditAway(left: string, right: string): boolean {
  const [short, long] = left.length <= right.length ? [left, right] : [right, left];
  if (long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at += 1;
  return short.length === long.length ? short.slice(at + 1) === long.slice(at + 1) : short.slice(at) === long.slice(at + 1);
}
