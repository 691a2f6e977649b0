import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { generateStore, type GeneratedStore } from '../testing/store-generator';
import type { Finding } from './findings';
import { verifyStore } from './verify-store';

const FILE = path.join('.store', 'usage.jsonl');
const GOOD = JSON.stringify({ at: 1, key: 'agent:main:main', sessionId: 's', runId: 'r', provider: null, model: null, input: 1, output: 1, cacheRead: 0, cacheWrite: 0, epoch: 1, seq: 1, n: 0 });
let top: string;
let store: GeneratedStore;

beforeEach(() => {
  top = mkdtempSync(path.join(tmpdir(), 'verify-usage-'));
  store = generateStore({ stateDir: top, entries: 2, transcripts: { messages: 2, textLength: 10 } });
  mkdirSync(path.join(store.sessionsDir, '.store'), { recursive: true });
});
afterEach(() => rmSync(top, { recursive: true }));

const place = (): string => path.join(store.sessionsDir, FILE);
async function found(): Promise<{ ok: boolean; findings: Finding[] }> {
  const { ok, findings } = await verifyStore('main', store.sessionsFile, { nowMs: () => 1 });
  return { ok, findings: findings.filter(({ file }) => file === FILE) };
}

it('names each line of the usage ledger that cannot be read, with its file', async () => {
  writeFileSync(place(), [GOOD, 'no JSON, secret-text', GOOD, JSON.stringify({ ...JSON.parse(GOOD) as object, input: -1 }), 'x'.repeat(300_000), GOOD, '{"half":'].join('\n'));
  const { ok, findings } = await found();
  expect(ok).toBe(false);
  expect(findings).toEqual([2, 4, 5].map((line) => ({ kind: 'usage-line-unreadable', file: FILE, detail: `line ${String(line)} of the usage ledger cannot be read; sums pass over it`, repair: 'manual' })));
});

it('counts those beyond the first, and finds nothing wrong in a sound ledger or where there is none', async () => {
  expect(await found()).toEqual({ ok: true, findings: [] });
  writeFileSync(place(), `${GOOD}\n\n`.repeat(5000));
  expect(await found()).toEqual({ ok: true, findings: [] });
  writeFileSync(place(), `${GOOD}\n${'?\n'.repeat(50)}`);
  const { findings } = await found();
  expect(findings.map(({ detail }) => detail)).toEqual([...Array.from({ length: 20 }, (_, at) => expect.stringContaining(`line ${String(at + 2)} `) as unknown), '30 further lines of the usage ledger cannot be read']);
});

it('follows no link in its place', async () => {
  writeFileSync(path.join(top, 'elsewhere'), 'private\n');
  symlinkSync(path.join(top, 'elsewhere'), place());
  expect((await found()).findings).toMatchObject([{ kind: 'not-a-regular-file' }]);
});
