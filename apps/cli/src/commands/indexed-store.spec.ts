/**
 * Commands over stores that an owner of ours has had: rows come from its index, what it acknowledged
 * last from its journal, and nothing on disk changes by being looked at.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../program';
import { HELLO, recordingIo, reply, serveGateway } from '../testing';
import type { Frame } from '../testing';
import { openStore } from '@sessions/store';

const DIST = join(__dirname, '..', '..', 'dist');
const NATIVE = require.resolve('better-sqlite3/build/Release/better_sqlite3.node');
const SESSION = 'aaaaaaaa-0000-4000-8000-000000000001';

let writerDirectory: string;
let directory: string;
let sessionsDir: string;
let sessionsFile: string;
const transcript = (): string => join(sessionsDir, `${SESSION}.jsonl`);

beforeAll(async () => {
  writerDirectory = mkdtempSync(join(DIST, 'spec-'));
  await build({ entryPoints: [join(__dirname, '..', 'testing', 'killed-writer.ts')], outfile: join(writerDirectory, 'killed-writer.js'), bundle: true, platform: 'node', format: 'cjs', conditions: ['@sessions/source'], external: ['better-sqlite3'] });
  copyFileSync(join(DIST, 'commands', 'index-worker.js'), join(writerDirectory, 'index-worker.js'));
});
afterAll(() => rmSync(writerDirectory, { recursive: true, force: true }));

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cli-indexed-')));
  sessionsDir = join(directory, 'agents', 'main', 'sessions');
  sessionsFile = join(sessionsDir, 'sessions.json');
  mkdirSync(sessionsDir, { recursive: true });
  writeFileSync(sessionsFile, JSON.stringify({ 'agent:main:old': { sessionId: 'old', updatedAt: 1000 }, 'agent:main:gone': { sessionId: 'gone', updatedAt: 2000 }, 'agent:main:mid': { sessionId: 'mid', updatedAt: 3000 } }));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Bytes that a reader may look at: the lock's would free it in this process, and SQLite's shared memory carries readers' marks. */
const hasContent = (name: string): boolean => !name.endsWith('owner.lock') && !name.endsWith('-shm');

function snapshot(): string[] {
  // A living owner fills a spare segment beside everything else; its bytes mean nothing.
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => !name.includes('journal-spare-'));
  return names.sort().map((name) => {
    const found = statSync(join(directory, name));
    if (!found.isFile() || !hasContent(name)) return `${name} ${found.ino} ${found.size} ${found.isFile() ? '' : found.mtimeMs}`;
    return `${name} ${found.ino} ${found.size} ${found.mtimeMs} ${createHash('sha256').update(readFileSync(join(directory, name))).digest('hex')}`;
  });
}

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits until a living owner's index thread has done what it does by itself after an opening. */
async function untilQuiet(file: string): Promise<void> {
  let last = '';
  for (let quietMs = 0; quietMs < 500; quietMs += 50) {
    const { size, mtimeMs } = statSync(file);
    const now = `${size} ${mtimeMs}`;
    if (now !== last) quietMs = 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs one command, which must leave everything as it was. */
function run(...argv: string[]): Answer {
  const before = snapshot();
  const answer = runChanging(...argv);
  expect(snapshot()).toEqual(before);
  return answer;
}

function runChanging(...argv: string[]): Answer {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(DIST, 'main.js'), ...argv], { cwd: directory, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: directory, OPENCLAW_STATE_DIR: directory } });
  return { code: status ?? -1, stdout, stderr };
}

const json = (...argv: string[]): Record<string, unknown> => JSON.parse(run(...argv, '--json').stdout) as Record<string, unknown>;
const keysOf = (document: Record<string, unknown>): string[] => (document['sessions'] as { key: string }[]).map(({ key }) => key);

async function ownedAndClosed(): Promise<void> {
  const store = await openStore({ agentId: 'main', sessionsFile, instance: 'spec', transport: 'standalone', clock: { nowMs: () => Date.now() } });
  await store.close();
}

function ownedAndKilled(): void {
  const { signal, stderr } = spawnSync(process.execPath, [join(writerDirectory, 'killed-writer.js'), sessionsFile, NATIVE], { encoding: 'utf8' });
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
}

