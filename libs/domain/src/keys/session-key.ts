/**
 * The grammar of session keys: `agent:<agentId>:<rest>`, and the bare forms accepted on input.
 *
 * Keys are frozen: a stored key is an address that outlives releases, so a change of what these
 * functions write would lose conversations. The recorded table in `routing/testdata` guards them.
 */
import { SessionError } from '../errors';
import { isUuid, type AgentId, type SessionKey } from '../ids';
import { slugAgentId } from './slug-id';

/** Longest key that may be created, in UTF-16 units; longer stored ones are kept. */
export const KEY_LENGTH_MAX = 512;

/** What sets one thread or forum topic apart from the conversation it is in. */
export interface KeySuffix {
  readonly kind: 'thread' | 'topic';
  readonly id: string;
}

/** What a key addresses, without its agent and its suffix. */
export type KeyAddress =
  | { readonly form: 'main' }
  | { readonly form: 'global' }
  | { readonly form: 'unknown' }
  | { readonly form: 'direct'; readonly word: 'direct' | 'dm'; readonly channel?: string; readonly accountId?: string; readonly peerId: string }
  | { readonly form: 'group'; readonly channel?: string; readonly accountId?: string; readonly id: string }
  | { readonly form: 'room'; readonly word: 'channel' | 'room'; readonly channel: string; readonly accountId?: string; readonly id: string }
  | { readonly form: 'slash'; readonly channel: string; readonly userId: string }
  | { readonly form: 'cron'; readonly jobId: string; readonly runId?: string }
  | { readonly form: 'hook'; readonly hookId: string }
  | { readonly form: 'node'; readonly separator: '-' | ':'; readonly nodeId: string }
  | { readonly form: 'subagent'; readonly ids: readonly string[] }
  | { readonly form: 'acp' | 'explicit' | 'dashboard'; readonly id: string }
  | { readonly form: 'other'; readonly name: string };

export type KeyForm = KeyAddress['form'];

/** A key in its parts. Without `agentId` it is a bare key, which a request puts under an agent. */
export type ParsedKey = KeyAddress & { readonly agentId?: string; readonly suffix?: KeySuffix };

/** First words of a rest that say what follows; a channel of such a name would be misread. */
const LEADING_WORDS = ['main', 'cron', 'hook', 'node', 'subagent', 'acp', 'explicit', 'dashboard'];
const TYPE_WORDS = ['direct', 'dm', 'group', 'channel', 'room', 'slash'];
const RESERVED_CHANNELS: ReadonlySet<string> = new Set([...LEADING_WORDS, ...TYPE_WORDS, 'agent', 'thread', 'topic', 'global']);

/** True for channel names that cannot stand in a key because the grammar uses the word itself. */
export function isReservedChannel(channel: string): boolean {
  return RESERVED_CHANNELS.has(channel) || channel.startsWith('node-');
}

/** Control characters of ASCII and of Latin-1. */
const CONTROL = /\p{Cc}/u;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** The last marker wins because the first group is greedy. */
const SUFFIX = /^(.+):(thread|topic):(.+)$/is;

/** True when an identifier holds a suffix marker and would make two conversations one key. */
export function holdsSuffixMarker(id: string): boolean {
  return /:(thread|topic):/i.test(id);
}

/**
 * Splits a key into its parts. Never throws: what fits no form is `other`, and `agent:` keys
 * with an empty agent id or rest are opaque. Words are recognised in any case, ids keep theirs.
 */
export function parseSessionKey(text: string): ParsedKey {
  const key = text.trim();
  const lower = key.toLowerCase();
  if (lower === 'global' || lower === 'unknown') return { form: lower };
  if (!lower.startsWith('agent:')) return parseRest(key);
  const colon = key.indexOf(':', 'agent:'.length);
  const agentId = key.slice('agent:'.length, colon === -1 ? undefined : colon);
  const rest = colon === -1 ? '' : key.slice(colon + 1);
  if (agentId.trim() === '' || rest.trim() === '') return { form: 'other', name: key };
  return { ...parseRest(rest), agentId };
}

