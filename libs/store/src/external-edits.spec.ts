import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from './agent-store';
import { openStore } from './open-store';

const TIMEOUT_MS = 30_000;
const AGENT = 'main';
const ENTRIES = 24;

let root: string;
let file: string;
let store: AgentStore;
let noticed: string[];

beforeEach(async () => {
  noticed = [];
  root = fs.mkdtempSync(path.join(tmpdir(), 'store-edits-'));
  fs.mkdirSync(path.join(root, 'sessions'));
  file = path.join(root, 'sessions', 'sessions.json');
  const entries: Record<string, unknown> = {};
  for (let index = 0; index < ENTRIES; index += 1) {
    entries[keyOf(index)] = { sessionId: `session-${index}`, updatedAt: 1000 + index, label: `label ${index}`, unknown: { deep: [1, 2.50, null] } };
  }
  // Spellings that a parse and a print would not keep.
  fs.writeFileSync(file, JSON.stringify(entries, null, 2).replaceAll('2.5,', '2.500e0,'));
  store = await open();
});

afterEach(async () => {
  await store.close();
  fs.rmSync(root, { recursive: true, force: true });
});

function open(): Promise<AgentStore> {
  return openStore({ agentId: AGENT, sessionsFile: file, instance: 'test', transport: 'standalone', clock: { nowMs: () => 1_795_000_000_000 }, checkpointDelayMs: 60_000, onNotice: ({ kind }) => noticed.push(kind) });
}

function keyOf(index: number): string {
  return `agent:main:direct:peer-${index}`;
}

function edit(change: (entries: Record<string, Record<string, unknown>>) => void): void {
  const text = fs.readFileSync(file, 'utf8');
  const entries = JSON.parse(text) as Record<string, Record<string, unknown>>;
  change(entries);
  fs.writeFileSync(`${file}.edited`, JSON.stringify(entries, null, 2).replaceAll('2.5,', '2.500e0,'));
  fs.renameSync(`${file}.edited`, file);
}

/** A checkpoint looks at the file whatever the time, merges and writes. */
async function merged(): Promise<Record<string, Record<string, unknown>>> {
  await store.checkpoint();
  return JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>;
}

async function patch(index: number, set: Record<string, string | number>): Promise<void> {
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: keyOf(index), set }], result: null }) });
}

describe('a damaged sessions file', () => {
  it('is told of in a list until it is written again', async () => {
    await store.close();
    fs.truncateSync(file, 100);
    store = await open();
    const damaged = await store.list({ limit: ENTRIES });
    expect(damaged.warnings).toEqual([expect.stringContaining(`${file} is missing or damaged`)]);
    expect(damaged.encodedRows).toHaveLength(ENTRIES);
    await store.checkpoint();
    expect((await store.list({ limit: 1 })).warnings).toEqual([]);
  });
});

describe('a sessions file that nobody asks for', () => {
  it.each([
    ['emptied', () => fs.truncateSync(file, 0)],
    ['cut', () => fs.truncateSync(file, 100)],
    ['removed', () => fs.rmSync(file)],
  ])('is written again by itself after it was %s', async (_, damage) => {
    await store.checkpoint();
    const whole = fs.readFileSync(file, 'utf8');
    damage();
    await until(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === whole);
  }, TIMEOUT_MS);

  it('has edits merged by itself', async () => {
    await store.checkpoint();
    edit((entries) => Object.assign(entries[keyOf(3)] as object, { label: 'theirs', updatedAt: 6000 }));
    await until(() => noticed.includes('external-edit'));
    expect((await store.entry({ key: keyOf(3) }))?.text).toContain('"label": "theirs"');
  }, TIMEOUT_MS);
});

