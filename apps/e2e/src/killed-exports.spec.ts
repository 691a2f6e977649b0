/**
 * An export that is killed at any moment leaves nothing that looks whole and is not, and nothing in the
 * way of the next one: what it leaves is hidden, says that it is temporary, and is swept later.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LAUNCHER, environmentOf, runCommand } from './support/command';

const KEY = 'agent:main:main';
const ID = '0190aaaa-0000-7000-8000-000000000001';
const LINES = 6_000;
const TEXT = 'x'.repeat(2_000);
const NAME = 'whole';
const DRAFT = /^\..+\.export\.tmp$/u;
const HOURS_MS = 3_600_000;
const POLL_MS = 1;
const RUN_MS_MAX = 60_000;

jest.setTimeout(600_000);

let stateDir = '';
let workspace = '';
beforeAll(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'killed-export-'));
  workspace = join(stateDir, 'work');
  const sessions = join(stateDir, 'agents', 'main', 'sessions');
  mkdirSync(sessions, { recursive: true });
  mkdirSync(workspace);
  const id = (at: number): string => at.toString(16).padStart(8, '0');
  const lines = Array.from({ length: LINES }, (_, at) => JSON.stringify({ type: 'message', id: id(at + 1), parentId: at === 0 ? null : id(at), timestamp: '2026-06-01T09:00:00.000Z', message: { role: at % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `n${String(at)} ${TEXT}` }], timestamp: 1 } }));
  writeFileSync(join(sessions, `${ID}.jsonl`), `${[JSON.stringify({ type: 'session', version: 3, id: ID, cwd: workspace }), ...lines].join('\n')}\n`);
  writeFileSync(join(sessions, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: ID, updatedAt: 1 } }));
});
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

interface Export {
  readonly command: string;
  readonly args: (name: string) => readonly string[];
  readonly directory: () => string;
  readonly nameOf: (name: string) => string;
  /** @throws when what stands there is not all of it. */
  readonly check: (path: string) => Promise<void>;
}

const EXPORTS: readonly Export[] = [
  {
    command: 'sessions export',
    args: (name) => ['sessions', 'export', KEY, '--output', join(stateDir, `${name}.tar`), '--json'],
    directory: () => stateDir,
    nameOf: (name) => `${name}.tar`,
    async check(path) {
      const other = mkdtempSync(join(tmpdir(), 'killed-export-'));
      try {
        const { exitCode, stdout } = await runCommand(other, ['sessions', 'import', path, '--json']);
        expect(exitCode).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({ ok: true, imported: 1 });
        expect(readFileSync(join(other, 'agents', 'main', 'sessions', `${ID}.jsonl`)).equals(readFileSync(join(stateDir, 'agents', 'main', 'sessions', `${ID}.jsonl`)))).toBe(true);
      } finally {
        rmSync(other, { recursive: true, force: true });
      }
    },
  },
  {
    command: 'sessions export-trajectory',
    args: (name) => ['sessions', 'export-trajectory', '--session-key', KEY, '--workspace', workspace, '--output', name, '--json'],
    directory: () => join(workspace, '.openclaw', 'trajectory-exports'),
    nameOf: (name) => name,
    check(path) {
      const manifest = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as { eventCount: number; contents: { path: string; bytes: number }[] };
      expect(manifest.eventCount).toBe(LINES);
      expect(readdirSync(path).sort()).toEqual(['manifest.json', ...manifest.contents.map((one) => one.path)].sort());
      for (const one of manifest.contents) expect(statSync(join(path, one.path)).size).toBe(one.bytes);
      return Promise.resolve();
    },
  },
];

const draftsIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory).filter((name) => DRAFT.test(name)) : []);
const sizeOf = (path: string): number => (statSync(path).isDirectory() ? readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0) : statSync(path).size);

/** Kills the export once its draft has so many bytes. @returns how it ended. */
async function killAt({ args, directory }: Export, bytes: number): Promise<NodeJS.Signals | null> {
  const before = new Set(draftsIn(directory()));
  const child = spawn(process.execPath, [LAUNCHER, ...args(NAME)], { cwd: stateDir, env: environmentOf(stateDir), stdio: 'ignore' });
  const late = setTimeout(() => child.kill('SIGTERM'), RUN_MS_MAX);
  const look = setInterval(() => {
    try {
      const draft = draftsIn(directory()).find((name) => !before.has(name));
      if (draft !== undefined && sizeOf(join(directory(), draft)) >= bytes) child.kill('SIGKILL');
    } catch {
      // It has its own name by now.
    }
  }, POLL_MS);
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_code, by) => resolve(by)));
  clearInterval(look);
  clearTimeout(late);
  return signal;
}

describe.each(EXPORTS)('$command', (one) => {
  it('killed at several moments leaves no half one, and the next is whole', async () => {
    const path = join(one.directory(), one.nameOf(NAME));
    let killed = 0;
    for (const bytes of [0, 1, 200_000, 3_000_000, 12_000_000]) {
      if ((await killAt(one, bytes)) === 'SIGKILL') killed += 1;
      // All of it or nothing under its name; everything else is hidden and says what it is.
      if (existsSync(path)) await one.check(path);
      const others = readdirSync(one.directory()).filter((name) => name !== one.nameOf(NAME) && !DRAFT.test(name));
      expect(others.filter((name) => name.includes(NAME))).toEqual([]);
      rmSync(path, { recursive: true, force: true });
    }
    expect(killed).toBeGreaterThan(0);
    expect(draftsIn(one.directory()).length).toBeGreaterThan(0);
    expect(await runCommand(stateDir, one.args(NAME))).toMatchObject({ exitCode: 0 });
    await one.check(path);
    // What was broken off is swept once nobody has written to it for long, and only that.
    const mine = join(one.directory(), '.mine.tmp');
    writeFileSync(mine, 'not an export');
    const [young, ...old] = draftsIn(one.directory());
    const long = new Date(Date.now() - 3 * HOURS_MS);
    for (const name of old) {
      const draft = join(one.directory(), name);
      if (statSync(draft).isDirectory()) for (const file of readdirSync(draft)) utimesSync(join(draft, file), long, long);
      utimesSync(draft, long, long);
    }
    utimesSync(mine, long, long);
    expect(await runCommand(stateDir, one.args('next'))).toMatchObject({ exitCode: 0 });
    await one.check(join(one.directory(), one.nameOf('next')));
    expect(draftsIn(one.directory())).toEqual(young === undefined ? [] : [young]);
    expect(existsSync(mine)).toBe(true);
  });
});

it('a draft is no archive that anybody brings in', async () => {
  const other = mkdtempSync(join(tmpdir(), 'killed-export-'));
  try {
    const [export_] = EXPORTS;
    if (export_ === undefined) throw new Error('there is one');
    for (const bytes of [1, 200_000, 3_000_000]) await killAt({ ...export_, args: () => export_.args(`half-${String(bytes)}`) }, bytes);
    const drafts = draftsIn(stateDir).filter((name) => statSync(join(stateDir, name)).size > 0);
    expect(drafts.length).toBeGreaterThan(0);
    for (const draft of drafts) {
      expect((await runCommand(other, ['sessions', 'import', join(stateDir, draft), '--json'])).exitCode).toBe(1);
      expect(existsSync(join(other, 'agents', 'main', 'sessions', `${ID}.jsonl`))).toBe(false);
    }
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});
