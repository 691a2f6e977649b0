/**
 * Chat text as intent (lifecycle §4). Parsing executes nothing; who may do what is asked of
 * `commandVerdict`, and the caller acts.
 *
 * A command is the whole message: its name in any case, an optional `:`, then arguments after white
 * space. Text that is no command is `undefined`, and so are words with a slash that nobody knows.
 */
import { needsAdministratorInline } from './command-rights';

export type ToggleName = 'queue' | 'think' | 'verbose' | 'reasoning' | 'elevated' | 'exec';

export type ChatIntent =
  /** `reason` is `reset` for `/reset`, else `new`. `text` is what followed, undefined when alone. */
  | { readonly kind: 'reset'; readonly reason: 'new' | 'reset'; readonly text: string | undefined }
  | { readonly kind: 'clear' }
  /** `show` without a name. */
  | { readonly kind: 'model'; readonly action: 'show' | 'default' }
  | { readonly kind: 'model'; readonly action: 'set'; readonly name: string }
  | { readonly kind: 'activation'; readonly mode: 'mention' | 'always' }
  | { readonly kind: 'send'; readonly policy: 'allow' | 'deny' | 'inherit' }
  | { readonly kind: 'status' }
  | { readonly kind: 'context'; readonly view: 'list' | 'detail' | 'json' }
  | { readonly kind: 'compact'; readonly instructions: string | undefined }
  | { readonly kind: 'stop' }
  | { readonly kind: 'export-trajectory'; readonly name: string | undefined }
  | { readonly kind: 'subagents'; readonly args: string }
  | { readonly kind: 'kill'; readonly target: string }
  /** Alone it persists. */
  | { readonly kind: 'toggle'; readonly name: ToggleName; readonly value: string | undefined }
  | { readonly kind: 'focus' | 'unfocus'; readonly args: string }
  | { readonly kind: 'thread'; readonly limit: 'idle' | 'max-age'; readonly value: string }
  /** A known command with arguments it does not take: the caller answers with its usage, nothing else. */
  | { readonly kind: 'usage'; readonly command: string; readonly usage: string };

/** Messages longer than this are text, in UTF-16 units: no command needs as many. */
export const COMMAND_LENGTH_MAX = 100_000;

type Parse = (args: string) => ChatIntent | undefined;

const optional = (text: string): string | undefined => (text === '' ? undefined : text);
const alone = (intent: ChatIntent): Parse => (args) => (args === '' ? intent : undefined);
const toggle = (name: ToggleName): Parse => (args) => ({ kind: 'toggle', name, value: optional(args) });

function oneOf<T extends string>(words: readonly T[], intent: (word: T) => ChatIntent): Parse {
  return (args) => {
    const word = words.find((candidate) => candidate === args.toLowerCase());
    return word === undefined ? undefined : intent(word);
  };
}

const SEND_WORDS = { on: 'allow', off: 'deny', inherit: 'inherit' } as const;

interface Command {
  readonly usage: string;
  readonly parse: Parse;
}

const exportTrajectory: Command = { usage: '/export-trajectory [name]', parse: (args) => (/\s/.test(args) ? undefined : { kind: 'export-trajectory', name: optional(args) }) };