/** Waits for what comes true in the background; the test's own time-out ends it. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a sessions file edited under a running store', () => {
  it('takes a member that they changed and we did not, and keeps ours where both did', async () => {
    await patch(1, { label: 'ours', updatedAt: 5000 });
    edit((entries) => Object.assign(entries[keyOf(1)] as object, { label: 'theirs', model: 'theirs', updatedAt: 6000 }));
    const now = await merged();
    expect(now[keyOf(1)]).toMatchObject({ label: 'ours', model: 'theirs' });
    expect((await store.entry({ key: keyOf(1) }))?.text).toContain('"model": "theirs"');
  }, TIMEOUT_MS);

  it('does not take a stale copy', async () => {
    await patch(2, { label: 'ours', updatedAt: 5000 });
    await store.checkpoint();
    edit((entries) => Object.assign(entries[keyOf(2)] as object, { label: 'stale', updatedAt: 1 }));
    expect((await merged())[keyOf(2)]).toMatchObject({ label: 'ours', updatedAt: 5000 });
  }, TIMEOUT_MS);

  it('adds a key that they added and removes one that they removed, with a line in the manifest', async () => {
    edit((entries) => {
      entries['agent:main:direct:new'] = { sessionId: 'new', updatedAt: 7000 };
      delete entries[keyOf(3)];
    });
    const now = await merged();
    expect(Object.keys(now)).toContain('agent:main:direct:new');
    expect(Object.keys(now)).not.toContain(keyOf(3));
    expect(fs.readFileSync(path.join(root, 'sessions/.store/archive-manifest.jsonl'), 'utf8')).toContain(keyOf(3));
  }, TIMEOUT_MS);

  it('keeps a key that they removed and we changed', async () => {
    await patch(4, { label: 'changed by us', updatedAt: 5000 });
    edit((entries) => {
      delete entries[keyOf(4)];
    });
    expect((await merged())[keyOf(4)]).toMatchObject({ label: 'changed by us' });
  }, TIMEOUT_MS);

  it('takes a file that lost more than half of its keys for damage', async () => {
    edit((entries) => {
      for (let index = 0; index < ENTRIES - 4; index += 1) delete entries[keyOf(index)];
    });
    expect(Object.keys(await merged())).toHaveLength(ENTRIES);
    expect((await store.info()).notices).toContainEqual(expect.objectContaining({ kind: 'damage' }));
    expect(fs.readdirSync(path.join(root, 'sessions/.store/quarantine'))).toHaveLength(1);
  }, TIMEOUT_MS);

  const broken: [string, (bytes: Buffer) => Buffer][] = [
    ['0 bytes', () => Buffer.alloc(0)],
    ['half of it', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['NULs', (bytes) => Buffer.alloc(bytes.length)],
    ['an array', () => Buffer.from('[]')],
  ];
  it.each(broken)('writes a broken file again from the index: %s', async (_, damage) => {
    const before = fs.readFileSync(file);
    fs.writeFileSync(file, damage(before));
    expect((await store.list({ limit: 100 })).encodedRows).toHaveLength(ENTRIES);
    expect(Object.keys(await merged())).toHaveLength(ENTRIES);
    await store.close();
    store = await open();
    expect((await store.list({ limit: 100 })).encodedRows).toHaveLength(ENTRIES);
  }, TIMEOUT_MS);

  it('accepts a byte order mark', async () => {
    const before = fs.readFileSync(file);
    fs.writeFileSync(file, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), before]));
    expect(Object.keys(await merged())).toHaveLength(ENTRIES);
  }, TIMEOUT_MS);

  it('answers from the index while a directory stands in its place, and overwrites nothing', async () => {
    fs.rmSync(file);
    fs.mkdirSync(file);
    await expect(store.checkpoint()).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
    expect((await store.list({ limit: 100 })).encodedRows).toHaveLength(ENTRIES);
    fs.rmdirSync(file);
    expect(Object.keys(await merged())).toHaveLength(ENTRIES);
  }, TIMEOUT_MS);

  it('makes the file again when it is deleted', async () => {
    fs.rmSync(file);
    expect(Object.keys(await merged())).toHaveLength(ENTRIES);
  }, TIMEOUT_MS);
});

it('answers on when the index is deleted under it, and is whole when opened anew', async () => {
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(path.join(root, `sessions/.store/index.sqlite${suffix}`), { force: true });
  await patch(5, { label: 'after the deletion', updatedAt: 9000 });
  await store.close().catch(() => undefined);
  store = await open();
  expect((await store.entry({ key: keyOf(5) }))?.text).toContain('after the deletion');
  expect((await store.list({ limit: 100 })).encodedRows).toHaveLength(ENTRIES);
}, TIMEOUT_MS);

it('keeps unknown members byte for byte through edits, patches, rebuilds and checkpoints', async () => {
  const kept = '"unknown": {\n      "deep": [\n        1,\n        2.500e0,\n        null\n      ]\n    }';
  const count = (): number => fs.readFileSync(file, 'utf8').split(kept).length - 1;
  expect(count()).toBe(ENTRIES);
  await patch(6, { label: 'patched', updatedAt: 9000 });
  edit((entries) => Object.assign(entries[keyOf(7)] as object, { label: 'edited', updatedAt: 9000 }));
  await merged();
  await store.close();
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(path.join(root, `sessions/.store/index.sqlite${suffix}`), { force: true });
  store = await open();
  await patch(8, { label: 'patched', updatedAt: 9000 });
  await merged();
  expect(count()).toBe(ENTRIES);
}, TIMEOUT_MS);