function parseRest(rest: string): ParsedKey {
  const match = SUFFIX.exec(rest);
  if (match === null) return parseAddress(rest);
  const [, base = '', kind = '', id = ''] = match;
  const address = parseAddress(base);
  if (address.form === 'other') {
    const whole = parseAddress(rest);
    if (whole.form !== 'other') return whole;
  }
  return { ...address, suffix: { kind: kind.toLowerCase() === 'topic' ? 'topic' : 'thread', id } };
}

function parseAddress(text: string): KeyAddress {
  return parseLeadingWord(text) ?? parseTypeWord(text) ?? { form: 'other', name: text };
}

function parseLeadingWord(text: string): KeyAddress | undefined {
  const lower = text.toLowerCase();
  if (lower === 'main') return { form: 'main' };
  const match = /^(cron|hook|node|subagent|acp|explicit|dashboard)([:-])(.+)$/is.exec(text);
  if (match === null) return undefined;
  const [, word = '', separator, id = ''] = match;
  const name = word.toLowerCase();
  if (name === 'node') return { form: 'node', separator: separator === '-' ? '-' : ':', nodeId: id };
  if (separator === '-') return undefined;
  switch (name) {
    case 'cron': {
      const run = /^(.+?):run:(.+)$/is.exec(id);
      return run === null ? { form: 'cron', jobId: id } : { form: 'cron', jobId: run[1] ?? '', runId: run[2] ?? '' };
    }
    case 'hook':
      return { form: 'hook', hookId: id };
    case 'subagent': {
      const ids = id.split(/:subagent:/i);
      return ids.includes('') ? undefined : { form: 'subagent', ids };
    }
    case 'acp':
    case 'explicit':
    case 'dashboard':
      return { form: name, id };
    default:
      return undefined;
  }
}

function parseTypeWord(text: string): KeyAddress | undefined {
  // The leftmost type word decides; what follows it may hold colons (Matrix, Signal).
  const match = /^(?:([^:]+):(?:([^:]+):)??)??(direct|dm|group|channel|room|slash):(.+)$/is.exec(text);
  if (match === null) return undefined;
  const [, first, second, word = '', id = ''] = match;
  const owner = { ...(first === undefined ? {} : { channel: first }), ...(second === undefined ? {} : { accountId: second }) };
  const type = word.toLowerCase();
  if (type === 'direct' || type === 'dm') return { form: 'direct', word: type, ...owner, peerId: id };
  if (type === 'group') return { form: 'group', ...owner, id };
  if (first === undefined) return undefined;
  if (type === 'channel' || type === 'room') return { form: 'room', word: type, ...owner, channel: first, id };
  return second === undefined ? { form: 'slash', channel: first, userId: id } : undefined;
}

/** The key of these parts, exactly as they are: nothing is lower-cased, slugged or checked. */
export function formatSessionKey(parsed: ParsedKey): SessionKey {
  const suffix = parsed.suffix === undefined ? '' : `:${parsed.suffix.kind}:${parsed.suffix.id}`;
  const rest = `${formatAddress(parsed)}${suffix}`;
  return (parsed.agentId === undefined ? rest : `agent:${parsed.agentId}:${rest}`) as SessionKey;
}

function formatAddress(address: KeyAddress): string {
  switch (address.form) {
    case 'main':
    case 'global':
    case 'unknown':
      return address.form;
    case 'direct':
      return joined(address.channel, address.accountId, address.word, address.peerId);
    case 'group':
      return joined(address.channel, address.accountId, 'group', address.id);
    case 'room':
      return joined(address.channel, address.accountId, address.word, address.id);
    case 'slash':
      return joined(address.channel, 'slash', address.userId);
    case 'cron':
      return address.runId === undefined ? `cron:${address.jobId}` : `cron:${address.jobId}:run:${address.runId}`;
    case 'hook':
      return `hook:${address.hookId}`;
    case 'node':
      return `node${address.separator}${address.nodeId}`;
    case 'subagent':
      return address.ids.map((id) => `subagent:${id}`).join(':');
    case 'acp':
    case 'explicit':
    case 'dashboard':
      return `${address.form}:${address.id}`;
    case 'other':
      return address.name;
  }
}