/** Without the commands that start a new session: those are `session.resetTriggers`. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['clear', { usage: '/clear', parse: alone({ kind: 'clear' }) }],
  ['model', { usage: '/model [name|default]', parse: parseModel }],
  ['activation', { usage: '/activation mention|always', parse: oneOf(['mention', 'always'], (mode) => ({ kind: 'activation', mode })) }],
  ['send', { usage: '/send on|off|inherit', parse: oneOf(['on', 'off', 'inherit'], (word) => ({ kind: 'send', policy: SEND_WORDS[word] })) }],
  ['status', { usage: '/status', parse: alone({ kind: 'status' }) }],
  ['context', { usage: '/context [list|detail|json]', parse: (args) => (args === '' ? { kind: 'context', view: 'list' } : oneOf(['list', 'detail', 'json'], (view) => ({ kind: 'context', view }))(args)) }],
  ['compact', { usage: '/compact [instructions]', parse: (args) => ({ kind: 'compact', instructions: optional(args) }) }],
  ['stop', { usage: '/stop', parse: alone({ kind: 'stop' }) }],
  ['export-trajectory', exportTrajectory],
  ['trajectory', exportTrajectory],
  ['subagents', { usage: '/subagents list|kill|log|info|send|steer|spawn', parse: (args) => (/^(list|kill|log|info|send|steer|spawn)(\s|$)/i.test(args) ? { kind: 'subagents', args } : undefined) }],
  ['kill', { usage: '/kill <id|#|all>', parse: (args) => (/^\S+$/.test(args) ? { kind: 'kill', target: args } : undefined) }],
  ...(['queue', 'think', 'verbose', 'reasoning', 'elevated', 'exec'] as const).map((name) => [name, { usage: `/${name} [value]`, parse: toggle(name) }] as const),
  ['focus', { usage: '/focus [session]', parse: (args) => ({ kind: 'focus', args }) }],
  ['unfocus', { usage: '/unfocus', parse: (args) => ({ kind: 'unfocus', args }) }],
  ['session', { usage: '/session idle|max-age <duration>', parse: parseThread }],
]);

/** Names of the commands and what follows them, as people write it; those that start a new session are not among them. */
export const CHAT_COMMAND_USAGES: readonly { readonly name: string; readonly usage: string }[] = [...COMMANDS].map(([name, { usage }]) => ({ name, usage }));

function parseModel(args: string): ChatIntent | undefined {
  if (args === '') return { kind: 'model', action: 'show' };
  if (/\s/.test(args)) return undefined;
  return args.toLowerCase() === 'default' ? { kind: 'model', action: 'default' } : { kind: 'model', action: 'set', name: args };
}

function parseThread(args: string): ChatIntent | undefined {
  const match = /^(idle|max-age)\s+(\S+)$/i.exec(args);
  if (match === null) return undefined;
  return { kind: 'thread', limit: match[1]?.toLowerCase() === 'idle' ? 'idle' : 'max-age', value: match[2] ?? '' };
}

/**
 * The intent of a whole message.
 * @param text as the person wrote it, without envelope or mention.
 * @param resetTriggers `session.resetTriggers`: it replaces `/new` and `/reset`, and comes first.
 * @returns undefined for text that goes to the model as it is.
 */
export function parseChatCommand(text: string, resetTriggers: readonly string[]): ChatIntent | undefined {
  if (text.length > COMMAND_LENGTH_MAX) return undefined;
  const message = text.trim();
  for (const trigger of resetTriggers) {
    const rest = afterName(message, trigger.trim());
    if (rest !== undefined) return { kind: 'reset', reason: trigger.trim().toLowerCase() === '/reset' ? 'reset' : 'new', text: optional(rest) };
  }
  const name = /^\/([a-z-]+)(?=[\s:]|$)/i.exec(message)?.[1]?.toLowerCase();
  const command = name === undefined ? undefined : COMMANDS.get(name);
  if (name === undefined || command === undefined) return undefined;
  return command.parse(afterName(message, `/${name}`) ?? '') ?? { kind: 'usage', command: name, usage: command.usage };
}

/** What follows the name at the start of a message; undefined when the message is not of that name. */
function afterName(message: string, name: string): string | undefined {
  if (name === '' || message.slice(0, name.length).toLowerCase() !== name.toLowerCase()) return undefined;
  const rest = message.slice(name.length);
  if (rest.startsWith(':')) return rest.slice(1).trim();
  return rest === '' || /^\s/.test(rest) ? rest.trim() : undefined;
}

