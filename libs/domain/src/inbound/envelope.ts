/**
 * One message from outside, as every door takes it. The set of members is closed: a member that
 * is not understood could be one that matters, so it is refused by name.
 */
import { SessionError } from '../errors';
import type { ChatType } from '../keys/key-kind';
import { KEY_LENGTH_MAX, holdsSuffixMarker, isReservedChannel } from '../keys/session-key';
import { DEFAULT_ACCOUNT_ID } from '../keys/slug-id';
import { parseAttachments, type Attachment } from './attachments';
import { MemberReader, Problems } from './member-reader';

export const ORIGIN_KINDS = ['channel', 'cron', 'hook', 'node', 'webchat'] as const;
export type OriginKind = (typeof ORIGIN_KINDS)[number];

/** Longest text, in bytes of UTF-8. */
export const TEXT_BYTES_MAX = 256 * 1024;
/** Longest identifiers and names, in UTF-16 units. */
export const ID_LENGTH_MAX = 256;
export const ACCOUNT_LENGTH_MAX = 128;
const CHANNEL = /^[a-z][a-z0-9_-]{0,31}$/;
const CHAT_TYPES = ['direct', 'group', 'channel'] as const;
const AUTHORITIES = ['owner', 'allowed', 'other'] as const;

export interface Sender {
  /** Absent only where nobody vouched for one; see the direct-message rule of routing. */
  readonly id?: string;
  readonly name?: string;
  readonly username?: string;
  /** What the adapter vouches for; configuration can only lower it. */
  readonly authority: (typeof AUTHORITIES)[number];
}

export interface Conversation {
  readonly id: string;
  readonly name?: string;
  /** The channel's own word for it; `forum` marks a Telegram group with topics. */
  readonly kind?: string;
}

/** Where an answer goes. */
export interface ReplyRoute {
  readonly channel: string;
  readonly to: string;
  readonly accountId?: string;
  readonly threadId?: string;
}

export interface CronOrigin {
  readonly jobId: string;
  readonly name?: string;
  readonly runId: string;
  readonly target: 'isolated' | 'main' | `session:${string}`;
}

export interface InboundEnvelope {
  readonly origin: { readonly kind: OriginKind };
  readonly channel?: string;
  /** As the adapter names it; slugged only inside keys. */
  readonly accountId: string;
  readonly messageId?: string;
  readonly chatType?: ChatType;
  readonly sender?: Sender;
  readonly conversation?: Conversation;
  readonly threadId?: string;
  /** Present exactly when `threadId` is. */
  readonly threadKind?: 'topic' | 'thread';
  readonly guildId?: string;
  readonly teamId?: string;
  readonly parentPeer?: { readonly kind: ChatType; readonly id: string };
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly replyToMessageId?: string;
  readonly mentioned: boolean;
  /** Shown, never used for order or freshness; absent means the time of receipt. */
  readonly sentAtMs?: number;
  readonly replyRoute?: ReplyRoute;
  readonly deliver: boolean;
  /** An explicit choice, not yet slugged. */
  readonly agentId?: string;
  readonly sessionKey?: string;
  readonly cron?: CronOrigin;
  readonly hook?: { readonly hookId?: string; readonly name?: string };
  readonly node?: { readonly nodeId: string };
  readonly idempotencyKey?: string;
}

/**
 * Reads an envelope and fills in its defaults.
 * @throws VALIDATION naming every member that is wrong, missing or unknown; TOO_LARGE when size
 * is all that is wrong. Values never appear in the message.
 */
export function parseEnvelope(raw: unknown): InboundEnvelope {
  const problems = new Problems();
  const members = new MemberReader(raw, '', problems);
  const envelope = readEnvelope(members, problems);
  members.close();
  const count = problems.texts.length;
  if (count === 0) return envelope;
  const reason = problems.tooLargeCount === count ? 'TOO_LARGE' : 'VALIDATION';
  throw new SessionError(reason, `invalid message: ${problems.texts.join('; ')}`, { facts: { problems: count } });
}