function joined(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(':');
}

/** Conversations whose ids tell upper from lower case: folding them would merge two of them. */
function hasOpaqueId(address: KeyAddress): boolean {
  if (address.form !== 'group' && address.form !== 'room') return false;
  const channel = address.channel?.toLowerCase();
  return channel === 'matrix' || (channel === 'signal' && address.form === 'group');
}

/**
 * The spelling in which new keys are written: lower case throughout, except the ids of Signal
 * groups and Matrix rooms, with the agent id slugged. Type words stay as they are (`dm` included),
 * so the normal form of a stored key still names the stored row.
 */
export function normaliseSessionKey(text: string): SessionKey {
  const parsed = parseSessionKey(text);
  const address = hasOpaqueId(parsed) ? foldAround(parsed) : formatSessionKey({ ...parsed, agentId: undefined }).toLowerCase();
  if (parsed.agentId === undefined) return address as SessionKey;
  return `agent:${slugAgentId(parsed.agentId)}:${address}` as SessionKey;
}

function foldAround(parsed: ParsedKey): string {
  if (parsed.form !== 'group' && parsed.form !== 'room') return formatSessionKey(parsed);
  const suffix = parsed.suffix === undefined ? undefined : { kind: parsed.suffix.kind, id: parsed.suffix.id.toLowerCase() };
  const channel = parsed.channel?.toLowerCase() ?? '';
  return formatSessionKey({ ...parsed, agentId: undefined, channel, accountId: parsed.accountId?.toLowerCase(), suffix });
}

/**
 * Spellings under which a row for `key` may be stored, best first, without repetition: the key as
 * given, its normal form, all of it in lower case, then the same with `dm` and `direct` swapped. All of
 * them mean the same session wherever they are met.
 */
export function lookupCandidates(key: string): readonly SessionKey[] {
  const exact = key.trim();
  const spellings = [exact, normaliseSessionKey(exact), exact.toLowerCase()];
  const swapped = spellings.map(swapDirectWord).filter((spelling) => spelling !== undefined);
  return [...new Set([...spellings, ...swapped])] as SessionKey[];
}

/**
 * Spellings under which a row for `key` may stand in the store of its own agent: as `lookupCandidates`,
 * with the blanks at its ends that some program may have stored, then all of them without their agent, as
 * older releases wrote them. Only a store says whose such a
 * key is: two agents' keys may have one.
 */
export function storedSpellings(key: string): readonly SessionKey[] {
  const whole = lookupCandidates(key);
  const bare = whole.map(withoutAgent).filter((spelling) => spelling !== undefined);
  return [...new Set([key, ...whole, ...bare])] as SessionKey[];
}

/** Undefined for a key that names no agent, and where the rest would mean one of the shared keys. */
function withoutAgent(key: string): string | undefined {
  const rest = /^agent:[^:]*:(.+)$/s.exec(key)?.[1];
  return rest === undefined || rest === 'global' || rest === 'unknown' ? undefined : rest;
}

function swapDirectWord(key: string): string | undefined {
  const parsed = parseSessionKey(key);
  if (parsed.form !== 'direct') return undefined;
  return formatSessionKey({ ...parsed, word: parsed.word === 'dm' ? 'direct' : 'dm' });
}

/** The key without its thread or topic; `undefined` when it has none. */
export function parentKey(key: string): SessionKey | undefined {
  const { suffix, ...parent } = parseSessionKey(key);
  return suffix === undefined ? undefined : formatSessionKey(parent);
}

/** The key of a thread or topic inside the conversation `key`. */
export function withSuffix(key: SessionKey, suffix: KeySuffix): SessionKey {
  return `${key}:${suffix.kind}:${suffix.id.toLowerCase()}` as SessionKey;
}

