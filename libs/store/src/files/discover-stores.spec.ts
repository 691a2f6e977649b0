import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { discoverStores } from './discover-stores';

describe('discoverStores', () => {
  let top: string;
  let agents: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'discover-'));
    agents = join(top, 'agents');
    mkdirSync(agents);
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const put = (file: string): string => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '{}');
    return file;
  };

  it('finds stores in order of agent id', async () => {
    put(join(agents, 'work', 'sessions', 'sessions.json'));
    put(join(agents, 'main', 'sessions', 'sessions.json'));
    expect(await discoverStores(agents)).toEqual({
      stores: [
        { agentId: 'main', sessionsFile: join(agents, 'main', 'sessions', 'sessions.json') },
        { agentId: 'work', sessionsFile: join(agents, 'work', 'sessions', 'sessions.json') },
      ],
      skipped: [],
    });
  });

  it('finds a store whose sessions file is gone but whose own directory is there', async () => {
    mkdirSync(join(agents, 'main', 'sessions', '.store'), { recursive: true });
    expect((await discoverStores(agents)).stores).toEqual([{ agentId: 'main', sessionsFile: join(agents, 'main', 'sessions', 'sessions.json') }]);
  });

  it('skips links at every level and says why', async () => {
    const elsewhere = put(join(top, 'elsewhere', 'sessions', 'sessions.json'));
    symlinkSync(join(top, 'elsewhere'), join(agents, 'a'));
    mkdirSync(join(agents, 'b'));
    symlinkSync(dirname(elsewhere), join(agents, 'b', 'sessions'));
    mkdirSync(join(agents, 'c', 'sessions'), { recursive: true });
    symlinkSync(elsewhere, join(agents, 'c', 'sessions', 'sessions.json'));
    expect(await discoverStores(agents)).toEqual({
      stores: [],
      skipped: [
        { path: join(agents, 'a'), reason: 'is a symbolic link' },
        { path: join(agents, 'b', 'sessions'), reason: 'is a symbolic link' },
        { path: join(agents, 'c', 'sessions', 'sessions.json'), reason: 'is a symbolic link' },
      ],
    });
  });

  it('skips what is no store', async () => {
    mkdirSync(join(agents, 'empty'));
    mkdirSync(join(agents, 'bare', 'sessions'), { recursive: true });
    put(join(agents, 'note.txt'));
    mkdirSync(join(agents, 'd', 'sessions', 'sessions.json'), { recursive: true });
    put(join(agents, 'f', 'sessions'));
    put(join(agents, 'Upper Case', 'sessions', 'sessions.json'));
    expect(await discoverStores(agents)).toEqual({
      stores: [],
      skipped: [
        { path: join(agents, 'Upper Case'), reason: 'its name is not an agent id' },
        { path: join(agents, 'd', 'sessions', 'sessions.json'), reason: 'is not a regular file' },
        { path: join(agents, 'f', 'sessions'), reason: 'is not a directory' },
      ],
    });
  });

  it('reads a layout of its own and a missing directory', async () => {
    put(join(agents, 'main', 'sess.json'));
    expect((await discoverStores(agents, 'sess.json')).stores).toEqual([{ agentId: 'main', sessionsFile: join(agents, 'main', 'sess.json') }]);
    expect(await discoverStores(join(top, 'none'))).toEqual({ stores: [], skipped: [] });
  });
});