/** Commands that work inside a message too: `/status` answers beside it, toggles hold for this turn. */
export interface InlineCommands {
  readonly intents: readonly ChatIntent[];
  /** The message without them. */
  readonly text: string;
}

/** What ends the name of an inline command. */
const AFTER_NAME = String.raw`(?::\s*|[ \t]+|(?=\s|$))`;
const WORD = String.raw`[a-z0-9_-]+(?=\s|$)`;
const QUEUE_OPTION = String.raw`(?:debounce|cap|drop)[:=]\S+`;
const INLINE = new RegExp(
  [
    String.raw`(^|\s)\/(?:(status|think|verbose|reasoning|elevated)${AFTER_NAME}(${WORD})?`,
    String.raw`(queue)${AFTER_NAME}((?:${WORD}|${QUEUE_OPTION})(?:[ \t]+${QUEUE_OPTION})*)?`,
    String.raw`(exec)${AFTER_NAME}([a-z]+=\S+(?:[ \t]+[a-z]+=\S+)*)?)`,
  ].join('|'),
  'gi',
);

/**
 * Inline commands of a message that is no command as a whole. Toggles take one word that follows, `queue`
 * its options too, `exec` its settings; a toggle without any stays text, so that talking about a command
 * does not run it.
 * @param takes false for one that is left as text
 */
export function inlineCommands(text: string, takes: (intent: ChatIntent) => boolean = () => true): InlineCommands {
  const intents: ChatIntent[] = [];
  if (text.length > COMMAND_LENGTH_MAX) return { intents, text };
  const rest = text.replace(INLINE, (whole: string, before: string, ...found: (string | undefined)[]) => {
    const [name, value] = [found[0] ?? found[2] ?? found[4] ?? '', found[1] ?? found[3] ?? found[5]];
    const word = name.toLowerCase();
    if (word === 'status') {
      if (!takes({ kind: 'status' })) return whole;
      intents.push({ kind: 'status' });
      return value === undefined ? before : `${before}${value}`;
    }
    if (value === undefined) return whole;
    const toggle: ChatIntent = { kind: 'toggle', name: word as ToggleName, value };
    if (!takes(toggle)) return whole;
    intents.push(toggle);
    return before;
  });
  return { intents, text: intents.length === 0 ? text : rest.replace(/[ \t]{2,}/g, ' ').trim() };
}

/** Who sent a command. */
export interface CommandSender {
  /** On the allow list of its channel, or the operator. */
  readonly isAuthorised: boolean;
  readonly isOwner: boolean;
  /**
   * The adapter or the operator may ask for turns and no more: what a message says for its own turn is
   * taken of it where that is no more than the turn's request can say.
   */
  readonly asksForTurns?: boolean;
  /** It came from `openclaw agent`, which must not act as a person of the chat. */
  readonly isCommandLine: boolean;
}

/**
 * - `run`: the sender may.
 * - `ignore`: nothing happens, no turn and no answer; the interaction still counts.
 * - `text`: an inline command of somebody who may not is plain text.
 * - `refuse`: slash commands of the command line are an error.
 */
export type CommandVerdict = 'run' | 'ignore' | 'text' | 'refuse';

const OWNER_ONLY: ReadonlySet<ChatIntent['kind']> = new Set(['send', 'activation', 'export-trajectory']);

export function commandVerdict(intent: ChatIntent, sender: CommandSender, place: 'whole' | 'inline' = 'whole'): CommandVerdict {
  if (sender.isCommandLine) return 'refuse';
  const isOwnerOnly = OWNER_ONLY.has(intent.kind) || (intent.kind === 'usage' && ['send', 'activation', 'export-trajectory', 'trajectory'].includes(intent.command));
  const may = isOwnerOnly ? sender.isOwner : sender.isAuthorised || sender.isOwner;
  if (may || (place === 'inline' && sender.asksForTurns === true && !needsAdministratorInline(intent))) return 'run';
  return place === 'whole' ? 'ignore' : 'text';
}
