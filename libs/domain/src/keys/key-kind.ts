/**
 * What kind of session a key is, in the three vocabularies that clients know: rows of the command
 * line, rows of the gateway, and rows of the agents' tools. In each the first matching test wins.
 */
import { parseSessionKey } from './session-key';

/** The members of an entry that classification looks at. */
export interface KindFacts {
  readonly chatType?: string;
  readonly spawnedBy?: string;
  readonly channel?: string;
  readonly lastChannel?: string;
}

export type ChatType = 'direct' | 'group' | 'channel';
export type CliRowKind = 'global' | 'unknown' | 'cron' | 'spawn-child' | 'group' | 'direct';
export type GatewayRowKind = 'global' | 'unknown' | 'group' | 'direct';

/** Kinds by which agent tools name and filter sessions. */
export const TOOL_KINDS = ['main', 'group', 'cron', 'hook', 'node', 'other'] as const;
export type ToolRowKind = (typeof TOOL_KINDS)[number];

/** The key in lower case without `agent:<id>:`. */
export function keyRest(key: string): string {
  const lower = key.trim().toLowerCase();
  const match = /^agent:[^:]+:(.+)$/s.exec(lower);
  return match?.[1] ?? lower;
}

/** `dm` is read as `direct`, `room` as `channel`; `undefined` for any other word. */
export function asChatType(word: string | undefined): ChatType | undefined {
  switch (word?.trim().toLowerCase()) {
    case 'direct':
    case 'dm':
      return 'direct';
    case 'group':
      return 'group';
    case 'channel':
    case 'room':
      return 'channel';
    default:
      return undefined;
  }
}

/** The chat type recorded on the entry, else the one the key implies, if any. */
export function chatTypeOf(key: string, facts: KindFacts = {}): ChatType | undefined {
  const recorded = asChatType(facts.chatType);
  if (recorded !== undefined) return recorded;
  const rest = keyRest(key);
  switch (toolRowKind(key)) {
    case 'main':
      return 'direct';
    case 'group':
      return rest.includes(':group:') || rest.startsWith('group:') ? 'group' : 'channel';
    case 'other':
      return parseSessionKey(key).form === 'direct' ? 'direct' : undefined;
    default:
      return undefined;
  }
}

/** The `kind` column of `openclaw sessions`. */
export function cliRowKind(key: string, facts: KindFacts = {}): CliRowKind {
  const kind = gatewayRowKind(key, facts);
  if (kind === 'global' || kind === 'unknown') return kind;
  if (/^agent:[^:]+:cron:/i.test(key.trim())) return 'cron';
  return facts.spawnedBy === undefined || facts.spawnedBy === '' ? kind : 'spawn-child';
}

/** The `kind` of a row of `sessions.list`. */
export function gatewayRowKind(key: string, facts: KindFacts = {}): GatewayRowKind {
  const exact = key.trim().toLowerCase();
  if (exact === 'global' || exact === 'unknown') return exact;
  if (/:(group|channel):/.test(exact)) return 'group';
  const recorded = asChatType(facts.chatType);
  if (recorded !== undefined) return recorded === 'direct' ? 'direct' : 'group';
  // Whether the key names a person or nobody makes no difference here, so it is not parsed.
  return toolRowKind(key) === 'group' ? 'group' : 'direct';
}

/**
 * The `kind` by which agent tools list a session.
 * @param mainKey `session.mainKey`, a second name of the main session.
 * @returns `main` for `global`, which tools show under that name; `unknown` is `other` and never listed.
 */
export function toolRowKind(key: string, mainKey = 'main'): ToolRowKind {
  const rest = keyRest(key);
  if (rest === 'main' || rest === 'global' || rest === mainKey.trim().toLowerCase()) return 'main';
  if (rest.startsWith('cron:')) return 'cron';
  if (rest.startsWith('hook:')) return 'hook';
  if (rest.startsWith('node-') || rest.startsWith('node:')) return 'node';
  if (rest.startsWith('group:') || /:(group|channel|room):/.test(rest)) return 'group';
  return 'other';
}

/** The `channel` field that tools show; plug-in channels pass through under their own id. */
export function toolChannel(key: string, facts: KindFacts = {}): string {
  switch (toolRowKind(key)) {
    case 'cron':
    case 'hook':
    case 'node':
      return 'internal';
    case 'group':
      return named(facts.channel);
    default:
      return named(facts.lastChannel);
  }
}

function named(channel: string | undefined): string {
  return channel === undefined || channel === '' ? 'unknown' : channel;
}

/** True for the row of one run of an isolated cron job; such rows never show in gateway lists. */
export function isCronRunKey(key: string): boolean {
  return /^cron:.+?:run:.+$/s.test(keyRest(key));
}