function readEnvelope(members: MemberReader, problems: Problems): InboundEnvelope {
  const kind = readKind(members);
  const channel = members.string('channel', ID_LENGTH_MAX);
  if (channel !== undefined && !CHANNEL.test(channel)) members.problem('channel', 'must match [a-z][a-z0-9_-]{0,31}');
  else if (channel !== undefined && isReservedChannel(channel)) members.problem('channel', 'is a word of the key grammar');
  const messageId = members.string('messageId', ID_LENGTH_MAX);
  const chatType = members.word('chatType', CHAT_TYPES);
  const conversation = readConversation(members);
  if (kind === 'channel') {
    for (const name of ['channel', 'messageId', 'chatType']) if (!members.has(name)) members.problem(name, 'is required');
  }
  if ((chatType === 'group' || chatType === 'channel') && !members.has('conversation')) members.problem('conversation', `is required for chatType ${chatType}`);
  const threadId = members.string('threadId', ID_LENGTH_MAX);
  const threadKind = members.word('threadKind', ['topic', 'thread']);
  const attachments = parseAttachments(members.raw('attachments'), problems);
  return definedOnly({
    origin: { kind },
    channel,
    accountId: members.string('accountId', ACCOUNT_LENGTH_MAX) ?? DEFAULT_ACCOUNT_ID,
    messageId,
    chatType,
    sender: readSender(members),
    conversation,
    threadId,
    threadKind: threadId === undefined ? undefined : (threadKind ?? (channel === 'telegram' ? 'topic' : 'thread')),
    guildId: members.string('guildId', ID_LENGTH_MAX),
    teamId: members.string('teamId', ID_LENGTH_MAX),
    parentPeer: readParentPeer(members),
    text: readText(members, problems, attachments.length > 0 || members.has('attachments')),
    attachments,
    replyToMessageId: members.string('replyToMessageId', ID_LENGTH_MAX),
    mentioned: members.flag('mentioned') ?? (chatType === undefined || chatType === 'direct'),
    sentAtMs: readInstant(members, 'sentAtMs'),
    replyRoute: readReplyRoute(members),
    deliver: members.flag('deliver') ?? true,
    agentId: members.string('agentId', ID_LENGTH_MAX),
    sessionKey: readSessionKey(members, kind),
    ...readSynthetic(members, kind),
    idempotencyKey: members.string('idempotencyKey', ID_LENGTH_MAX),
  });
}

function readKind(members: MemberReader): OriginKind {
  const origin = members.object('origin');
  const kind = origin?.word('kind', ORIGIN_KINDS) ?? 'channel';
  origin?.close();
  return kind;
}

function readSender(members: MemberReader): Sender | undefined {
  const sender = members.object('sender');
  if (sender === undefined) return undefined;
  const read = definedOnly({
    id: sender.string('id', ID_LENGTH_MAX),
    name: sender.label('name', ID_LENGTH_MAX),
    username: sender.label('username', ID_LENGTH_MAX),
    authority: sender.word('authority', AUTHORITIES) ?? 'allowed',
  });
  sender.close();
  return read;
}

function readConversation(members: MemberReader): Conversation | undefined {
  const conversation = members.object('conversation');
  if (conversation === undefined) return undefined;
  const id = conversation.required('id', ID_LENGTH_MAX);
  // `x:topic:1` as an id and topic 1 of `x` would share one key.
  if (holdsSuffixMarker(id)) conversation.problem('id', 'must not hold ":thread:" or ":topic:"');
  const read = definedOnly({ id, name: conversation.label('name', ID_LENGTH_MAX), kind: conversation.string('kind', ID_LENGTH_MAX) });
  conversation.close();
  return read;
}

function readParentPeer(members: MemberReader): InboundEnvelope['parentPeer'] {
  const peer = members.object('parentPeer');
  if (peer === undefined) return undefined;
  if (!peer.has('kind')) peer.problem('kind', 'is required');
  const read = { kind: peer.word('kind', CHAT_TYPES) ?? 'group', id: peer.required('id', ID_LENGTH_MAX) };
  peer.close();
  return read;
}

