/**
 * Whom an erasure is about: one session by its key, or one person by the ids that channels know them
 * by. Pure: which keys are meant, and which texts name them.
 */
import type { SessionConfig } from '../config/parse-config';
import { isReservedChannel, parseSessionKey, storedSpellings } from '../keys/session-key';
import type { NameTest } from './names-in-entry';

/** One account of a person: `<channel>:<id>`, or an id on whatever channel. Channel and id in lower case. */
export interface PeerName {
  readonly channel?: string;
  readonly peerId: string;
  /** The id as it was named, where that has other letters. */
  readonly spelling?: string;
  /** Only this spelling is meant: ids in other letters are other people's. */
  readonly exact?: true;
}

export type EraseSubject =
  /** `exact`: keys in other letters are other sessions. */
  | { readonly kind: 'session'; readonly key: string; readonly exact?: true }
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
  const named = text.trim();
  const wanted = named.toLowerCase();
  const linked = links.filter(({ name, peers }) => name.toLowerCase() === wanted || peers.some((peer) => peer.toLowerCase() === wanted));
  const words = new Map<string, string>();
  for (const word of [named, ...linked.flatMap(({ name, peers }) => [name, ...peers])]) if (!words.has(word.toLowerCase())) words.set(word.toLowerCase(), word);
  return { kind: 'person', peers: [...words.values()].map(peerOf) };
}

function peerOf(word: string): PeerName {
  const colon = word.indexOf(':');
  // What follows may hold colons itself (Matrix); a channel is one short word.
  const isOfChannel = colon > 0 && /^[a-z][a-z0-9_-]*$/i.test(word.slice(0, colon));
  const spelling = isOfChannel ? word.slice(colon + 1) : word;
  const peerId = spelling.toLowerCase();
  return { ...(isOfChannel ? { channel: word.slice(0, colon).toLowerCase() } : {}), peerId, ...(spelling === peerId ? {} : { spelling }) };
}

/** The subject by this very spelling alone. */
export function exactly(subject: EraseSubject): EraseSubject {
  return subject.kind === 'session' ? { ...subject, exact: true } : { ...subject, peers: subject.peers.map((peer) => ({ ...peer, exact: true })) };
}

/** The subject in letters of whatever size. */
export function anyhow(subject: EraseSubject): EraseSubject {
  if (subject.kind === 'session') return { kind: 'session', key: subject.key };
  return { ...subject, peers: subject.peers.map(({ exact: _, ...peer }) => peer) };
}

/**
 * The subject as a store has it. Keys are written in lower case, so whoever is named in capitals is found
 * in small letters; but where a key stands in just the letters that were named, one in other letters is
 * another's (the exact key comes first, as with every look-up).
 */
export function asStored(subject: EraseSubject, keys: Iterable<string>): EraseSubject {
  const stored = [...keys];
  const isThere = (one: EraseSubject): boolean => stored.some(keyTest(exactly(one)));
  if (subject.kind === 'session') return isThere(subject) ? { ...subject, exact: true } : subject;
  return { ...subject, peers: subject.peers.map((peer) => (isThere({ kind: 'person', peers: [peer] }) ? { ...peer, exact: true } : peer)) };
}

/** What a receipt is about: with no more than was named, and that one spelling was meant where it was. */
export function receiptSubject(subject: EraseSubject): EraseSubject {
  if (subject.kind === 'session') return subject;
  return { kind: 'person', peers: subject.peers.map((peer) => (peer.exact === true ? peer : { ...(peer.channel === undefined ? {} : { channel: peer.channel }), peerId: peer.peerId })) };
}

/** @returns a test of keys: the session in every spelling and the runs of its job, or the direct sessions of the person. */
export function keyTest(subject: EraseSubject): (key: string) => boolean {
  if (subject.kind === 'session') {
    const isSpelledSo = (spelling: string): boolean => subject.exact !== true || inLettersOf(subject.key, spelling);
    const spellings = new Set<string>([...storedSpellings(subject.key)].filter(isSpelledSo));
    const runs = [...spellings].map((key) => `${key}:run:`);
    return (key) => spellings.has(key) || runs.some((prefix) => key.startsWith(prefix));
  }
  return (key) => {
    const parsed = parseSessionKey(key);
    const id = parsed.form === 'direct' ? parsed.peerId : parsed.form === 'slash' ? parsed.userId : undefined;
    if (id === undefined || (parsed.form !== 'direct' && parsed.form !== 'slash')) return false;
    const channel = parsed.channel?.toLowerCase();
    return subject.peers.some((peer) => isId(peer, id) && (peer.channel === undefined || channel === undefined || peer.channel === channel));
  };
}

function isId({ peerId, spelling = peerId, exact }: PeerName, id: string): boolean {
  return exact === true ? id === spelling : id.toLowerCase() === peerId;
}

/** A spelling differs by the type word or the missing agent, not by the size of its letters. */
function inLettersOf(key: string, spelling: string): boolean {
  const [whole, other] = [parseSessionKey(key), parseSessionKey(spelling)];
  if (whole.form === 'direct' && other.form === 'direct') return whole.peerId === other.peerId;
  return key.endsWith(spelling);
}

/** What stands behind these is a place: many of them are counted, as ids of people are. */
const PLACE_WORDS: ReadonlySet<string> = new Set(['group', 'channel', 'room', 'thread', 'topic']);
/** Words before an id that say that it is a person's, and not on which channel. */
const PERSON_WORDS: ReadonlySet<string> = new Set(['user', 'direct', 'dm', 'id', 'from', 'to', 'peer', 'sender', 'member']);
/** `12:30:42` and `@ann:example.org` are no addresses of `42` and `example.org`. */
const ADDRESS = /^[a-z][\w-]*(?::[a-z0-9][\w.@+-]*)*$/;

/** @returns a test of whole texts: is it one of the person's names as entries spell them? The same id on another channel is another's. */
export function peerTest(subject: EraseSubject): NameTest {
  if (subject.kind === 'session') return () => false;
  return (text, { channel, isWord = false } = {}) => {
    if (isWord) return false;
    const lower = text.toLowerCase();
    // Keys are judged as keys.
    return !lower.startsWith('agent:') && subject.peers.some((peer) => isNameOf(peer, text, channel));
  };
}

function isNameOf({ channel, peerId, spelling = peerId, exact }: PeerName, text: string, around: string | undefined): boolean {
  const [id, spelled] = exact === true ? [spelling, text] : [peerId, text.toLowerCase()];
  const isHere = channel === undefined || around === undefined || around.toLowerCase() === channel;
  if (!spelled.endsWith(id)) return false;
  if (spelled === id || spelled.endsWith(` id:${id}`)) return isHere;
  const before = text.slice(0, text.length - id.length - 1).toLowerCase();
  if (spelled.at(before.length) !== ':' || !ADDRESS.test(before)) return false;
  const words = before.split(':');
  if (PLACE_WORDS.has(words.at(-1) ?? '')) return false;
  const [first = ''] = words;
  if (PERSON_WORDS.has(first)) return isHere;
  // `cron:42` and `subagent:42` are of no channel.
  return channel === undefined ? !isReservedChannel(first) : first === channel;
}
