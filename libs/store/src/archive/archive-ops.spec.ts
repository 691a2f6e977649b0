/** Files that mutations set aside, bring back, replace and remove, on a real store. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from '../agent-store';
import { openStore } from '../open-store';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import type { Effect, MutationView } from '../types';
import { parseManifestLine, type ManifestLine } from './manifest';
import { performFileOps } from './perform-file-ops';

const KEY = 'agent:main:one';
const FILE = 's1.jsonl';
const header = '{"type":"session","version":3,"id":"s1"}';


let dir: string;
let store: AgentStore;
let nowMs: number;
let disk: FileSystem;

const open = (): Promise<AgentStore> =>
  openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => nowMs }, checkpointDelayMs: 20, fileSystem: { ...nodeFileSystem, ...disk } });

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'archive-'));
  nowMs = Date.UTC(2026, 5, 1, 9);
  disk = { ...nodeFileSystem };
  store = await open();
});
afterEach(async () => {
  await store.close().catch(() => undefined);
  fs.rmSync(dir, { recursive: true });
});

function append(id: string, view: MutationView): Effect[] {
  const tail = view.transcript(FILE);
  const line = JSON.stringify({ type: 'message', id, parentId: tail.leafId, message: { role: 'user', content: id } });
  const lines = tail.kind === 'none' ? [header, line] : [line];
  return [
    { kind: 'putEntry', key: KEY, set: { sessionId: 's1', updatedAt: nowMs } },
    { kind: 'append', file: FILE, lines, messages: 1, exchanges: 1, leafId: id },
  ];
}

const say = (id: string): Promise<unknown> => store.mutate({ decide: (view) => ({ effects: append(id, view), result: id }) });

function setAside(kind: 'reset' | 'deleted' | 'bak' = 'reset'): Promise<string> {
  return store.withHeld([{ file: FILE, kind }], async (held) => {
    const { result } = await store.mutate({
      held,
      decide: () => ({
        effects: [
          { kind: 'setAside', file: FILE },
          { kind: 'recordArchive', reason: 'reset', key: KEY, sessionId: 's1', entryText: '{\n  "big": 1e3\n}', actor: 'test' },
          { kind: 'removeEntry', key: KEY },
        ],
        result: held.get(FILE).asideAs,
      }),
    });
    return result;
  });
}

const read = (file: string): string => fs.readFileSync(path.join(dir, file), 'utf8');
const manifest = (): ManifestLine[] =>
  read('.store/archive-manifest.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => parseManifestLine(line) as ManifestLine);
const transcripts = (): string[] => fs.readdirSync(dir).filter((name) => name.includes('.jsonl') && !name.endsWith('.lock')).sort();

it('sets a transcript aside under its archive name, with every line that was acknowledged before and a manifest line', async () => {
  await say('a');
  const [, archive] = await Promise.all([say('b'), setAside()]);
  expect(archive).toBe('s1.jsonl.reset.2026-06-01T09-00-00.000Z');
  expect(transcripts()).toEqual([archive]);
  const text = read(archive);
  expect(text.match(/"id":"[ab]"/g)).toEqual(['"id":"a"', '"id":"b"']);
  const [line] = manifest();
  expect(line).toMatchObject({ reason: 'reset', key: KEY, sessionId: 's1', entry: { big: 1000 }, actor: 'test' });
  expect(line?.files).toEqual([{ from: FILE, to: archive, bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') }]);
  expect(read('.store/archive-manifest.jsonl')).toContain('"big": 1e3');
});

it('puts lines that come while a transcript is set aside into a new file', async () => {
  await say('a');
  let later: Promise<unknown> = Promise.resolve();
  const archive = await store.withHeld([{ file: FILE, kind: 'bak' }], async (held) => {
    later = say('b');
    await new Promise((resolve) => setTimeout(resolve, 30));
    await store.mutate({ held, decide: () => ({ effects: [{ kind: 'setAside', file: FILE }], result: null }) });
    return held.get(FILE).asideAs;
  });
  await later;
  await store.checkpoint();
  expect(read(archive)).not.toContain('"id":"b"');
  expect(read(FILE)).toContain('"parentId":null');
  expect((await store.history({ key: KEY, limit: 10 }))?.records).toHaveLength(1);
});

it('takes the next free millisecond for a name that is taken', async () => {
  await say('a');
  fs.writeFileSync(path.join(dir, 's1.jsonl.reset.2026-06-01T09-00-00.000Z'), 'not ours\n');
  expect(await setAside()).toBe('s1.jsonl.reset.2026-06-01T09-00-00.001Z');
  expect(read('s1.jsonl.reset.2026-06-01T09-00-00.000Z')).toBe('not ours\n');
});

it.each(['x'.repeat(240), 'ä'.repeat(118)])('sets a transcript aside whose name has no room for a stamp, and brings it back (%#)', async (stem) => {
  const file = `${stem}.jsonl`;
  await store.mutate({
    decide: () => ({
      effects: [
        { kind: 'putEntry', key: KEY, set: { sessionId: 's1', sessionFile: file, updatedAt: nowMs } },
        { kind: 'append', file, lines: [header, '{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"a"}}'], messages: 1, exchanges: 1, leafId: 'a' },
      ],
      result: null,
    }),
  });
  await store.checkpoint();
  const before = read(file);
  const archive = await store.withHeld([{ file, kind: 'deleted' }], async (held) => {
    await store.mutate({ held, decide: () => ({ effects: [{ kind: 'setAside', file }, { kind: 'recordArchive', reason: 'deleted', key: KEY, sessionId: 's1', entryText: '{}', actor: 'test' }], result: null }) });
    return held.get(file).asideAs;
  });
  expect(Buffer.byteLength(archive)).toBeLessThanOrEqual(255);
  expect(archive).toMatch(/^[xä]+~[0-9a-f]{8}\.jsonl\.deleted\.2026-06-01T09-00-00\.000Z$/);
  expect(read(archive)).toBe(before);
  expect(manifest().at(-1)?.files).toMatchObject([{ from: file, to: archive }]);
  await store.withHeld([{ file, kind: 'deleted' }, { file: archive }], (held) => store.mutate({ held, decide: () => ({ effects: [{ kind: 'bringBack', archive, file }], result: null }) }));
  expect(read(file)).toBe(before);
});

it('brings an archive back with the same bytes, and says in the manifest that it has left', async () => {
  await say('a');
  const archive = await setAside();
  const bytes = read(archive);
  await store.withHeld([{ file: FILE }, { file: archive }], (held) =>
    store.mutate({
      held,
      decide: () => ({
        effects: [
          { kind: 'bringBack', archive, file: FILE },
          { kind: 'recordArchive', reason: 'restore', key: KEY, sessionId: 's1', actor: 'test' },
          { kind: 'putEntry', key: KEY, set: { sessionId: 's1', updatedAt: nowMs } },
        ],
        result: null,
      }),
    }),
  );
  expect(transcripts()).toEqual([FILE]);
  expect(read(FILE)).toBe(bytes);
  expect(manifest().at(-1)).toMatchObject({ gone: [archive], files: [] });
  await say('b');
  expect((await store.history({ key: KEY, limit: 10 }))?.records.map(({ id }) => id)).toEqual(['a', 'b']);
});

it('replaces a transcript by a staged one: the original stays, later lines follow on the new one', async () => {
  for (const id of ['a', 'b', 'c']) await say(id);
  const archive = await store.withHeld([{ file: FILE, kind: 'bak' }], async (held) => {
    const staged = await held.read(FILE, (source, bytes) => held.stage([{ text: `${header}\n` }, { source, offset: bytes - 10, bytes: 0 }, { text: '{"type":"message","id":"c","parentId":null,"message":{"role":"user","content":"c"}}\n' }]));
    await store.mutate({
      held,
      decide: () => ({ effects: [{ kind: 'replaceTranscript', file: FILE, staged }, { kind: 'recordArchive', reason: 'compact', key: KEY, sessionId: 's1', actor: 'test' }], result: null }),
    });
    return held.get(FILE).asideAs;
  });
  await say('d');
  await store.checkpoint();
  expect(read(archive).split('\n')).toHaveLength(5);
  expect(read(FILE).match(/"id":"[a-d]"/g)).toEqual(['"id":"c"', '"id":"d"']);
  expect((await store.history({ key: KEY, limit: 10 }))?.totalMessages).toBe(2);
  expect(manifest()[0]).toMatchObject({ reason: 'compact', kept: { lines: 2 } });
  expect(fs.readdirSync(path.join(dir, '.store')).filter((name) => name.startsWith('staged-'))).toEqual([]);
});

it('removes archives only', async () => {
  await say('a');
  const archive = await setAside();
  const remove = (file: string): Promise<unknown> =>
    store.withHeld([{ file, nameOnly: true }], (held) => store.mutate({ held, decide: () => ({ effects: [{ kind: 'removeArchive', archive: file }], result: null }) }));
  await say('b');
  await store.checkpoint();
  for (const file of [FILE, 'sessions.json', '../x.jsonl.reset.2026-06-01T09-00-00.000Z', '.store/owner.json']) await expect(remove(file)).rejects.toMatchObject({ reason: 'VALIDATION' });
  await remove(archive);
  expect(transcripts()).toEqual([FILE]);
});

it('refuses to set aside what is a link', async () => {
  await say('a');
  await store.checkpoint();
  fs.symlinkSync('/etc/hostname', path.join(dir, 's2.trajectory.jsonl'));
  await expect(store.withHeld([{ file: 's2.trajectory.jsonl' }], () => Promise.resolve())).rejects.toMatchObject({ reason: 'DAMAGED' });
});

it('finishes at the next opening what a full disk held up, and goes on meanwhile with other files refused by name', async () => {
  await say('a');
  await store.checkpoint();
  let isFull = true;
  store = await reopen((file) => isFull && file.includes('.reset.'));
  const archive = await setAside();
  expect(transcripts()).toEqual([FILE]);
  await expect(say('b')).rejects.toMatchObject({ reason: 'DISK_FULL' });
  await store.close().catch(() => undefined);
  isFull = false;
  store = await open();
  expect(transcripts()).toEqual([archive]);
  expect(manifest()).toHaveLength(1);
  expect(await store.entry({ key: KEY })).toBeUndefined();
});

it('performs it by itself when there is room again', async () => {
  await say('a');
  let isFull = true;
  store = await reopen((file) => isFull && file.includes('.reset.'));
  const archive = await setAside();
  isFull = false;
  await expect(waitFor(() => transcripts().includes(archive) && !transcripts().includes(FILE))).resolves.toBe(true);
  await store.checkpoint();
  await say('b');
});

async function reopen(isRefused: (file: string) => boolean): Promise<AgentStore> {
  await store.close();
  disk = {
    ...nodeFileSystem,
    link: (from, to) => (isRefused(to) ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' })) : nodeFileSystem.link(from, to)),
  };
  return open();
}

async function waitFor(condition: () => boolean): Promise<boolean> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
  return true;
}

it('does not set the new transcript aside when a replacement was interrupted at its very end', async () => {
  for (const id of ['a', 'b']) await say(id);
  const place = { fs: nodeFileSystem, layout: store.layout, fence: () => undefined, onNotice: () => undefined };
  await store.checkpoint();
  const staged = 'staged-1-00000000-0000-4000-8000-000000000000.jsonl';
  fs.writeFileSync(path.join(dir, '.store', staged), `${header}\n`);
  const ops = [{ op: 'replace' as const, file: FILE, staged, keptAs: 's1.jsonl.bak.2026-06-01T09-00-00.000Z', bytes: 1, sha256: '' }];
  await performFileOps(place, ops, false);
  const once = transcripts().map((name) => [name, read(name)]);
  await performFileOps(place, ops, true);
  expect(transcripts().map((name) => [name, read(name)])).toEqual(once);
  expect(once).toHaveLength(2);
});

it('finishes an interrupted operation in a copy of the store too, where one file with two names has become two', async () => {
  await say('a');
  await store.checkpoint();
  const place = { fs: nodeFileSystem, layout: store.layout, fence: () => undefined, onNotice: () => undefined };
  const text = read(FILE);
  const to = 's1.jsonl.reset.2026-06-01T09-00-00.000Z';
  fs.copyFileSync(path.join(dir, FILE), path.join(dir, to));
  const op = { op: 'aside' as const, file: FILE, to, bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
  await performFileOps(place, [op], true);
  expect(transcripts()).toEqual([to]);
});
