/**
 * The arguments of the session tools. Each parser reads a whole document or names everything that is
 * wrong with it; members that a tool does not have are wrong too, so that a misspelled option is
 * never taken for its default. Values stay out of the texts: they are people's messages.
 */
import { base64Bytes } from '../inbound/attachments';
import { MemberReader, Problems } from '../inbound/member-reader';
import { isAgentId } from '../ids';
import { TOOL_KINDS, type ToolRowKind } from '../keys/key-kind';
import { TOOL_LIMITS } from './tool-definitions';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Reads one document; `undefined` and null stand for no arguments. */
function read<T>(raw: unknown, take: (members: ToolMembers) => T): Parsed<T> {
  const problems = new Problems();
  const members = new ToolMembers(raw ?? {}, 'arguments', problems);
  const value = take(members);
  members.close();
  return problems.texts.length === 0 ? { ok: true, value } : { ok: false, problems: problems.texts.map((one) => one.replace(/^arguments\./, '')) };
}

class ToolMembers extends MemberReader {
  readonly #all: Problems;

  constructor(raw: unknown, path: string, problems: Problems) {
    super(raw, path, problems);
    this.#all = problems;
  }

  /** A sentence of its own, where clients know it as it is. */
  refuse(sentence: string): void {
    this.#all.texts.push(sentence);
  }

  needs(name: string): void {
    if (!this.has(name)) this.refuse(`${name} required`);
  }

  /** Text of any characters, not blank. */
  prose(name: string, lengthMax: number = TOOL_LIMITS.textLengthMax): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.problem(name, 'must be a string');
    else if (value.trim() === '') this.problem(name, 'must not be empty');
    else if (value.length > lengthMax) this.problem(name, `must have at most ${String(lengthMax)} characters`);
    else if (LONE_SURROGATE.test(value)) this.problem(name, 'must not hold half of a surrogate pair: it would arrive as another character');
    else return value;
    return undefined;
  }

  /** A whole number of at least `min`; above `max` it is refused. */
  whole(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const range = min === Number.MIN_SAFE_INTEGER ? '' : max === Number.MAX_SAFE_INTEGER ? `of at least ${String(min)}` : `from ${String(min)} to ${String(max)}`;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    this.problem(name, `must be a whole number ${range}`.trimEnd());
    return undefined;
  }

  /** A whole number; one outside `min` to `max` is held to the nearer of them. */
  clamped(name: string, min: number, max: number): number | undefined {
    const value = this.whole(name, Number.MIN_SAFE_INTEGER);
    return value === undefined ? undefined : Math.min(Math.max(value, min), max);
  }

  key(name: string): string | undefined {
    return this.string(name, TOOL_LIMITS.keyLengthMax)?.trim();
  }

  /** In any case. What would have to be slugged names no agent: slugged it could mean another one, even the default one. */
  agentId(name: string): string | undefined {
    const value = this.string(name, 256)?.trim();
    if (value !== undefined && !isAgentId(value.toLowerCase())) this.problem(name, 'must be an agent id ([a-z0-9][a-z0-9_-]{0,63}), one of those that agents_list names');
    return value;
  }
}

export interface StatusArguments {
  readonly sessionKey: string;
  /** `default` clears the choice; undefined: nothing changes. */
  readonly model: string | undefined;
}

export const parseStatusArguments = (raw: unknown): Parsed<StatusArguments> =>
  read(raw, (members) => ({ sessionKey: members.key('sessionKey') ?? 'current', model: members.string('model', 256)?.trim() }));

export interface ListArguments {
  readonly kinds: readonly ToolRowKind[];
  readonly limit: number;
  readonly activeMinutes: number | undefined;
  readonly messageLimit: number;
  readonly label: string | undefined;
  readonly agentId: string | undefined;
  readonly search: string | undefined;
  readonly includeDerivedTitles: boolean;
  readonly includeLastMessage: boolean;
}

export const parseListArguments = (raw: unknown): Parsed<ListArguments> =>
  read(raw, (members) => ({
    kinds: readKinds(members),
    limit: members.clamped('limit', 1, TOOL_LIMITS.listLimitMax) ?? TOOL_LIMITS.listLimitDefault,
    activeMinutes: members.whole('activeMinutes', 1),
    messageLimit: Math.min(members.whole('messageLimit', 0) ?? 0, TOOL_LIMITS.listMessagesMax),
    label: members.prose('label', TOOL_LIMITS.labelLengthMax),
    agentId: members.agentId('agentId'),
    search: members.prose('search', TOOL_LIMITS.labelLengthMax),
    includeDerivedTitles: members.flag('includeDerivedTitles') ?? false,
    includeLastMessage: members.flag('includeLastMessage') ?? false,
  }));

