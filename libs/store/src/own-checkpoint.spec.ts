/** A `sessions.json` that this engine has written is never taken for somebody else's, whenever it is met. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from './agent-store';
import { CHECK_INTERVAL_MS } from './external-edits';
import { nodeFileSystem, type FileSystem } from './files/file-system';
import { openStore } from './open-store';

const KEY = 'agent:main:made-and-removed';
const TIMEOUT_MS = 30_000;
/** A look that is held back ends by itself after this. */
const HELD_MS = 500;
/** One that is let go has ended by then. */
const LOOK_ENDS_MS = 300;

let root: string;
let file: string;
/** Called when the new sessions file stands in its place, before the checkpoint knows. */
let afterRename: () => Promise<void>;
/** While set, looks at the sessions file wait for it. */
let held: Promise<void> | undefined;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(tmpdir(), 'own-checkpoint-'));
  fs.mkdirSync(path.join(root, 'sessions'));
  file = path.join(root, 'sessions', 'sessions.json');
  afterRename = () => Promise.resolve();
  held = undefined;
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const disk: FileSystem = {
  ...nodeFileSystem,
  async rename(from, to) {
    await nodeFileSystem.rename(from, to);
    if (to === file) await afterRename();
  },
  async identify(name) {
    if (name === file) await held;
    return nodeFileSystem.identify(name);
  },
};

const open = (): Promise<AgentStore> =>
  openStore({ agentId: 'main', sessionsFile: file, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 60_000, fileSystem: disk });
const put = (store: AgentStore, key: string): Promise<unknown> =>
  store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key, set: { sessionId: key.slice(-8), updatedAt: Date.now() } }], result: null }) });
const remove = (store: AgentStore, key: string): Promise<unknown> => store.mutate({ decide: () => ({ effects: [{ kind: 'removeEntry', key }], result: null }) });
const keysOf = async (store: AgentStore): Promise<number> => (await store.list({ limit: 10 })).totalCount;

it('is not merged by a look that began before it was renamed: what is removed meanwhile stays removed', async () => {
  const store = await open();
  await put(store, 'agent:main:other');
  await store.checkpoint();
  await put(store, KEY);
  await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL_MS + 50));
  let release: () => void = () => undefined;
  held = new Promise((resolve) => (release = resolve));
  const look = store.list({ limit: 1 });
  held = undefined;
  setTimeout(release, HELD_MS);
  afterRename = async () => {
    afterRename = () => Promise.resolve();
    await remove(store, KEY);
    release();
    await new Promise((resolve) => setTimeout(resolve, LOOK_ENDS_MS));
  };
  await store.checkpoint();
  await look;
  expect(await keysOf(store)).toBe(1);
  expect((await store.info()).notices.filter(({ kind }) => kind === 'external-edit')).toEqual([]);
  await store.close();
}, TIMEOUT_MS);

it('is not merged by the next owner when its writer dies right after the renaming', async () => {
  const dead = await open();
  await put(dead, 'agent:main:other');
  await dead.checkpoint();
  await put(dead, KEY);
  let wake: () => void = () => undefined;
  const renamed = new Promise<void>((resolve) => {
    afterRename = async () => {
      await remove(dead, KEY);
      await dead.list({ limit: 1 });
      resolve();
      await new Promise<void>((resume) => (wake = resume));
    };
  });
  const cut = dead.checkpoint().catch((error: unknown) => error);
  await renamed;
  expect(Object.keys(JSON.parse(fs.readFileSync(file, 'utf8')) as object)).toContain(KEY);
  // As a dead process leaves it: the lock is nobody's.
  fs.unlinkSync(path.join(root, 'sessions/.store/owner.lock'));
  afterRename = () => Promise.resolve();
  const store = await open();
  expect(await keysOf(store)).toBe(1);
  expect((await store.info()).notices.filter(({ kind }) => kind === 'external-edit')).toEqual([]);
  await store.checkpoint();
  expect(Object.keys(JSON.parse(fs.readFileSync(file, 'utf8')) as object)).not.toContain(KEY);
  await store.close();
  wake();
  expect(await cut).toMatchObject({ reason: 'EPOCH_SUPERSEDED' });
  await dead.close().catch(() => undefined);
}, TIMEOUT_MS);
