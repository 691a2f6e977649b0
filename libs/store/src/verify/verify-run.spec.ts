import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateStore, type GeneratedStore } from '../testing/store-generator';
import { verifyStore, verifyStores, type StoreReport, type VerifyOptions } from './verify-store';

describe('a run of verify', () => {
  let top: string;
  let store: GeneratedStore;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'verify-run-'));
    store = generateStore({ stateDir: top, entries: 40, transcripts: { messages: 2 } });
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const verify = (options: Partial<VerifyOptions> = {}): Promise<StoreReport> => verifyStore('main', store.sessionsFile, { nowMs: () => 0, ...options });
  const writeStore = (entries: object): void => writeFileSync(store.sessionsFile, JSON.stringify(entries, null, 2));

  it('lists a bounded number of findings and counts the rest', async () => {
    writeStore(Object.fromEntries(Array.from({ length: 1_200 }, (_, n) => [`k${n}`, n])));
    const report = await verify();
    expect(report.findings).toHaveLength(1_000);
    expect(report.totals.findingsOmitted).toBe(200 + 40);
    expect(report.ok).toBe(false);
  });

  it('says how far it is, and stops when asked to', async () => {
    const stop = new AbortController();
    writeStore(Object.fromEntries(Array.from({ length: 2_500 }, (_, n) => [`k${n}`, n])));
    const seen: number[] = [];
    await expect(
      verify({
        signal: stop.signal,
        onProgress: ({ phase, doneCount }) => {
          expect(phase).toBe('entries');
          seen.push(doneCount);
          if (doneCount === 2_000) stop.abort(new Error('enough'));
        },
      }),
    ).rejects.toThrow('enough');
    expect(seen).toEqual([1_000, 2_000]);
  });

  it('reports several stores as one', async () => {
    const other = generateStore({ stateDir: join(top, 'second'), agentId: 'work', entries: 1 });
    writeFileSync(other.sessionsFile, 'x');
    const report = await verifyStores([{ agentId: 'main', sessionsFile: store.sessionsFile }, { agentId: 'work', sessionsFile: other.sessionsFile }], { nowMs: () => 0 });
    expect(report.ok).toBe(false);
    expect(report.stores.map(({ agentId, ok }) => [agentId, ok])).toEqual([['main', true], ['work', false]]);
  });
});