describe('a store whose owner closed it', () => {
  it('is listed from its index while that is current, and from the file once somebody edited it', async () => {
    await ownedAndClosed();
    expect(json('sessions')).toMatchObject({ count: 3, totalCount: 3 });
    expect(keysOf(json('sessions'))).toEqual(['agent:main:mid', 'agent:main:gone', 'agent:main:old']);
    // A row taken out of the index alone is missed: it was the index that answered.
    const remove = "const Database = require(process.argv[1]); new Database(process.argv[2]).exec(\"DELETE FROM session WHERE key = 'agent:main:gone'\")";
    expect(spawnSync(process.execPath, ['-e', remove, join(NATIVE, '..', '..', '..'), join(sessionsDir, '.store', 'index.sqlite')]).status).toBe(0);
    expect(keysOf(json('sessions'))).toEqual(['agent:main:mid', 'agent:main:old']);
    writeFileSync(sessionsFile, JSON.stringify({ 'agent:main:edited': { sessionId: 'e', updatedAt: 1 } }));
    expect(keysOf(json('sessions'))).toEqual(['agent:main:edited']);
    expect(json('sessions')).not.toHaveProperty('warnings');
  });

  it.each([
    ['is cut short', (): void => truncateSync(sessionsFile, 20), true],
    ['has no bytes', (): void => truncateSync(sessionsFile, 0), false],
    ['is gone', (): void => rmSync(sessionsFile), false],
  ])('is listed from its index with a warning when sessions.json %s', async (_, damage, damaged) => {
    await ownedAndClosed();
    damage();
    const document = json('sessions');
    expect(keysOf(document)).toEqual(['agent:main:mid', 'agent:main:gone', 'agent:main:old']);
    expect(document['warnings']).toEqual([expect.stringContaining('rows come from the session index')]);
    expect(run('sessions')).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: ') as string });
    expect(run('sessions', 'info', 'agent:main:mid')).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: ') as string });
    expect(run('sessions', 'verify').code).toBe(1);
    expect(runChanging('sessions', 'verify', '--repair')).toMatchObject({ code: 0 });
    if (damaged) expect(run('status').stdout).toMatch(/Warning: \d+ damaged pieces? ha(s|ve) been set aside in /);
    expect(Object.keys(JSON.parse(readFileSync(sessionsFile, 'utf8')) as object).sort()).toEqual(['agent:main:gone', 'agent:main:mid', 'agent:main:old']);
  });
});

describe('a store that somebody has', () => {
  it.each([
    ['another command', 'command-other', 'wait until it is done, then run: openclaw sessions clear agent:main:mid', 'through the gateway'],
    ['a gateway that does not answer', 'gateway-1', 'Run it through the gateway: openclaw sessions clear agent:main:mid', 'Another command'],
  ])('is not changed beside %s, and what to do is said', async (_, instance, hint, other) => {
    const store = await openStore({ agentId: 'main', sessionsFile, instance, transport: 'standalone', clock: { nowMs: () => Date.now() } });
    try {
      const { code, stderr } = runChanging('sessions', 'clear', 'agent:main:mid');
      expect([code, stderr]).toEqual([1, expect.stringContaining(hint)]);
      expect(stderr).toContain('Nothing was changed');
      expect(stderr).not.toContain(other);
    } finally {
      await store.close();
    }
  });
});

describe('a store whose owner was killed', () => {
  beforeEach(ownedAndKilled);

  it('lists what was acknowledged, although sessions.json does not have it', () => {
    expect(readFileSync(sessionsFile, 'utf8')).not.toContain('agent:main:new');
    const document = json('sessions');
    expect(keysOf(document)).toEqual(['agent:main:old', 'agent:main:new', 'agent:main:mid']);
    expect(document).toMatchObject({ totalCount: 3, sessions: [{ label: 'renamed', updatedAt: 6000 }, { sessionId: SESSION }, {}] });
    expect(json('sessions', '--limit', '2')).toMatchObject({ count: 2, totalCount: 3, hasMore: true });
  });

  it('shows every acknowledged message, also those that never reached the transcript', () => {
    const texts = (document: Record<string, unknown>): string[] => (document['messages'] as { content: { text: string }[] }[]).map(({ content }) => content[0]?.text ?? '');
    const all = ['message 1', 'message 2', 'message 3', 'message 4', 'message 5', 'message 6'];
    expect(texts(json('sessions', 'history', 'agent:main:new'))).toEqual(all);
    const firstLine = readFileSync(transcript()).indexOf('\n') + 1;
    for (const size of [firstLine + 40, firstLine, 0]) {
      truncateSync(transcript(), size);
      expect(texts(json('sessions', 'history', 'agent:main:new'))).toEqual(all);
    }
    rmSync(transcript());
    expect(texts(json('sessions', 'history', SESSION, '--limit', '2'))).toEqual(['message 5', 'message 6']);
    expect(json('sessions', 'info', 'agent:main:new')).toMatchObject({ transcript: { messages: 6, lines: 7, malformedLines: 0 } });
  });

  it('is paged back by ordinals', () => {
    const last = json('sessions', 'history', 'agent:main:new', '--limit', '4');
    expect(last).toMatchObject({ count: 4, totalCount: 6, hasMore: true, nextBefore: 3 });
    expect(json('sessions', 'history', 'agent:main:new', '--limit', '4', '--before', '3')).toMatchObject({ count: 2, hasMore: false, nextBefore: null });
  });

  it('is repaired under its lock, after which the files alone tell the same', () => {
    const before = keysOf(json('sessions'));
    truncateSync(transcript(), 0);
    expect(runChanging('sessions', 'verify', '--repair').code).toBeLessThanOrEqual(1);
    rmSync(join(sessionsDir, '.store'), { recursive: true });
    expect(keysOf(json('sessions'))).toEqual(before);
    expect(json('sessions', 'history', 'agent:main:new')).toMatchObject({ count: 6 });
  });
});

