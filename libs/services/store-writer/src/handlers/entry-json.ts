/** Entries as answers carry them. */
import { patchRawObject } from '@sessions/domain';
import { STREAM_ITEMS_BYTES } from '@sessions/bus';

/** Members of an entry that lists never carry: they are large, and nobody lists them. */
const BULKY_MEMBERS = ['skillsSnapshot', 'systemPromptReport'] as const;

export function withoutBulky(text: string): Buffer {
  const isBulky = BULKY_MEMBERS.some((name) => text.includes(`"${name}"`));
  return Buffer.from(isBulky ? patchRawObject(text, { clear: BULKY_MEMBERS }) : text);
}

/**
 * The entry after a mutation: whole where it fits into the answer, else without its bulky members,
 * else nothing. A long entry is read in parts (`GetEntry`).
 */
export function answeredEntry(text: string): Buffer {
  const whole = Buffer.from(text);
  if (whole.length <= STREAM_ITEMS_BYTES) return whole;
  const narrow = withoutBulky(text);
  return narrow.length <= STREAM_ITEMS_BYTES ? narrow : Buffer.alloc(0);
}
