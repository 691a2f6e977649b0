import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { openStoreReader } from '../offline/store-reader';
import { openStore } from '../open-store';

describe('a store behind a link', () => {
  let root: string;
  let elsewhere: string;

  beforeEach(() => {
    root = fs.mkdtempSync(path.join(tmpdir(), 'links-'));
    elsewhere = path.join(root, 'elsewhere');
    fs.mkdirSync(path.join(elsewhere, 'sessions'), { recursive: true });
    fs.writeFileSync(path.join(elsewhere, 'sessions', 'sessions.json'), '{"agent:work:main":{"sessionId":"s","updatedAt":1}}');
    fs.mkdirSync(path.join(root, 'agents'));
  });
  afterEach(() => fs.rmSync(root, { recursive: true }));

  const links: [string, (agentDir: string) => void][] = [
    ['the agent’s directory', (agentDir) => fs.symlinkSync(elsewhere, agentDir)],
    ['its sessions directory', (agentDir) => {
      fs.mkdirSync(agentDir);
      fs.symlinkSync(path.join(elsewhere, 'sessions'), path.join(agentDir, 'sessions'));
    }],
    ['its .store directory', (agentDir) => {
      fs.mkdirSync(path.join(agentDir, 'sessions'), { recursive: true });
      fs.symlinkSync(elsewhere, path.join(agentDir, 'sessions', '.store'));
    }],
  ];

  it.each(links)('is neither opened nor read: %s', async (_, link) => {
    const agentDir = path.join(root, 'agents', 'work');
    link(agentDir);
    const place = { agentId: 'work', sessionsFile: path.join(agentDir, 'sessions', 'sessions.json') };
    const before = fs.readdirSync(elsewhere, { recursive: true });
    await expect(openStore({ ...place, instance: 'test', transport: 'standalone', clock: { nowMs: () => 1 } })).rejects.toMatchObject({ reason: 'DAMAGED' });
    await expect(openStoreReader(place)).rejects.toMatchObject({ reason: 'DAMAGED' });
    expect(fs.readdirSync(elsewhere, { recursive: true })).toEqual(before);
  });

  it('is not written through a linked transcripts folder', async () => {
    const dir = path.join(root, 'agents', 'work', 'sessions');
    fs.mkdirSync(dir, { recursive: true });
    fs.symlinkSync(elsewhere, path.join(dir, 'transcripts'));
    const store = await openStore({ agentId: 'work', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1 } });
    const append = store.mutate({
      decide: (view) => ({ effects: [{ kind: 'append', file: 'transcripts/a.jsonl', lines: ['{}'], messages: view.transcript('transcripts/a.jsonl').messages, exchanges: 0, leafId: null }], result: null }),
    });
    await expect(append).rejects.toMatchObject({ reason: 'DAMAGED' });
    await store.close();
    expect(fs.readdirSync(elsewhere)).toEqual(['sessions']);
  });
});
