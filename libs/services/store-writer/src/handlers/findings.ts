/** Findings of the engine as they travel. */
import { createHash } from 'node:crypto';
import { Finding } from '@sessions/contracts';
import type { Finding as StoreFinding } from '@sessions/store';

const ID_LENGTH = 16;

/** The id names the same finding in every later look at the store. */
export function toFinding({ kind, file, key, detail, repair }: StoreFinding): Finding {
  const findingId = createHash('sha256').update(JSON.stringify([kind, file ?? '', key ?? ''])).digest('hex').slice(0, ID_LENGTH);
  return Finding.create({ kind, path: file, key, repair, detail, findingId });
}
