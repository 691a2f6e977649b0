/**
 * The lock beside a transcript as other programs meet it: there while the store changes bytes of it and
 * gone afterwards, waited for while a living process of theirs holds it, and not of a dead one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { sessionHeaderLine, userMessageLine } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { openStore } from '../open-store';
import { nodeFileSystem, type FileSystem } from './file-system';
import { startTicksOf } from './process-identity';

const FILE = 's1.jsonl';
let dir: string;
let store: AgentStore | undefined;
const children: ChildProcess[] = [];
const transcript = (): string => path.join(dir, FILE);
const lock = (): string => `${transcript()}.lock`;

beforeEach(() => (dir = fs.mkdtempSync(path.join(tmpdir(), 'store-locks-'))));
afterEach(async () => {
  await store?.close();
  store = undefined;
  for (const child of children.splice(0)) child.kill('SIGKILL');
  fs.rmSync(dir, { recursive: true });
});

async function open(fileSystem?: FileSystem): Promise<AgentStore> {
  const opened = await openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, ...(fileSystem === undefined ? {} : { fileSystem }) });
  store = opened;
  return opened;
}

/** One more line of the transcript; resolves when its bytes stand there. */
async function say(to: AgentStore, id: string): Promise<void> {
  await to.mutate({
    decide: (view) => {
      const tail = view.transcript(FILE);
      const header = tail.kind === 'none' ? [sessionHeaderLine({ sessionId: 's1', nowMs: view.nowMs, cwd: '/', sessionKey: 'agent:main:main' })] : [];
      const line = userMessageLine({ id, parentId: tail.leafId, nowMs: view.nowMs, content: id });
      return {
        effects: [
          { kind: 'putEntry', key: 'agent:main:main', set: { sessionId: 's1', updatedAt: view.nowMs } },
          { kind: 'append', file: FILE, lines: [...header, line], messages: 1, exchanges: 1, leafId: id },
        ],
        result: null,
      };
    },
  });
}
const isWritten = (id: string): boolean => fs.existsSync(transcript()) && fs.readFileSync(transcript(), 'utf8').includes(`"${id}"`);
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function foreignProcess(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log("up")']);
  children.push(child);
  await once(child.stdout, 'data');
  return child as ChildProcess & { readonly pid: number };
}

/** As the original writes it. */
function plant(pid: number): void {
  fs.writeFileSync(lock(), JSON.stringify({ pid, createdAt: new Date().toISOString(), maxHoldMs: 300_000, starttime: startTicksOf(pid) }));
}

it('is there at every write of a transcript, with our name in it, and gone when nothing is written', async () => {
  const seen: unknown[] = [];
  const names = new Map<number, string>();
  const noteLock = (fd: number): void => {
    if (names.get(fd) === transcript()) seen.push(fs.existsSync(lock()) ? (JSON.parse(fs.readFileSync(lock(), 'utf8')) as { pid: number }).pid : 'no lock');
  };
  const watched: FileSystem = {
    ...nodeFileSystem,
    async open(file, ...how) {
      const fd = await nodeFileSystem.open(file, ...how);
      names.set(fd, file);
      return fd;
    },
    writeAll(fd, ...what) {
      noteLock(fd);
      return nodeFileSystem.writeAll(fd, ...what);
    },
  };
  const opened = await open(watched);
  for (const id of ['aaaaaaaa', 'bbbbbbbb', 'cccccccc']) {
    await say(opened, id);
    await until(() => isWritten(id) && !fs.existsSync(lock()));
  }
  expect(seen.length).toBeGreaterThanOrEqual(3);
  expect(new Set(seen)).toEqual(new Set([process.pid]));
});

it('of a living process of somebody else is left alone and waited for, and no message is lost meanwhile', async () => {
  const opened = await open();
  await say(opened, 'aaaaaaaa');
  await until(() => isWritten('aaaaaaaa') && !fs.existsSync(lock()));
  const other = await foreignProcess();
  plant(other.pid);
  const held = fs.readFileSync(lock(), 'utf8');
  const said = ['bbbbbbbb', 'cccccccc'].map((id) => say(opened, id));
  // What is acknowledged is in the journal; its bytes come into the transcript when the lock is gone.
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect([isWritten('bbbbbbbb'), fs.readFileSync(lock(), 'utf8')]).toEqual([false, held]);
  fs.rmSync(lock());
  await Promise.all(said);
  await until(() => isWritten('bbbbbbbb') && isWritten('cccccccc'));
});

it('of a dead process, or of one that dies meanwhile, holds nobody up', async () => {
  const opened = await open();
  for (const [id, dies] of [['aaaaaaaa', 'before'], ['bbbbbbbb', 'meanwhile']] as const) {
    const other = await foreignProcess();
    plant(other.pid);
    const end = async (): Promise<void> => {
      other.kill('SIGKILL');
      await once(other, 'exit');
    };
    if (dies === 'before') await end();
    const said = say(opened, id);
    if (dies === 'meanwhile') await end();
    await said;
    await until(() => isWritten(id) && !fs.existsSync(lock()));
  }
});
