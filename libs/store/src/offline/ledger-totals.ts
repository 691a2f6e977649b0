/**
 * What a store's usage ledger adds up to, for commands without a gateway: the lines of `usage.jsonl` and
 * those that the journal has beyond it, each once. Makes no file and changes none; memory grows with
 * the ledger's lines, some 200 bytes each.
 */
import { assertRealDirectories } from '../files/real-directories';
import { storeLayout } from '../files/layout';
import { openTableInMemory } from '../session-index/open-database';
import { TABLES } from '../session-index/schema';
import { loadUsage } from '../session-index/usage-file';
import { sumUsage } from '../session-index/usage-sums';
import { UsageTable } from '../session-index/usage-table';
import type { UsageSum } from '../session-index/worker-protocol';
import { journalOverlay, type ReaderOptions } from './store-reader';

/** @returns undefined when the ledger has no line: no run was recorded here. @throws DAMAGED for a link in the place of a directory */
export async function readLedgerTotals({ agentId, sessionsFile, nativeBinding }: ReaderOptions): Promise<UsageSum | undefined> {
  const layout = storeLayout(agentId, sessionsFile);
  await assertRealDirectories(layout);
  const db = openTableInMemory(nativeBinding);
  try {
    db.exec(TABLES);
    loadUsage(db, layout.ownDir);
    const table = new UsageTable(db);
    for (const { epoch, seq, ops } of await journalOverlay(layout, 0)) {
      ops.flatMap((op) => (op.op === 'usage' ? [op.line] : [])).forEach((line, n) => table.put({ epoch, seq, n }, line));
    }
    const { totals } = await sumUsage(db, { view: 'sums', limit: 0 }, () => Promise.resolve());
    return totals.linesCount === 0 ? undefined : totals;
  } finally {
    db.close();
  }
}
