/** What an erasure took, or would take, as text; and as the document that `--json` prints. */
import type { EraseReport } from '@sessions/contracts';
import { keyText } from './key-text';
import { renderTable } from './table';
import { visibleText } from './visible-text';
import { COLUMNS_WITHOUT_TERMINAL } from '../cli-io';

export interface EraseDocument {
  readonly agentId: string;
  readonly storePath: string;
  readonly ok: boolean;
  readonly found: boolean;
  readonly keys: readonly string[];
  readonly sharedKeys: readonly string[];
  /** Absent of a gateway that is older. */
  readonly otherSpellings?: readonly string[];
  readonly copies: readonly string[];
  readonly left: readonly string[];
  readonly places: readonly { readonly place: string; readonly files: number; readonly bytes: number; readonly records: number }[];
  readonly receipt: { readonly id: string; readonly atMs: number; readonly subject: string; readonly sessions: number; readonly scannedFiles: number; readonly scannedBytes: number; readonly needles: number } | null;
  readonly error?: { readonly reason: string; readonly message: string };
}

export function eraseReport({ agentId, storePath, found, keys, sharedKeys, otherSpellings, copies, left, places, receipt }: EraseReport): EraseDocument {
  return { agentId, storePath, ok: left.length === 0, found, keys, sharedKeys, otherSpellings, copies, left, places, receipt: receipt ?? null };
}

/** What no erasure can reach, as nobody wrote down where it lies. */
export const NOT_ERASED = 'Not looked for: archives that `sessions export` wrote, backups and other copies outside of the stores. Who has them removes them.';

/** One block a store that has something; an empty one says so in one line. */
/** @param named the session or person as the command named it */
export function renderErased(stores: readonly EraseDocument[], dryRun: boolean, named: string): string {
  return stores.map((store) => `${blockOf(store, dryRun, named).join('\n')}\n`).join('\n') + (stores.some(({ found }) => found) ? `\n${NOT_ERASED}\n` : '');
}

function blockOf(store: EraseDocument, dryRun: boolean, named: string): string[] {
  const { agentId, storePath, found, keys, places } = store;
  const head = [`Agent ${agentId}: ${visibleText(storePath)}`];
  if (!found) return [...head, ...otherSpellingLines(store), ...receiptLines(store, 'Nothing is left of it; it was erased before.', 'Nothing is stored about it.')];
  const rows = places.map(({ place, files, bytes, records }) => [place, String(files), String(bytes), String(records)]);
  const columns = [{ title: 'PLACE' }, { title: 'FILES', align: 'right' as const }, { title: 'BYTES', align: 'right' as const }, { title: 'RECORDS', align: 'right' as const }];
  return [
    ...head,
    `${dryRun ? 'Would erase' : 'Erased'} ${keys.length} ${keys.length === 1 ? 'session' : 'sessions'}:`,
    ...keys.map((key) => `  ${keyText(key)}${isSpelledOtherwise(key, named) ? '  (in other letters than named)' : ''}`),
    ...renderTable(columns, rows, { widthMax: COLUMNS_WITHOUT_TERMINAL, separator: '  ' }),
    ...noteLines(store),
    ...(dryRun ? ['Nothing was changed.'] : receiptLines(store, 'Every byte of the store was read again; nothing is left.', 'It is not complete: no receipt.')),
  ];
}

/** The name stands in the key, but in letters of other size. */
function isSpelledOtherwise(key: string, named: string): boolean {
  const id = named.trim().replace(/^(?!agent:)[a-z][a-z0-9_-]*:/i, '');
  return !key.includes(id) && key.toLowerCase().includes(id.toLowerCase());
}

function otherSpellingLines({ otherSpellings = [] }: EraseDocument): string[] {
  return otherSpellings.map((key) => `In other letters than named, stays until it is named so: ${keyText(key)}`);
}

function noteLines(store: EraseDocument): string[] {
  const { sharedKeys, copies, left } = store;
  return [
    ...otherSpellingLines(store),
    ...sharedKeys.map((key) => `Shared with others, stays: ${keyText(key)}`),
    ...copies.map((file) => `The same words stand in another session: ${visibleText(file)}`),
    ...left.map((file) => `Still named in: ${visibleText(file)}`),
  ];
}

function receiptLines({ receipt }: EraseDocument, withReceipt: string, without: string): string[] {
  if (receipt === null) return [without];
  const { id, atMs, subject, scannedFiles, scannedBytes } = receipt;
  return [withReceipt, `Receipt ${id} of ${new Date(atMs).toISOString()}: ${scannedFiles} files, ${scannedBytes} bytes scanned; ${subject}`];
}
