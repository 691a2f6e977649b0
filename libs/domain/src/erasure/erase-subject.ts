/**
 * Whom an erasure is about: one session by its key, or one person by the ids that channels know them
 * by. Pure: which keys are meant, and what of another session's entry names them.
 */
import type { SessionConfig } from '../config/parse-config';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { parseSessionKey, storedSpellings } from '../keys/session-key';

/** One account of a person: `<channel>:<id>`, or an id on whatever channel. Lower case. */
export interface PeerName {
  readonly channel?: string;
  readonly peerId: string;
}

export type EraseSubject =
  | { readonly kind: 'session'; readonly key: string }
  | { readonly kind: 'person'; readonly peers: readonly PeerName[] };

/** Whether a word that was given without saying what it is means a session: it has the form of a key. */
export function looksLikeKey(text: string): boolean {
  const parsed = parseSessionKey(text);
  return parsed.agentId !== undefined || parsed.form !== 'other';
}

/**
 * The person of a peer id: also under the name that `session.identityLinks` gives them, and under all
 * accounts that are linked there.
 * @param text `<channel>:<id>`, a bare id, or a name of the links.
 */
export function personOf(text: string, links: SessionConfig['session']['identityLinks']): Extract<EraseSubject, { kind: 'person' }> {
  const wanted = text.trim().toLowerCase();
  const linked = links.filter(({ name, peers }) => name.toLowerCase() === wanted || peers.some((peer) => peer.toLowerCase() === wanted));
  const words = [wanted, ...linked.flatMap(({ name, peers }) => [name.toLowerCase(), ...peers.map((peer) => peer.toLowerCase())])];
  return { kind: 'person', peers: [...new Set(words)].map(peerOf) };
}

function peerOf(word: string): PeerName {
  const colon = word.indexOf(':');
  // What follows may hold colons itself (Matrix); a channel is one short word.
  return colon > 0 && /^[a-z][a-z0-9_-]*$/.test(word.slice(0, colon)) ? { channel: word.slice(0, colon), peerId: word.slice(colon + 1) } : { peerId: word };
}

/** @returns a test of keys: the session in every spelling and the runs of its job, or the direct sessions of the person. */
export function keyTest(subject: EraseSubject): (key: string) => boolean {
  if (subject.kind === 'session') {
    const spellings = new Set<string>(storedSpellings(subject.key));
    const runs = [...spellings].map((key) => `${key}:run:`);
    return (key) => spellings.has(key) || runs.some((prefix) => key.startsWith(prefix));
  }
  return (key) => {
    const parsed = parseSessionKey(key);
    const id = parsed.form === 'direct' ? parsed.peerId : parsed.form === 'slash' ? parsed.userId : undefined;
    if (id === undefined || (parsed.form !== 'direct' && parsed.form !== 'slash')) return false;
    const channel = parsed.channel?.toLowerCase();
    return subject.peers.some((peer) => peer.peerId === id.toLowerCase() && (peer.channel === undefined || channel === undefined || peer.channel === channel));
  };
}

/** @returns a test of a whole string: is it one of the person's names as entries spell them? */
export function peerTest(subject: EraseSubject): (text: string) => boolean {
  if (subject.kind === 'session') return () => false;
  const exact = new Set(subject.peers.flatMap(({ channel, peerId }) => (channel === undefined ? [peerId] : [peerId, `${channel}:${peerId}`])));
  const ends = [...exact].flatMap((name) => [`:${name}`, ` id:${name}`]);
  return (text) => {
    const lower = text.toLowerCase();
    // Keys are judged as keys.
    if (lower.startsWith('agent:')) return false;
    return exact.has(lower) || ends.some((end) => lower.endsWith(end));
  };
}

export interface EntryCleansing {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

/** What leaves another session's entry: members, list items and nested members whose text names the subject. Undefined: nothing. */
export function cleansingOf(entry: JsonObject, names: (text: string) => boolean): EntryCleansing | undefined {
  const set: Record<string, JsonValue> = {};
  const clear: string[] = [];
  for (const [member, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    const left = without(value, names);
    if (left === undefined) clear.push(member);
    else if (left !== value) set[member] = left;
  }
  return clear.length === 0 && Object.keys(set).length === 0 ? undefined : { set, clear };
}

/** The value itself where nothing in it names the subject; undefined where it does as a whole. */
function without(value: JsonValue, names: (text: string) => boolean): JsonValue | undefined {
  if (typeof value === 'string') return names(value) ? undefined : value;
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    const left = items.map((item) => without(item, names)).filter((item) => item !== undefined);
    return left.length === items.length && left.every((item, index) => item === items[index]) ? value : left;
  }
  if (!isJsonObject(value)) return value;
  const left: Record<string, JsonValue> = {};
  let changed = false;
  for (const [member, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const kept = names(member) ? undefined : without(inner, names);
    if (kept !== undefined) left[member] = kept;
    if (kept !== inner) changed = true;
  }
  return changed ? left : value;
}
