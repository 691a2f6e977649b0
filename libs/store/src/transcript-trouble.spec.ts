/** A transcript that has no room, and one that is busy: what the store as a whole does meanwhile. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from './agent-store';
import { nodeFileSystem, type FileSystem } from './files/file-system';
import { openStore } from './open-store';
import type { Mutation } from './types';

const BUSY_MS = 1500;
/** The courtesy lock of an idle transcript is given back by then. */
const LOCK_GIVEN_BACK_MS = 400;

let dir: string;
let store: AgentStore;
let isFull: boolean;
/** Name of a transcript that nobody may write. */
let readOnly: string | undefined;
let disk: FileSystem;

const open = (): Promise<AgentStore> =>
  openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 20, fileSystem: disk });

beforeEach(async () => {
  readOnly = undefined;
  dir = fs.mkdtempSync(path.join(tmpdir(), 'transcript-trouble-'));
  isFull = false;
  const transcripts = new Set<number>();
  disk = {
    ...nodeFileSystem,
    async open(file, ...rest) {
      if (path.basename(file) === readOnly) throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
      const fd = await nodeFileSystem.open(file, ...rest);
      if (file.endsWith('.jsonl')) transcripts.add(fd);
      return fd;
    },
    async close(fd) {
      transcripts.delete(fd);
      await nodeFileSystem.close(fd);
    },
    writeAll: (fd, ...rest) => (isFull && transcripts.has(fd) ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' })) : nodeFileSystem.writeAll(fd, ...rest)),
  };
  store = await open();
});
afterEach(async () => {
  isFull = false;
  readOnly = undefined;
  await store.close();
  fs.rmSync(dir, { recursive: true });
});

function message(session: string): Mutation<string> {
  return {
    decide: (view) => {
      const tail = view.transcript(`${session}.jsonl`);
      const id = `m${tail.messages}`;
      const line = JSON.stringify({ type: 'message', id, parentId: tail.leafId, timestamp: new Date(0).toISOString(), message: { role: 'user', content: 'text', timestamp: 0 } });
      return {
        effects: [
          { kind: 'putEntry', key: `agent:main:${session}`, set: { sessionId: session, updatedAt: Date.now() } },
          { kind: 'append', file: `${session}.jsonl`, lines: [line], messages: 1, exchanges: 1, leafId: id },
        ],
        result: id,
      };
    },
  };
}

const linesOf = async (session: string): Promise<number | undefined> => (await store.history({ key: `agent:main:${session}`, limit: 1000 }))?.records.length;

it('goes on when a transcript has no room: reads are served, mutations refused by name, and all is well when there is room', async () => {
  await store.mutate(message('calm'));
  expect(await linesOf('calm')).toBe(1);
  isFull = true;
  await store.mutate(message('full'));
  await expect(store.checkpoint()).rejects.toMatchObject({ reason: 'DISK_FULL' });
  await expect(linesOf('full')).rejects.toMatchObject({ reason: 'DISK_FULL' });
  expect([await linesOf('calm'), (await store.list({ limit: 10 })).totalCount, store.failure]).toEqual([1, 2, undefined]);
  await expect(store.mutate(message('calm'))).rejects.toMatchObject({ reason: 'DISK_FULL' });
  isFull = false;
  while ((await linesOf('full').catch(() => undefined)) !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
  await store.mutate(message('calm'));
  await store.checkpoint();
  expect([await linesOf('calm'), store.failure]).toEqual([2, undefined]);
});

it('refuses only the session whose transcript cannot be written, keeps its lines over a restart, and writes them when it can', async () => {
  readOnly = 'stuck.jsonl';
  await store.mutate(message('stuck'));
  await store.mutate(message('calm'));
  while (await store.mutate(message('stuck')).then(() => true, () => false)) await new Promise((resolve) => setTimeout(resolve, 10));
  await expect(store.mutate(message('stuck'))).rejects.toMatchObject({ reason: 'READ_ONLY' });
  await store.mutate(message('calm'));
  const { heldFromSeq } = await store.checkpoint();
  expect(heldFromSeq).toBe(1);
  expect(Object.keys(JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as object)).toEqual(['agent:main:stuck', 'agent:main:calm']);
  await store.close();
  store = await open();
  expect((await store.info()).notices).toContainEqual(expect.objectContaining({ kind: 'damage', path: path.join(dir, 'stuck.jsonl') }));
  await store.mutate(message('calm'));
  await store.checkpoint();
  await store.close();
  readOnly = undefined;
  store = await open();
  expect(await linesOf('calm')).toBe(3);
  expect(await linesOf('stuck')).toBeGreaterThanOrEqual(1);
  const before = await linesOf('stuck');
  await store.mutate(message('stuck'));
  expect(await linesOf('stuck')).toBe((before ?? 0) + 1);
  expect((await store.checkpoint()).heldFromSeq).toBeUndefined();
});

it('goes on with a session whose transcript was read-only for a while', async () => {
  readOnly = 'stuck.jsonl';
  await store.mutate(message('stuck'));
  await expect(linesOf('stuck')).rejects.toMatchObject({ reason: 'READ_ONLY' });
  readOnly = undefined;
  while ((await linesOf('stuck').catch(() => undefined)) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  await store.mutate(message('stuck'));
  expect(await linesOf('stuck')).toBe(2);
});

it('closes with the reason when a transcript has no room, and the next opening writes its line', async () => {
  isFull = true;
  await store.mutate(message('full'));
  await expect(store.close()).rejects.toMatchObject({ reason: 'DISK_FULL' });
  isFull = false;
  store = await openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });
  expect(await linesOf('full')).toBe(1);
});

it('shows a busy session whole to every reader while others look at the lists', async () => {
  const endsAt = performance.now() + BUSY_MS;
  const whileBusy = async (work: () => Promise<unknown>): Promise<void> => {
    while (performance.now() < endsAt) {
      await work();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  let acknowledged = 0;
  await store.mutate(message('busy'));
  await Promise.all([
    whileBusy(async () => {
      await store.mutate(message('busy'));
      acknowledged += 1;
    }),
    whileBusy(() => store.list({ limit: 5 })),
    whileBusy(async () => {
      const before = acknowledged;
      const page = await store.history({ key: 'agent:main:busy', limit: 5 });
      expect(page?.totalMessages).toBeGreaterThan(before);
    }),
  ]);
});

it('names the directory that somebody moved away, serves nothing empty in its place, and goes on when it is back', async () => {
  await store.mutate(message('calm'));
  await store.checkpoint();
  await new Promise((resolve) => setTimeout(resolve, LOCK_GIVEN_BACK_MS));
  fs.renameSync(dir, `${dir}.away`);
  await expect(store.mutate(message('calm'))).rejects.toMatchObject({ reason: 'STORE_UNREADABLE', facts: { path: dir } });
  await expect(linesOf('calm')).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
  fs.renameSync(`${dir}.away`, dir);
  await store.mutate(message('calm'));
  expect([await linesOf('calm'), store.failure]).toEqual([2, undefined]);
});