describe('a store in which removals were announced', () => {
  const HOUR_MS = 3_600_000;
  it('says in its status which sessions go when, and what waits for an acknowledgement, from the file and from the index', async () => {
    const at = Date.now() - HOUR_MS;
    const updatedAt = at - 30 * 24 * HOUR_MS;
    writeFileSync(
      sessionsFile,
      JSON.stringify({
        'agent:main:telegram:direct:1': { sessionId: 'one', updatedAt, removalNotice: { announcedAt: at, sessionId: 'one', updatedAt } },
        'agent:main:telegram:direct:2': { sessionId: 'two', updatedAt: at, removalNotice: { announcedAt: at, sessionId: 'two', updatedAt } },
        'agent:main:telegram:direct:3': { sessionId: 'three', updatedAt: at, openDeliveries: [{ deliveryId: 'd', createdAt: at }] },
      }),
    );
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 }, session: { maintenance: { mode: "enforce", removalNotice: "2h" } } }');
    const waiting = { announced: [{ key: 'agent:main:telegram:direct:1', announcedAtMs: at, notBeforeMs: at + 2 * HOUR_MS }], announcedCount: 1, undeliveredCount: 1 };
    const shown = (): void => {
      expect(json('status')).toMatchObject({ sessions: { byAgent: [waiting] } });
      expect(run('status').stdout).toContain(`Announced removals: 1 (a message keeps a session; what is removed is archived)\n  agent:main:telegram:direct:1  not before ${new Date(at + 2 * HOUR_MS).toISOString()}\n`);
      expect(run('status').stdout).toContain('Undelivered: messages of 1 session wait for an acknowledgement');
    };
    shown();
    await ownedAndClosed();
    shown();
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 }, session: { maintenance: { mode: "warn" } } }');
    expect(json('status')).toMatchObject({ sessions: { byAgent: [{ announced: [], announcedCount: 0 }] } });
  });
});

describe('a store that a living owner holds', () => {
  it('is read and verified beside it, and repaired by nobody else', async () => {
    const store = await openStore({ agentId: 'main', sessionsFile, instance: 'holder', transport: 'standalone', clock: { nowMs: () => Date.now() } });
    try {
      // A search answers once the rows of the import are made; then the owner writes no more by itself.
      await store.list({ search: 'old', limit: 1 });
      await untilQuiet(join(sessionsDir, '.store', 'index.sqlite-wal'));
      writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 } }');
      expect(json('sessions')).toMatchObject({ count: 3 });
      expect(run('sessions', 'verify').code).toBe(0);
      expect(json('status')).toMatchObject({ sessions: { byAgent: [{ agentId: 'main', owner: { pid: process.pid, instance: 'holder', epoch: 1 } }] } });
      expect(run('status').stdout).toContain(`Owner: process ${process.pid} (holder)`);
      for (const scope of [[], ['--store', sessionsFile]]) {
        const refused = run('sessions', 'verify', '--repair', ...scope);
        expect(refused).toMatchObject({ code: 1, stdout: '' });
        expect(refused.stderr).toContain(`process ${process.pid} on `);
        expect(refused.stderr).toContain('openclaw sessions verify --agent main --repair');
      }
    } finally {
      await store.close();
    }
  });

  it('is repaired by its owner where a gateway answers, and left alone where that cannot', async () => {
    const store = await openStore({ agentId: 'main', sessionsFile, instance: 'holder', transport: 'standalone', clock: { nowMs: () => Date.now() } });
    const report = { agentId: 'main', path: sessionsFile, ok: true, findings: [], totals: { entries: 3 }, done: [{ do: 'cut-torn-tail', file: 's.jsonl' }] };
    const answers: Frame[] = [{ ok: true, payload: { ok: true, stores: [report] } }, { ok: false, error: { code: 'UNAVAILABLE', message: 'sessions.verify is not served here' } }];
    const gateway = await serveGateway((frame, socket) => reply(socket, frame, frame['method'] === 'connect' ? HELLO : (answers.shift() ?? {})));
    try {
      writeFileSync(join(directory, 'openclaw.json'), `{ gateway: { port: ${gateway.port} } }`);
      const repair = async (): Promise<{ code: number; out: string; err: string }> => {
        const io = recordingIo({ cwd: directory, nowMs: Date.now(), env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
        const code = await runProgram(['sessions', 'verify', '--repair', '--json'], io, '0');
        return { code, out: io.stdout(), err: io.stderr() };
      };
      const done = await repair();
      expect({ code: done.code, document: JSON.parse(done.out) as unknown }).toEqual({ code: 0, document: { ok: true, stores: [report] } });
      expect(gateway.frames.find(({ method }) => method === 'sessions.verify')).toMatchObject({ params: { agentId: 'main', repair: true } });
      const refused = await repair();
      expect(refused.code).toBe(1);
      expect(JSON.parse(refused.out)).toMatchObject({ ok: false, error: { details: { reason: 'SESSION_LOCKED', pid: process.pid } } });
      expect(refused.err).toContain('sessions.verify is not served here');
    } finally {
      await gateway.close();
      await store.close();
    }
  });
});
