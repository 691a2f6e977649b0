/** Whether a value, or a line of values, is about the subject of an erasure: by its keys, its ids, and the names of a person. */
import { holdsNoNames, peerTest, type EraseSubject } from '@sessions/domain';
import type { EraseSeeds } from './erasure-order';
import type { Needles } from './needles';

/** Whether a text, as a whole value, is one of the subject's names. */
export function aboutSubject(subject: EraseSubject, seeds: Pick<EraseSeeds, 'keys' | 'sessionIds'>, needles: Needles): (text: string) => boolean {
  const isPeer = peerTest(subject);
  const exact = new Set([...seeds.keys, ...seeds.sessionIds]);
  return (text) => exact.has(text) || isPeer(text) || needles.isInText(text);
}

/** A value of the line, or of JSON text inside of it. */
export function lineNames(line: string, about: (text: string) => boolean): boolean {
  const visit = (value: unknown): boolean => {
    if (typeof value === 'string') return about(value) || ((value.startsWith('{') || value.startsWith('[')) && visit(parsed(value)));
    if (typeof value !== 'object' || value === null) return false;
    return Object.entries(value).some(([member, inner]) => about(member) || (!(typeof inner === 'string' && holdsNoNames(member)) && visit(inner)));
  };
  const value = parsed(line);
  return value === undefined ? about(line) : visit(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
