/**
 * Commands inside a message, which the model does not read: settings hold for the turn that answers it,
 * once, and `/status` is answered beside it. A value that the setting does not take stays text, and so
 * does everything of a sender who may not.
 */
import { RunRequest, TurnToggles, type DeliverRequest } from '@sessions/contracts';
import { CHOICE_FIELDS, THINKING_LEVELS, THINKING_SYNONYMS, commandVerdict, inlineCommands, type ChatIntent } from '@sessions/domain';
import { readExecWords, readQueueWords } from '../decisions/setting-words';
import { isOfPeople, senderOf } from './chat-command';

export interface Taken {
  /** As the settings change it. */
  readonly request: DeliverRequest;
  /** What is left of it. */
  readonly text: string;
  readonly asksStatus: boolean;
}

export function takeInlineCommands(request: DeliverRequest, text: string): Taken {
  const { run } = request;
  const nothing = { request, text, asksStatus: false };
  if (run === undefined || run.source === 'agent' || !isOfPeople(request)) return nothing;
  const sender = senderOf(request);
  const taken = inlineCommands(text, (intent) => {
    if (commandVerdict(intent, sender, 'inline') !== 'run') return false;
    return intent.kind === 'status' ? hearsReplies(request) : settingsOf(intent) !== undefined;
  });
  // Nothing would be left to answer.
  if (taken.intents.length === 0 || taken.text === '') return nothing;
  let set = run;
  for (const intent of taken.intents) {
    const { toggles, ...fields } = settingsOf(intent) ?? {};
    set = RunRequest.create({ ...set, ...fields, ...(toggles === undefined ? {} : { toggles: TurnToggles.create({ ...set.toggles, ...toggles }) }) });
  }
  return { text: taken.text, asksStatus: taken.intents.some(({ kind }) => kind === 'status'), request: { ...request, run: set } };
}

/** The other methods of operators answer with a run alone. */
function hearsReplies({ route, run }: DeliverRequest): boolean {
  return route?.originKind === 'channel' || run?.source === 'chat.send' || run?.source === 'sessions.create';
}

type Settings = Partial<Pick<RunRequest, 'thinkingLevel' | 'queueMode' | 'queueDebounceMs' | 'queueCap' | 'queueDrop'>> & { readonly toggles?: Partial<TurnToggles> };

/** What the command sets for its turn, in the words that are stored; undefined: nothing that it could. */
function settingsOf(intent: ChatIntent): Settings | undefined {
  if (intent.kind !== 'toggle' || intent.value === undefined) return undefined;
  const { name, value } = intent;
  switch (name) {
    case 'think': {
      const level = THINKING_SYNONYMS.get(value.toLowerCase());
      return (THINKING_LEVELS as readonly (string | undefined)[]).includes(level) ? { thinkingLevel: level } : undefined;
    }
    case 'queue':
      return queueSettingsOf(value);
    case 'exec':
      return execSettingsOf(value);
    case 'verbose':
    case 'reasoning':
    case 'elevated': {
      const level = meaning(`${name}Level`, value);
      return level === undefined ? undefined : { toggles: { [`${name}Level`]: level } };
    }
  }
}

function queueSettingsOf(words: string): Settings | undefined {
  const { queueMode: mode, queueDebounceMs: debounce, queueCap: cap, queueDrop: drop } = readQueueWords(words) ?? {};
  const isNamed = [mode, debounce, cap, drop].some((one) => one !== undefined && one !== null);
  // Back to the default is none that a turn could have.
  if (!isNamed) return undefined;
  return { ...(typeof mode === 'string' ? { queueMode: mode } : {}), ...(typeof debounce === 'number' ? { queueDebounceMs: debounce } : {}), ...(typeof cap === 'number' ? { queueCap: cap } : {}), ...(typeof drop === 'string' ? { queueDrop: drop } : {}) };
}

function execSettingsOf(words: string): Settings | undefined {
  const toggles: Record<string, string> = {};
  for (const [field, value] of Object.entries(readExecWords(words) ?? {})) {
    const word = field === 'execNode' ? value : meaning(field, value);
    if (typeof word !== 'string') return undefined;
    toggles[field] = word;
  }
  return Object.keys(toggles).length === 0 ? undefined : { toggles };
}

function meaning(field: string, value: unknown): string | undefined {
  return typeof value === 'string' ? CHOICE_FIELDS[field]?.meanings.get(value.toLowerCase()) : undefined;
}
