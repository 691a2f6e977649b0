/** Whether a value, or a line of values, is about the subject of an erasure: by its keys, its ids, and the names of a person. */
import { isMemberNamed, keyTest, peerTest, surroundingsIn, surroundingsOf, type EraseSubject, type NameTest, type Surroundings } from '@sessions/domain';
import type { EraseSeeds } from './erasure-order';
import { NEEDLE_BYTES_MIN, type Needles } from './needles';

/** Members that name sessions. */
const SESSION_MEMBER = /session|key|spawnedBy|parent/i;

/** Whether a text, as a whole value, is one of the subject's names. */
export function aboutSubject(subject: EraseSubject, seeds: Pick<EraseSeeds, 'keys' | 'sessionIds'>, needles: Needles): NameTest {
  const isPeer = peerTest(subject);
  // A key that has left the store is none of the seeds. Without its agent it is a word that much else is called by, such as `main`.
  const isOfKey = keyTest(subject);
  const isMeant = (text: string): boolean => (subject.kind === 'person' || text.startsWith('agent:')) && isOfKey(text);
  const exact = new Set([...seeds.keys, ...seeds.sessionIds]);
  // Other programs give short ids, such as `main`: as a label, or an account, these are words of somebody else.
  const isSession = (text: string, member: string | undefined): boolean => exact.has(text) && (text.startsWith('agent:') || Buffer.byteLength(text) >= NEEDLE_BYTES_MIN || SESSION_MEMBER.test(member ?? ''));
  return (text, around) => isSession(text, around?.member) || isPeer(text, around) || isMeant(text) || needles.isInText(text);
}

/** A value of the line, or of JSON text inside of it. */
export function lineNames(line: string, about: NameTest): boolean {
  const visit = (value: unknown, around: Surroundings): boolean => {
    if (typeof value === 'string') return about(value, around) || ((value.startsWith('{') || value.startsWith('[')) && visit(parsed(value), around));
    if (typeof value !== 'object' || value === null) return false;
    if (Array.isArray(value)) return value.some((item) => visit(item, around));
    const here = surroundingsIn(value as Record<string, unknown>, around);
    return Object.entries(value).some(([member, inner]) => {
      const within = surroundingsOf(member, inner, here);
      return within !== undefined && (isMemberNamed(member, here, about) || visit(inner, within));
    });
  };
  const value = parsed(line);
  if (value === undefined) return about(line);
  // A line of the ledger is the key of a request, a hash, and the answer: keys have words of ours, and say who sent a message as identities do.
  return Array.isArray(value) ? value.some((item, index) => visit(item, { isWord: index < 2 })) : visit(value, {});
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
