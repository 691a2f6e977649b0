import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { sessionHeaderLine, userMessageLine } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { openStore } from '../open-store';

describe('a transcript that somebody else moves or writes while we do', () => {
  let dir: string;
  let store: AgentStore;
  const file = 's1.jsonl';

  const open = (): Promise<AgentStore> =>
    openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });
  const say = (id: string): Promise<unknown> =>
    store.mutate({
      decide: (view) => {
        const tail = view.transcript(file);
        const header = tail.kind === 'none' ? [sessionHeaderLine({ sessionId: 's1', nowMs: view.nowMs, cwd: '/', sessionKey: 'agent:main:main' })] : [];
        const line = userMessageLine({ id, parentId: tail.leafId, nowMs: view.nowMs, content: id });
        return {
          effects: [
            { kind: 'putEntry', key: 'agent:main:main', set: { sessionId: 's1', updatedAt: view.nowMs } },
            { kind: 'append', file, lines: [...header, line], messages: 1, exchanges: 1, leafId: id },
          ],
          result: null,
        };
      },
    });
  const idsIn = (name: string): string[] =>
    fs.readFileSync(path.join(dir, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { type?: string; id?: string }).filter((line) => line.type === 'message').map((line) => line.id ?? '');

  beforeEach(async () => {
    dir = fs.mkdtempSync(path.join(tmpdir(), 'moved-'));
    store = await open();
  });
  afterEach(async () => {
    await store.close();
    fs.rmSync(dir, { recursive: true });
  });

  it('gets its further lines under its own name, and they stay over a restart', async () => {
    await say('aaaaaaaa');
    await store.history({ key: 'agent:main:main', limit: 10 });
    fs.renameSync(path.join(dir, file), path.join(dir, `${file}.bak`));
    await say('bbbbbbbb');
    await say('cccccccc');
    await store.close();
    expect(idsIn(`${file}.bak`)).toEqual(['aaaaaaaa']);
    expect(idsIn(file)).toEqual(['bbbbbbbb', 'cccccccc']);
    store = await open();
    await say('dddddddd');
    await store.close();
    expect(idsIn(file)).toEqual(['bbbbbbbb', 'cccccccc', 'dddddddd']);
  });

  it('keeps a foreign line that comes in between, and ours behind it', async () => {
    await say('aaaaaaaa');
    await store.history({ key: 'agent:main:main', limit: 10 });
    fs.appendFileSync(path.join(dir, file), `${userMessageLine({ id: 'ffffffff', parentId: 'aaaaaaaa', nowMs: 1, content: 'foreign' })}\n`);
    await say('bbbbbbbb');
    await say('cccccccc');
    await store.close();
    expect(idsIn(file)).toEqual(['aaaaaaaa', 'ffffffff', 'bbbbbbbb', 'cccccccc']);
  });
});
