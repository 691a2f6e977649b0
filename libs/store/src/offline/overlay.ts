/** What journal records make of entries, for readers that apply them in memory only. */
import { replayEntries } from '../recovery';
import type { JournalRecord } from '../journal/codec';

export interface Overlay {
  /** Entry texts by key; undefined: removed. */
  readonly texts: ReadonlyMap<string, string | undefined>;
  /** User and assistant messages that the records add to a transcript. */
  readonly exchanges: ReadonlyMap<string, number>;
}

/** Pure but for `textOf`, which answers with the text that is laid over. */
export function overlayOf(records: readonly JournalRecord[], textOf: (key: string) => string | undefined): Overlay {
  const texts = new Map<string, string | undefined>();
  for (const change of replayEntries(records, 0, textOf)) {
    if (change.kind === 'put') texts.set(change.key, change.text);
    else if (change.kind === 'remove') texts.set(change.key, undefined);
  }
  const exchanges = new Map<string, number>();
  for (const record of records) {
    for (const op of record.ops) {
      if (op.op === 'append') exchanges.set(op.file, (exchanges.get(op.file) ?? 0) + op.exchanges);
      // Counted anew when the owner is back.
      else if (op.op === 'aside' || op.op === 'replace' || op.op === 'back') exchanges.delete(op.file);
    }
  }
  return { texts, exchanges };
}
