/** The children that a row shows: those of the same store that have not ended, or not long ago. */
import { SessionRow } from '@sessions/contracts';
import type { AgentStore } from '@sessions/store';

/** Children of one row, newest first. */
export const CHILD_SESSIONS_MAX = 100;
/** How long an ended child is still shown. */
export const ENDED_CHILD_SHOWN_MS = 30 * 60_000;

/** The same rows, with the keys of their children. Rows without any are passed on as they are. */
export async function withChildSessions(store: AgentStore, encodedRows: readonly Uint8Array[], nowMs: number): Promise<readonly Uint8Array[]> {
  if (encodedRows.length === 0) return encodedRows;
  const keys = encodedRows.map(keyOf);
  const children = await store.childrenOf(keys, CHILD_SESSIONS_MAX);
  if (children.size === 0) return encodedRows;
  return encodedRows.map((row, place) => {
    const shown = (children.get(keys[place] ?? '') ?? []).map((child) => SessionRow.decode(child)).filter((child) => isShown(child, nowMs));
    if (shown.length === 0) return row;
    // Encoded messages that follow each other are one message with the members of both.
    return Buffer.concat([row, SessionRow.encode(SessionRow.create({ childSessionKeys: shown.map(({ key }) => key) })).finish()]);
  });
}

function isShown({ status, hasActiveRun, endedAtMs }: SessionRow, nowMs: number): boolean {
  return status === 'running' || hasActiveRun === true || endedAtMs === undefined || nowMs - endedAtMs <= ENDED_CHILD_SHOWN_MS;
}

/** `key` is the first field of a row as it is encoded here. */
function keyOf(row: Uint8Array): string {
  let length = 0;
  let at = 1;
  for (let shift = 0; row[0] === KEY_TAG && at < 6; shift += 7) {
    const byte = row[at] ?? 0;
    at += 1;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return Buffer.from(row.buffer, row.byteOffset + at, Math.min(length, row.length - at)).toString('utf8');
  }
  return SessionRow.decode(row).key;
}

/** Field 1, length-delimited. */
const KEY_TAG = 0x0a;