/** An empty list is all, as none is. */
function readKinds(members: ToolMembers): readonly ToolRowKind[] {
  const raw = members.raw('kinds');
  if (raw === undefined) return TOOL_KINDS;
  const known = Array.isArray(raw) ? TOOL_KINDS.filter((kind) => raw.includes(kind)) : undefined;
  if (known === undefined || (raw as readonly unknown[]).some((kind) => !TOOL_KINDS.includes(kind as ToolRowKind))) members.problem('kinds', `must be a list of ${TOOL_KINDS.join(', ')}`);
  return known === undefined || known.length === 0 ? TOOL_KINDS : known;
}

export interface HistoryArguments {
  readonly sessionKey: string;
  readonly limit: number;
  readonly includeTools: boolean;
}

export const parseHistoryArguments = (raw: unknown): Parsed<HistoryArguments> =>
  read(raw, (members) => {
    members.needs('sessionKey');
    return {
      sessionKey: members.key('sessionKey') ?? '',
      limit: Math.min(members.whole('limit', 1) ?? TOOL_LIMITS.historyLimitDefault, TOOL_LIMITS.historyLimitMax),
      includeTools: members.flag('includeTools') ?? false,
    };
  });

export type SendArguments =
  | { readonly kind: 'send'; readonly target: { readonly sessionKey: string } | { readonly label: string }; readonly message: string; readonly timeoutSeconds: number }
  | { readonly kind: 'collect'; readonly runId: string; readonly timeoutSeconds: number };

/** What a message without a target is told. */
export const TARGET_REQUIRED = 'Either sessionKey or label is required';

export const parseSendArguments = (raw: unknown): Parsed<SendArguments> =>
  read(raw, (members): SendArguments => {
    const timeoutSeconds = members.whole('timeoutSeconds', 0, TOOL_LIMITS.sendTimeoutSecondsMax) ?? TOOL_LIMITS.sendTimeoutSecondsDefault;
    const sessionKey = members.key('sessionKey');
    const label = members.prose('label', TOOL_LIMITS.labelLengthMax);
    if (members.has('runId')) {
      const runId = members.string('runId', 256) ?? '';
      for (const name of ['message', 'sessionKey', 'label']) if (members.has(name)) members.problem(name, 'must not be given together with runId, which collects the answer of an earlier message');
      return { kind: 'collect', runId, timeoutSeconds };
    }
    const message = members.prose('message') ?? '';
    members.needs('message');
    if (members.has('sessionKey') && members.has('label')) members.problem('label', 'must not be given together with sessionKey');
    if (!members.has('sessionKey') && !members.has('label')) members.refuse(TARGET_REQUIRED);
    return { kind: 'send', target: label === undefined || sessionKey !== undefined ? { sessionKey: sessionKey ?? '' } : { label }, message, timeoutSeconds };
  });

export interface SpawnAttachment {
  readonly name: string;
  readonly content: string;
  readonly encoding: 'utf8' | 'base64';
  readonly mimeType: string | undefined;
  /** Size once decoded. */
  readonly bytes: number;
}

export interface SpawnArguments {
  readonly task: string;
  readonly label: string | undefined;
  readonly agentId: string | undefined;
  readonly runtime: 'subagent' | 'acp';
  readonly model: string | undefined;
  readonly thinking: string | undefined;
  readonly runTimeoutSeconds: number | undefined;
  readonly thread: boolean;
  readonly mode: 'run' | 'session';
  readonly cleanup: 'delete' | 'keep';
  readonly sandbox: 'inherit' | 'require';
  /** Undefined: `isolated`, or what thread-bound sessions start from. */
  readonly context: 'isolated' | 'fork' | undefined;
  readonly attachments: readonly SpawnAttachment[];
  /** Kept with the session; has no effect. */
  readonly attachAs: { readonly mountPath?: string } | undefined;
}

/** Members that other programs take for where an answer goes. A spawn's result goes to its parent. */
const DELIVERY_MEMBERS = ['target', 'channel', 'to', 'threadId', 'replyTo', 'transport'] as const;