/** Where direct messages of an agent meet: its main key, or `global` under that scope. */
export function mainSessionKey(agentId: AgentId, scope: 'per-sender' | 'global' = 'per-sender'): SessionKey {
  return (scope === 'global' ? 'global' : `agent:${agentId}:main`) as SessionKey;
}

/** How others name a session: `global` alone does not say whose it is, and every agent's tools take `main` for it. */
export function namedKey(agentId: string, key: string): string {
  return key === 'global' ? `agent:${agentId}:main` : key;
}

/** The key of one isolated cron run: the job's key with the run's session id. */
export function cronRunKey(agentId: AgentId, jobId: string, runId: string): SessionKey {
  return normaliseSessionKey(`agent:${agentId}:cron:${jobId}:run:${runId}`);
}

export interface KeyRequest {
  /** As the caller wrote it; absent, empty and `main` in any case mean the main session. */
  readonly key: string | undefined;
  /** The agent named beside the key, if any; not yet slugged. */
  readonly agentId?: string;
  readonly defaultAgentId: AgentId;
  readonly scope?: 'per-sender' | 'global';
  /** `session.mainKey`: another name for `main`. */
  readonly mainKey?: string;
}

export interface RequestKey {
  readonly key: SessionKey;
  /** Owner of the store; `undefined` for a reserved key when no agent was named beside it. */
  readonly agentId: AgentId | undefined;
}

/**
 * What a key in a request addresses: a key without `agent:` goes under the agent named beside it,
 * else under the default agent; `global` and `unknown` stay bare. An agent inside the key wins
 * over the one beside it; callers that must refuse the difference compare the two.
 */
export function toRequestKey(request: KeyRequest): RequestKey {
  const named = request.agentId === undefined ? undefined : slugAgentId(request.agentId);
  const agentId = named ?? request.defaultAgentId;
  const text = (request.key ?? '').trim();
  const lower = text.toLowerCase();
  if (lower === 'global' || lower === 'unknown') return { key: lower as SessionKey, agentId: named };
  const isMain = (rest: string): boolean => rest === '' || rest === 'main' || rest === request.mainKey?.trim().toLowerCase();
  if (isMain(lower)) return { key: mainSessionKey(agentId, request.scope), agentId };
  const parsed = parseSessionKey(text);
  if (parsed.agentId !== undefined) {
    const owner = slugAgentId(parsed.agentId);
    const rest = formatSessionKey({ ...parsed, agentId: undefined }).toLowerCase();
    return { key: isMain(rest) ? mainSessionKey(owner, request.scope) : normaliseSessionKey(text), agentId: owner };
  }
  if (lower.startsWith('agent:')) return { key: lower as SessionKey, agentId };
  return { key: normaliseSessionKey(`agent:${agentId}:${text}`), agentId };
}

/**
 * Refuses keys that must not become rows: longer than `KEY_LENGTH_MAX`, with control characters,
 * `agent:` keys without agent or rest, the reserved `unknown`, and bare UUIDs (those are session ids).
 * @throws KEY_INVALID
 */
export function assertCreatableKey(key: string): asserts key is SessionKey {
  const problem = creationProblem(key);
  if (problem !== undefined) throw new SessionError('KEY_INVALID', `invalid session key: ${problem}`, { facts: { length: key.length } });
}

function creationProblem(key: string): string | undefined {
  if (key.trim() === '') return 'session key required';
  if (key.length > KEY_LENGTH_MAX) return `longer than ${String(KEY_LENGTH_MAX)} characters`;
  if (CONTROL.test(key)) return 'it holds control characters';
  // UTF-8 has no bytes for half a character: different keys would become one on disk.
  if (LONE_SURROGATE.test(key)) return 'it holds half of a character (a lone surrogate)';
  const parsed = parseSessionKey(key);
  if (parsed.form === 'unknown') return '"unknown" is reserved';
  if (parsed.form !== 'other') return undefined;
  if (parsed.agentId === undefined && parsed.name.toLowerCase().startsWith('agent:')) return 'agent id or rest is missing';
  return isUuid(parsed.name) ? 'a session id is not a key' : undefined;
}
