import { listArchives } from './list-archives';
import type { StoreChoice } from './select-stores';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COUNT = 1_500;

describe('listArchives', () => {
  const dir = mkdtempSync(join(tmpdir(), 'list-archives-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('names the key of every archive, however many there are', async () => {
    mkdirSync(join(dir, '.store'));
    writeFileSync(join(dir, 'sessions.json'), '{}');
    const lines = Array.from({ length: COUNT }, (_, at) => {
      const [from, to] = [`s-${at}.jsonl`, `s-${at}.jsonl.deleted.2026-05-01T10-00-00.000Z`];
      writeFileSync(join(dir, to), 'x');
      return JSON.stringify({ at, reason: 'prune-stale', key: `agent:main:direct:${at}`, sessionId: `s-${at}`, files: [{ from, to, bytes: 1, sha256: 'x' }], actor: 'me' });
    });
    writeFileSync(join(dir, '.store', 'archive-manifest.jsonl'), `${lines.join('\n')}\n`);
    const store = { agentId: 'main', path: join(dir, 'sessions.json') } as StoreChoice;
    const all = await listArchives(store, undefined, 0);
    expect([all.length, all.filter(({ key }) => key === null).length]).toEqual([COUNT, 0]);
    expect(await listArchives(store, 'agent:main:direct:0', 0)).toMatchObject([{ sessionId: 's-0', restorable: true }]);
  });
});