/** Sizes and counts of attachments are bounded by configuration; see `attachmentProblems`. */
export const parseSpawnArguments = (raw: unknown): Parsed<SpawnArguments> =>
  read(raw, (members): SpawnArguments => {
    for (const name of DELIVERY_MEMBERS) if (members.has(name)) members.problem(name, 'is no option of sessions_spawn: the result is delivered to the session that spawns');
    members.needs('task');
    const thread = members.flag('thread') ?? false;
    const asked = members.word('mode', ['run', 'session']);
    if (asked === 'session' && !thread) members.problem('mode', '"session" needs thread: true');
    const runtime = members.word('runtime', ['subagent', 'acp']) ?? 'subagent';
    const attachments = readAttachments(members);
    if (runtime === 'acp' && attachments.length > 0) members.problem('attachments', 'are not taken by runtime "acp"');
    const attachAs = members.object('attachAs');
    const mountPath = attachAs?.string('mountPath', 1_024);
    attachAs?.close();
    return {
      task: members.prose('task') ?? '',
      label: members.prose('label', TOOL_LIMITS.labelLengthMax)?.trim(),
      agentId: members.agentId('agentId'),
      runtime,
      model: members.string('model', 256)?.trim(),
      thinking: members.string('thinking', 64)?.trim().toLowerCase(),
      runTimeoutSeconds: members.whole('runTimeoutSeconds', 0, TOOL_LIMITS.runTimeoutSecondsMax),
      thread,
      mode: asked ?? (thread ? 'session' : 'run'),
      cleanup: members.word('cleanup', ['delete', 'keep']) ?? 'keep',
      sandbox: members.word('sandbox', ['inherit', 'require']) ?? 'inherit',
      context: members.word('context', ['isolated', 'fork']),
      attachments,
      attachAs: attachAs === undefined ? undefined : { ...(mountPath !== undefined && { mountPath }) },
    };
  });

/** Entries that are looked at; configuration allows fewer. */
const ATTACHMENTS_READ_MAX = 1_000;

function readAttachments(members: ToolMembers): readonly SpawnAttachment[] {
  const raw = members.raw('attachments');
  if (raw === undefined) return [];
  if (!Array.isArray(raw) || raw.length > ATTACHMENTS_READ_MAX) {
    members.problem('attachments', `must be a list of at most ${String(ATTACHMENTS_READ_MAX)} files`);
    return [];
  }
  return raw.map((item: unknown, place) => {
    const inside = new Problems();
    const file = new MemberReader(item, `attachments[${String(place)}]`, inside);
    const name = file.raw('name');
    if (typeof name !== 'string') file.problem('name', 'must be a string');
    const encoding = file.word('encoding', ['utf8', 'base64']) ?? 'utf8';
    const mimeType = file.string('mimeType', 127);
    const content = file.raw('content');
    const bytes = typeof content === 'string' ? (encoding === 'base64' ? base64Bytes(content) : utf8Bytes(content)) : undefined;
    if (bytes === undefined) file.problem('content', encoding === 'base64' ? 'must be base64 with padding' : 'must be a string without half characters');
    file.close();
    for (const one of inside.texts) {
      const colon = one.indexOf(': ');
      members.problem(one.slice(0, colon), one.slice(colon + 2));
    }
    return { name: typeof name === 'string' ? name : '', content: typeof content === 'string' ? content : '', encoding, mimeType, bytes: bytes ?? 0 };
  });
}

/** Size in UTF-8; undefined for text that has none because half a character stands in it. */
export function utf8Bytes(text: string): number | undefined {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) return undefined;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

export interface YieldArguments {
  readonly message: string | undefined;
}

export const parseYieldArguments = (raw: unknown): Parsed<YieldArguments> => read(raw, (members) => ({ message: members.prose('message') }));

export type SubagentsArguments =
  | { readonly action: 'list'; readonly recentMinutes: number }
  | { readonly action: 'steer'; readonly target: string; readonly message: string }
  | { readonly action: 'kill'; readonly target: string };

export const parseSubagentsArguments = (raw: unknown): Parsed<SubagentsArguments> =>
  read(raw, (members): SubagentsArguments => {
    const action = members.word('action', ['list', 'steer', 'kill']) ?? 'list';
    const recentMinutes = members.whole('recentMinutes', 1, TOOL_LIMITS.recentMinutesMax) ?? TOOL_LIMITS.recentMinutesDefault;
    const target = members.string('target', TOOL_LIMITS.keyLengthMax)?.trim() ?? '';
    const message = members.prose('message') ?? '';
    const needs = { list: [], steer: ['target', 'message'], kill: ['target'] }[action];
    for (const name of needs) if (!members.has(name)) members.problem(name, `is required by action "${action}"`);
    const takes = action === 'list' ? ['recentMinutes'] : needs;
    for (const name of ['recentMinutes', 'target', 'message']) if (members.has(name) && !takes.includes(name)) members.problem(name, `is not taken by action "${action}"`);
    return action === 'list' ? { action, recentMinutes } : action === 'steer' ? { action, target, message } : { action, target };
  });

export const parseAgentsListArguments = (raw: unknown): Parsed<Record<string, never>> => read(raw, () => ({}));
