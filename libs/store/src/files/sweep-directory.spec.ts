import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem } from './file-system';
import { storeLayout, tempFileFor } from './layout';
import type { OwnerRecord } from './owner-file';
import { disarmFormerOwner, sweepDirectory } from './sweep-directory';

const UUID = '7f0c0000-0000-4000-8000-00000000000f';
const MINUTES_MS = 60_000;

describe('the sweep of a store directory', () => {
  let top: string;
  beforeEach(() => {
    top = fs.mkdtempSync(path.join(tmpdir(), 'sweep-'));
    fs.mkdirSync(path.join(top, '.store'));
  });
  afterEach(() => fs.rmSync(top, { recursive: true }));

  /** Pid of a process that has ended. */
  const deadPid = (): number => spawnSync(process.execPath, ['-e', '0']).pid;

  function plant(name: string, ageMs = 0): string {
    const file = path.join(top, name);
    fs.writeFileSync(file, '{"half');
    const at = (Date.now() - ageMs) / 1000;
    fs.utimesSync(file, at, at);
    return name;
  }

  async function sweep(former?: Partial<OwnerRecord>): Promise<string[]> {
    await sweepDirectory({
      fs: nodeFileSystem,
      layout: storeLayout('main', path.join(top, 'sessions.json')),
      epoch: 2,
      former: former as OwnerRecord | undefined,
      nowMs: () => Date.now(),
      onLockReport: () => undefined,
      signal: new AbortController().signal,
    });
    return fs.readdirSync(top, { recursive: true, encoding: 'utf8' }).filter((name) => name !== '.store').sort();
  }

  it('leaves temp files of other programs until they are five minutes old', async () => {
    const young = plant(tempFileFor('sessions.json', deadPid(), UUID), 4 * MINUTES_MS);
    plant(`sessions.json.${UUID}.tmp`, 6 * MINUTES_MS);
    expect(await sweep()).toEqual([young]);
  });

  it('takes those of the owner before us at once, when it is dead', async () => {
    const pid = deadPid();
    const foreign = plant(tempFileFor('sessions.json', deadPid(), UUID));
    plant(tempFileFor('sessions.json', pid, UUID));
    expect(await sweep({ pid, host: hostname(), startTicks: null })).toEqual([foreign]);
  });

  it('takes temp files of dead processes out of the directory that is ours alone', async () => {
    const living = plant(tempFileFor('.store/owner.json', process.pid, UUID));
    const journal = plant('.store/journal-00000001-0000000000000001.log');
    plant(tempFileFor('.store/a.jsonl.lock', deadPid(), UUID));
    expect(await sweep()).toEqual([journal, living].sort());
  });

  describe('before a store is taken from an owner that may be alive', () => {
    const disarm = (former: Partial<OwnerRecord>): Promise<void> =>
      disarmFormerOwner({ fs: nodeFileSystem, layout: storeLayout('main', path.join(top, 'sessions.json')), former: former as OwnerRecord });
    const left = (): string[] => fs.readdirSync(top).filter((name) => name.endsWith('.tmp')).sort();

    it('takes its snapshots, so that it renames none over ours when it wakes', async () => {
      plant(tempFileFor('sessions.json', process.ppid, UUID));
      const foreign = plant(tempFileFor('sessions.json', process.pid, UUID));
      await disarm({ pid: process.ppid, host: hostname(), startTicks: null });
      expect(left()).toEqual([foreign]);
    });

    it('does so for one of another machine, of which nobody here knows', async () => {
      plant(tempFileFor('sessions.json', 1, UUID));
      await disarm({ pid: 1, host: 'elsewhere', startTicks: null });
      expect(left()).toEqual([]);
    });

    it('looks at nothing when it is dead', async () => {
      const pid = deadPid();
      const name = plant(tempFileFor('sessions.json', pid, UUID));
      await disarm({ pid, host: hostname(), startTicks: null });
      expect(left()).toEqual([name]);
    });
  });
});
