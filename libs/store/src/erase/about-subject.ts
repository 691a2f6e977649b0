/** Whether a value, or a line of values, is about the subject of an erasure: by its keys, its ids, and the names of a person. */
import { channelAround, holdsNoNames, keyTest, peerTest, type EraseSubject, type NameTest } from '@sessions/domain';
import type { EraseSeeds } from './erasure-order';
import type { Needles } from './needles';

/** Whether a text, as a whole value, is one of the subject's names. */
export function aboutSubject(subject: EraseSubject, seeds: Pick<EraseSeeds, 'keys' | 'sessionIds'>, needles: Needles): NameTest {
  const isPeer = peerTest(subject);
  // A key that has left the store is none of the seeds. Without its agent it is a word that much else is called by, such as `main`.
  const isOfKey = keyTest(subject);
  const isMeant = (text: string): boolean => (subject.kind === 'person' || text.startsWith('agent:')) && isOfKey(text);
  const exact = new Set([...seeds.keys, ...seeds.sessionIds]);
  return (text, channel) => exact.has(text) || isPeer(text, channel) || isMeant(text) || needles.isInText(text);
}

/** A value of the line, or of JSON text inside of it. */
export function lineNames(line: string, about: NameTest): boolean {
  const visit = (value: unknown, outer: string | undefined): boolean => {
    if (typeof value === 'string') return about(value, outer) || ((value.startsWith('{') || value.startsWith('[')) && visit(parsed(value), outer));
    if (typeof value !== 'object' || value === null) return false;
    const channel = Array.isArray(value) ? outer : channelAround(value as Record<string, unknown>, outer);
    return Object.entries(value).some(([member, inner]) => about(member, channel) || (!(typeof inner === 'string' && holdsNoNames(member)) && visit(inner, channel)));
  };
  const value = parsed(line);
  return value === undefined ? about(line) : visit(value, undefined);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
