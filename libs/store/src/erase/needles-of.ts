/** The words that a subject is looked for by in bytes. */
import { escapedPart, keyTest, type EraseSubject, type PeerName } from '@sessions/domain';
import { Needles } from './needles';
import type { Sender } from './sender-needles';

/** Keys and ids that are long enough to mean nothing else. Runs of a job are its own; a thread is a session of its own, of the same person. */
export function needlesOf(subject: EraseSubject, keys: Iterable<string>, ids: Iterable<string>, stored: Iterable<string>): Needles {
  const [ownKeys, ownIds, isMeant] = [new Set(keys), new Set(ids), keyTest(subject)];
  const others = [...stored].filter((name) => !ownKeys.has(name) && !ownIds.has(name) && !isMeant(name));
  return new Needles(ownIds, [...ownKeys, ...addressesOf(subject)], subject.kind === 'person' ? [':run:', ':thread:', ':topic:'] : [':run:'], others, subject.kind === 'person' ? subject.peers.flatMap(sendersOf) : []);
}

/** As entries name a person, which copies of them do too. */
function addressesOf(subject: EraseSubject): readonly string[] {
  if (subject.kind === 'session') return [];
  return subject.peers.flatMap(({ channel, peerId, spelling = peerId, exact }) => (channel === undefined ? [] : [...new Set(exact === true ? [spelling] : [peerId, spelling])].map((id) => `${channel}:${id}`)));
}

/** In sessions that a person shares with others, identities of messages say who sent them. */
function sendersOf({ channel, peerId, spelling = peerId, exact }: PeerName): readonly Sender[] {
  if (exact === true) return [{ channel, id: escapedPart(spelling), exact }];
  // Letters of ASCII are compared in either size; of others, which identities have as bytes, these spellings.
  const capitals = peerId.toUpperCase();
  const [first = ''] = peerId;
  const spelled = [peerId, spelling, capitals, first.toUpperCase() + peerId.slice(first.length)];
  return [...new Set(spelled.map((id) => escapedPart(id).toLowerCase()))].map((id) => ({ channel, id, exact: false }));
}