function readText(members: MemberReader, problems: Problems, hasAttachments: boolean): string {
  const raw = members.raw('text');
  const text = raw === undefined ? '' : raw;
  if (typeof text !== 'string') {
    members.problem('text', 'must be a string');
    return '';
  }
  if (text === '' && !hasAttachments) members.problem('text', 'must not be empty without attachments');
  if (utf8Bytes(text) > TEXT_BYTES_MAX) problems.addTooLarge('text', `must have at most ${String(TEXT_BYTES_MAX)} bytes`);
  return text;
}

/** Length in UTF-8; lone surrogates count as the three bytes of their replacement. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

function readInstant(members: MemberReader, name: string): number | undefined {
  const value = members.raw(name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  members.problem(name, 'must be milliseconds since the epoch');
  return undefined;
}

function readReplyRoute(members: MemberReader): ReplyRoute | undefined {
  const route = members.object('replyRoute');
  if (route === undefined) return undefined;
  const channel = route.required('channel', ID_LENGTH_MAX);
  if (channel !== '' && !CHANNEL.test(channel)) route.problem('channel', 'must match [a-z][a-z0-9_-]{0,31}');
  const read = definedOnly({
    channel,
    to: route.required('to', ID_LENGTH_MAX),
    accountId: route.string('accountId', ACCOUNT_LENGTH_MAX),
    threadId: route.string('threadId', ID_LENGTH_MAX),
  });
  route.close();
  return read;
}

function readSessionKey(members: MemberReader, kind: OriginKind): string | undefined {
  const key = members.string('sessionKey', KEY_LENGTH_MAX);
  if (members.has('sessionKey') && (kind === 'channel' || kind === 'cron')) members.problem('sessionKey', `is not allowed for origin ${kind}`);
  return key;
}

function readSynthetic(members: MemberReader, kind: OriginKind): Pick<InboundEnvelope, 'cron' | 'hook' | 'node'> {
  for (const name of ['cron', 'hook', 'node'] as const) {
    if (name === kind && !members.has(name)) members.problem(name, `is required for origin ${name}`);
    if (name !== kind && members.has(name)) members.problem(name, `is only for origin ${name}`);
  }
  const cron = kind === 'cron' ? members.object('cron') : undefined;
  const hook = kind === 'hook' ? members.object('hook') : undefined;
  const node = kind === 'node' ? members.object('node') : undefined;
  const read = {
    cron: cron === undefined ? undefined : definedOnly({ jobId: readJobId(cron), name: cron.label('name', ID_LENGTH_MAX), runId: cron.required('runId', ID_LENGTH_MAX), target: readTarget(cron) }),
    hook: hook === undefined ? undefined : definedOnly({ hookId: hook.string('hookId', ID_LENGTH_MAX), name: hook.label('name', ID_LENGTH_MAX) }),
    node: node === undefined ? undefined : { nodeId: node.required('nodeId', ID_LENGTH_MAX) },
  };
  for (const object of [cron, hook, node]) object?.close();
  return read;
}

/** `x:run:1` as a job would have the key of a run of `x`, and leave with it. */
function readJobId(cron: MemberReader): string {
  const jobId = cron.required('jobId', ID_LENGTH_MAX);
  if (/:run:/i.test(jobId) || holdsSuffixMarker(jobId)) cron.problem('jobId', 'must not hold ":run:", ":thread:" or ":topic:"');
  return jobId;
}

function readTarget(cron: MemberReader): CronOrigin['target'] {
  const target = cron.required('target', ID_LENGTH_MAX);
  if (target === 'isolated' || target === 'main') return target;
  if (/^session:.*\S/.test(target)) return `session:${target.slice('session:'.length).trim()}`;
  if (target !== '') cron.problem('target', 'must be isolated, main or session:<name>');
  return 'isolated';
}

function definedOnly<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}
