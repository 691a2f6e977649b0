/**
 * Clean-up, restore, clear and delete over real files: what a dry run says is what the real run does,
 * and everything that was taken comes back as it was.
 */
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../program';
import { keyText } from '../render/key-text';
import { HELLO, recordingIo, reply, serveGateway } from '../testing';

const DAY_MS = 24 * 60 * 60_000;
const NOW_MS = Date.now();
jest.setTimeout(400_000);

let directory: string;
let port: number;
const sessionsDir = (): string => join(directory, 'agents', 'main', 'sessions');

beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cli-cleanup-')));
  mkdirSync(sessionsDir(), { recursive: true });
  port = await freePort();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Nobody listens there. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function configure(maintenance: Record<string, unknown>): void {
  writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ session: { maintenance }, gateway: { port } }));
}

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = recordingIo({ env: { OPENCLAW_STATE_DIR: directory, OPENCLAW_CONFIG_PATH: join(directory, 'openclaw.json'), HOME: directory }, cwd: directory, nowMs: NOW_MS });
  const code = await runProgram(argv, io, '0.0.0');
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(...argv, '--json');
  // Work that takes longer than a second says so.
  expect([code, stderr.replaceAll(/^(?:cleaning up|changing a session of) agent .*\n/gmu, '')]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface Seeded {
  readonly key: string;
  readonly ageDays: number;
  readonly text?: string;
  readonly members?: Record<string, unknown>;
}

const idOf = (index: number): string => `${index.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
const transcriptOf = (id: string, text: string): string => `${JSON.stringify({ type: 'session', version: 3, id })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: text } })}\n`;

function seed(rows: readonly Seeded[]): void {
  const entries: Record<string, unknown> = {};
  rows.forEach(({ key, ageDays, text, members }, index) => {
    const sessionId = idOf(index);
    entries[key] = { sessionId, updatedAt: NOW_MS - ageDays * DAY_MS, ...members };
    if (text !== '') writeFileSync(join(sessionsDir(), `${sessionId}.jsonl`), transcriptOf(sessionId, text ?? `text ${String(index)}`));
  });
  writeFileSync(join(sessionsDir(), 'sessions.json'), JSON.stringify(entries, null, 2));
}

function aged(name: string, text: string, ageDays: number): void {
  writeFileSync(join(sessionsDir(), name), text);
  utimesSync(join(sessionsDir(), name), new Date(NOW_MS - ageDays * DAY_MS), new Date(NOW_MS - ageDays * DAY_MS));
}

function tree(): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort().filter((name) => statSync(join(directory, name)).isFile()).map((name) => `${name} ${createHash('sha256').update(readFileSync(join(directory, name))).digest('hex')}`);
}
const transcripts = (): Map<string, string> => new Map(readdirSync(sessionsDir()).filter((name) => name.endsWith('.jsonl')).map((name) => [name, readFileSync(join(sessionsDir(), name), 'utf8')]));
const keys = (): string[] => Object.keys(JSON.parse(readFileSync(join(sessionsDir(), 'sessions.json'), 'utf8')) as object).sort();

const ROWS: readonly Seeded[] = [
  { key: 'agent:main:main', ageDays: 90 },
  { key: 'agent:main:telegram:direct:1', ageDays: 31, members: { label: 'Ann', modelProvider: 'anthropic', model: 'claude' } },
  { key: 'agent:main:telegram:direct:2', ageDays: 29 },
  { key: 'agent:main:telegram:group:g', ageDays: 90 },
  { key: 'agent:main:telegram:direct:3', ageDays: 1, text: '' },
  { key: 'agent:main:subagent:1', ageDays: 40, members: { status: 'running' } },
];

describe('sessions cleanup', () => {
  it('previews without writing a byte, as a table and as JSON', async () => {
    configure({ mode: 'enforce' });
    seed(ROWS);
    const before = tree();
    const { code, stdout } = await run('sessions', 'cleanup', '--dry-run', '--fix-missing');
    expect(code).toBe(0);
    expect(stdout).toContain(`Session store: ${join(sessionsDir(), 'sessions.json')}\nMaintenance mode: enforce\nEntries: 6 -> 4 (remove 2)\nWould prune missing transcripts: 1\nWould retire stale direct DM sessions: 0\nWould prune stale: 1\nWould cap overflow: 0\n`);
    expect(stdout).toMatch(/\nPlanned session actions:\nAction +Key +Age +Model +Flags\nprune-missing +agent:main:telegram:direct:3 +24h ago +- +transcript-missing\n/);
    expect(stdout).toMatch(/prune-stale +agent:main:telegram:direct:1 +31d ago +anthropic\/claude +older-than-limit\n/);
    expect(stdout).toMatch(/keep +agent:main:main +90d ago +- +main\n/);
    expect(stdout).toMatch(/\nSummary by Label:\n\(unlabeled\) +4 kept, 1 pruned\nAnn +0 kept, 1 pruned\nTotal: 4 kept, 2 pruned\n$/);
    expect(await json('sessions', 'cleanup', '--dry-run')).toMatchObject({ agentId: 'main', mode: 'enforce', dryRun: true, beforeCount: 6, afterCount: 5, pruned: 1, missing: 0, wouldMutate: true, diskBudget: null, skipped: [] });
    expect(tree()).toEqual(before);
  });

  it('does nothing under warn but says how; flags act, and enforce applies', async () => {
    configure({});
    seed(ROWS);
    const before = tree();
    const { stdout } = await run('sessions', 'cleanup');
    expect(stdout).toContain('Nothing applied (mode warn); use --enforce');
    expect(await json('sessions', 'cleanup')).toMatchObject({ mode: 'warn', dryRun: false, applied: false, beforeCount: 6 });
    // Not a byte, nor a directory of ours.
    expect(tree()).toEqual(before);
    expect(readdirSync(sessionsDir())).not.toContain('.store');
    expect(keys()).toHaveLength(6);
    expect(await json('sessions', 'cleanup', '--fix-missing')).toMatchObject({ mode: 'warn', applied: true, missing: 1, pruned: 0, appliedCount: 5 });
    expect(keys()).not.toContain('agent:main:telegram:direct:3');
    expect(await json('sessions', 'cleanup', '--dry-run')).toMatchObject({ mode: 'warn', pruned: 1 });
    expect(await json('sessions', 'cleanup', '--enforce')).toMatchObject({ mode: 'enforce', applied: true, pruned: 1, appliedCount: 4 });
    expect(keys()).toEqual(['agent:main:main', 'agent:main:subagent:1', 'agent:main:telegram:direct:2', 'agent:main:telegram:group:g']);
  });

  it('retires direct rows of another scope with archived transcripts, spares the key it is given, and never looks at logs of cron', async () => {
    configure({ mode: 'enforce', maxDiskBytes: 1_000, highWaterBytes: 1 });
    mkdirSync(join(directory, 'cron', 'runs'), { recursive: true });
    const log = join(directory, 'cron', 'runs', 'job.jsonl');
    writeFileSync(log, `${'x'.repeat(5_000)}\n`);
    utimesSync(log, new Date(0), new Date(0));
    seed([...['a', 'b', 'c'].map((peer) => ({ key: `agent:main:telegram:direct:${peer}`, ageDays: 3 })), { key: 'agent:main:explicit:mine', ageDays: 20 }, { key: 'agent:main:explicit:old', ageDays: 19 }]);
    const done = await json('sessions', 'cleanup', '--fix-dm-scope', '--active-key', 'agent:main:explicit:mine');
    expect(done).toMatchObject({ dmScopeRetired: 3, beforeCount: 5, afterCount: 1, diskBudget: { removedEntries: 1 } });
    expect(keys()).toEqual(['agent:main:explicit:mine']);
    expect(readdirSync(sessionsDir()).filter((name) => name.includes('.jsonl.deleted.'))).toHaveLength(4);
    expect([readFileSync(log, 'utf8').length, statSync(log).mtimeMs]).toEqual([5_001, 0]);
  });

  it('takes nothing for a bound that protected rows alone reach, and says so', async () => {
    configure({ mode: 'enforce', maxEntries: 2 });
    seed([{ key: 'agent:main:main', ageDays: 9 }, { key: 'agent:main:slack:channel:c1', ageDays: 9 }, { key: 'agent:main:slack:channel:c2', ageDays: 9 }, { key: 'agent:main:telegram:direct:1', ageDays: 8 }]);
    expect(await json('sessions', 'cleanup')).toMatchObject({ capUnmet: true, capped: 0, afterCount: 4 });
    expect(keys()).toHaveLength(4);
  });

  it('names what it leaves over each limit and why, in text and JSON, before and after, and in status', async () => {
    configure({ mode: 'enforce', maxEntries: 3, maxDiskBytes: 100, highWaterBytes: 50 });
    seed([...ROWS, { key: 'agent:main:slack:channel:c1', ageDays: 95 }, { key: 'agent:main:slack:channel:c2', ageDays: 2 }]);
    const lines = [
      'Kept over pruneAfter: 4 protected (1 running or queued; 1 main; 2 group, channel or thread)',
      'Kept over maxEntries: 5 protected (1 running or queued; 1 main; 3 group, channel or thread)',
      'Kept over maxDiskBytes: 5 protected (1 running or queued; 1 main; 3 group, channel or thread)',
    ];
    const places = ['agent:main:slack:channel:c1', 'agent:main:telegram:group:g', 'agent:main:slack:channel:c2'];
    const [running, main] = [['agent:main:subagent:1'], ['agent:main:main']];
    const exceptions = [
      { bound: 'age', protection: 'running', rowCount: 1, keys: running },
      { bound: 'age', protection: 'main', rowCount: 1, keys: main },
      { bound: 'age', protection: 'pointer', rowCount: 2, keys: places.slice(0, 2) },
      ...['count', 'size'].flatMap((bound) => [
        { bound, protection: 'running', rowCount: 1, keys: running },
        { bound, protection: 'main', rowCount: 1, keys: main },
        { bound, protection: 'pointer', rowCount: 3, keys: places },
      ]),
    ];
    expect((await run('status')).stdout).toContain('Over maxEntries: the limit is 3; 5 protected (in use, main, groups, channels, threads), which alone reach it: nothing goes for their number\n');
    expect((await run('sessions', 'cleanup', '--dry-run')).stdout).toContain(`\n${lines.join('\n')}\n`);
    expect(await json('sessions', 'cleanup', '--dry-run')).toMatchObject({ exceptions });
    const { stdout } = await run('sessions', 'cleanup');
    expect(stdout).toContain(`Applied maintenance. Current entries: 6\n`);
    expect(stdout).toContain(`\n${lines.join('\n')}\n`);
    expect(await json('sessions', 'cleanup')).toMatchObject({ exceptions, capUnmet: true });
    configure({ mode: 'enforce', pruneAfter: 0, maxEntries: 0 });
    expect(await json('sessions', 'cleanup')).toMatchObject({ exceptions: [] });
    expect((await run('sessions', 'cleanup')).stdout).not.toContain('Kept over');
    expect((await run('status')).stdout).not.toContain('Over maxEntries');
  });

  it('does on random stores what its dry run says, and everything comes back byte for byte', async () => {
    const row = fc.record({
      form: fc.constantFrom('telegram:direct', 'telegram:group', 'subagent', 'explicit'),
      ageDays: fc.integer({ min: 0, max: 60 }),
      isEmpty: fc.boolean(),
      isRunning: fc.boolean(),
    });
    const limits = fc.record({ maxEntries: fc.constantFrom(0, 3, 10), pruneAfter: fc.constantFrom('30d', '0', '5d'), maxDiskBytes: fc.constantFrom(0, 2000, 1_000_000), fixMissing: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 14 }), fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 4 }), limits, async (rows, orphans, { fixMissing, ...maintenance }) => {
        rmSync(sessionsDir(), { recursive: true, force: true });
        mkdirSync(sessionsDir(), { recursive: true });
        configure({ mode: 'enforce', ...maintenance });
        seed(rows.map(({ form, ageDays, isEmpty, isRunning }, index) => ({ key: `agent:main:${form}:${String(index)}`, ageDays, ...(isEmpty ? { text: '' } : {}), ...(isRunning ? { members: { status: 'running' } } : {}) })));
        orphans.forEach((ageDays, index) => aged(`${idOf(1000 + index)}.jsonl`, transcriptOf(idOf(1000 + index), 'orphan'), ageDays));
        const flags = fixMissing ? ['--fix-missing'] : [];
        const files = transcripts();
        const keysBefore = keys();
        const planned = await json('sessions', 'cleanup', '--dry-run', ...flags);
        const { applied, appliedCount, ...real } = await json('sessions', 'cleanup', ...flags);
        expect(real).toEqual({ ...planned, dryRun: false });
        expect([applied, appliedCount, keys().length]).toEqual([true, planned['afterCount'], planned['afterCount']]);
        expect(keysBefore.length).toBe(planned['beforeCount']);
        // Nothing is gone: it stands under its own name or in an archive.
        const left = new Set(readdirSync(sessionsDir()).map((name) => readFileSafely(join(sessionsDir(), name))));
        for (const text of files.values()) expect(left.has(text)).toBe(true);
        for (const key of keysBefore.filter((one) => !keys().includes(one))) {
          await json('sessions', 'restore', key);
        }
        expect(keys()).toEqual(keysBefore);
        for (const [name, text] of files) if (existsSync(join(sessionsDir(), name))) expect(readFileSync(join(sessionsDir(), name), 'utf8')).toBe(text);
      }),
      { numRuns: Number(process.env['CLEANUP_STORES'] ?? 2) },
    );
  });

  it('goes to a gateway that listens, writes nothing itself, and does not fall back when it refuses', async () => {
    let answer: Record<string, unknown> = { ok: true, payload: { agentId: 'main', storePath: '/x/sessions.json', mode: 'enforce', dryRun: false, beforeCount: 3, afterCount: 1, applied: true, appliedCount: 1, skipped: [] } };
    const gateway = await serveGateway((frame, socket) => reply(socket, frame, frame['method'] === 'connect' ? HELLO : answer));
    try {
      port = gateway.port;
      configure({ mode: 'enforce' });
      seed(ROWS);
      const before = tree();
      expect((await run('sessions', 'cleanup', '--fix-missing', '--active-key', 'agent:main:x')).stdout).toBe('Session store: /x/sessions.json\nApplied maintenance. Current entries: 1\n');
      expect(gateway.frames.find((frame) => frame['method'] === 'sessions.cleanup')?.['params']).toEqual({ agent: 'main', fixMissing: true, activeKey: 'agent:main:x' });
      answer = { ok: true, payload: { ...(answer['payload'] as object), exceptions: [{ bound: 'count', protection: 'pointer', rowCount: 7, keys: [] }], warnings: ['a warning of the gateway'] } };
      expect(await run('sessions', 'cleanup')).toMatchObject({ stdout: expect.stringContaining('Kept over maxEntries: 7 protected (7 group, channel or thread)\n') as string, stderr: 'a warning of the gateway\n' });
      answer = { ok: false, error: { code: 'UNAVAILABLE', message: 'no disk', details: { reason: 'DISK_FULL' } } };
      expect(await run('sessions', 'cleanup', '--enforce')).toMatchObject({ code: 1, stderr: expect.stringContaining('no disk') as string });
      expect(tree()).toEqual(before);
    } finally {
      await gateway.close();
    }
  });

  it('refuses an empty key to spare, before anything is read or removed', async () => {
    configure({ mode: 'enforce' });
    seed(ROWS);
    const before = tree();
    for (const key of ['', ' ']) expect(await run('sessions', 'cleanup', '--enforce', '--active-key', key)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('--active-key must name a session key') as string });
    expect(tree()).toEqual(before);
  });

  it('refuses a store that cannot be read, and leaves it as it is', async () => {
    configure({ mode: 'enforce' });
    seed(ROWS);
    writeFileSync(join(sessionsDir(), 'sessions.json'), '[]');
    expect(await run('sessions', 'cleanup', '--dry-run')).toMatchObject({ code: 1 });
    expect(await run('sessions', 'cleanup', '--enforce')).toMatchObject({ code: 1 });
    expect(readFileSync(join(sessionsDir(), 'sessions.json'), 'utf8')).toBe('[]');
    expect(transcripts().size).toBe(5);
  });

  it('refuses a --store that cannot be a store, naming it and the place, and makes nothing', async () => {
    configure({});
    seed(ROWS);
    const before = tree();
    const nowhere = join(directory, 'nowhere', 'sessions.json');
    const commands = [['cleanup'], ['cleanup', '--dry-run'], ['cleanup', '--enforce', '--json'], ['verify'], ['verify', '--repair'], ['export'], ['info', 'main'], ['history', 'main'], ['clear', 'main'], ['restore', '--list'], ['restore', 'main'], ['search', 'x'], ['tail'], ['erase', 'main', '--yes'], ['export-trajectory', '--session-key', 'main']];
    for (const [store, place] of [[nowhere, `there is no directory ${join(directory, 'nowhere')}`], [sessionsDir(), `${sessionsDir()} is a directory`]] as const) {
      for (const command of commands) {
        const { code, stdout, stderr } = await run('sessions', ...command, '--store', store);
        expect([command, code, stderr]).toEqual([command, 1, expect.stringContaining(`--store ${JSON.stringify(store)} names no session store: ${place}`) as string]);
        if (command.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { message: expect.stringContaining(place) as string, details: { reason: 'VALIDATION', option: '--store', store } } });
        else expect([command, stdout]).toEqual([command, '']);
      }
    }
    expect(existsSync(join(directory, 'nowhere'))).toBe(false);
    expect(tree()).toEqual(before);
    // A list is of what is there, as it always was.
    expect(await json('sessions', '--store', nowhere)).toMatchObject({ count: 0, sessions: [] });
    expect(await run('sessions', 'cleanup', '--agent', 'nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('Unknown agent id "nobody"') as string });
    expect(tree()).toEqual(before);
  });

  it('says that a key it is to spare is nobody\'s', async () => {
    configure({});
    seed(ROWS);
    const spared = await run('sessions', 'cleanup', '--dry-run', '--active-key', 'agent:main:telegram:direct:nobody');
    expect(spared).toMatchObject({ code: 0, stderr: expect.stringContaining('no session of agent main has the key of --active-key') as string });
    const [row] = ROWS;
    expect((await run('sessions', 'cleanup', '--dry-run', '--active-key', String(row?.key))).stderr).toBe('');
  });

  it('takes files of another store in the same directory for nobody\'s orphans, whatever it is called', async () => {
    configure({ mode: 'enforce' });
    seed(ROWS);
    for (const name of readdirSync(sessionsDir())) if (name.endsWith('.jsonl')) utimesSync(join(sessionsDir(), name), 0, 0);
    const before = [...transcripts()].sort();
    // A slip in the name of the file: an empty store beside a full one.
    const slip = join(sessionsDir(), 'session.json');
    const preview = await run('sessions', 'cleanup', '--dry-run', '--store', slip, '--json');
    expect(JSON.parse(preview.stdout)).toMatchObject({ unreferencedArtifacts: { removedFiles: 0 }, wouldMutate: false });
    expect(preview.stderr).toContain('they may be those of sessions.json in the same directory');
    expect(JSON.parse((await run('sessions', 'cleanup', '--enforce', '--store', slip, '--json')).stdout)).toMatchObject({ applied: true, unreferencedArtifacts: { removedFiles: 0 } });
    expect([...transcripts()].sort()).toEqual(before);
  });

  it('reports all agents, one store by its file, and a store that is not there', async () => {
    writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ agents: { list: [{ id: 'main' }, { id: 'work' }] }, session: { maintenance: { mode: 'enforce' } }, gateway: { port } }));
    seed(ROWS);
    expect(await json('sessions', 'cleanup', '--all-agents', '--dry-run')).toMatchObject({ allAgents: true, dryRun: true, stores: [{ agentId: 'main', pruned: 1 }, { agentId: 'work', beforeCount: 0 }] });
    const whole = await json('sessions', 'cleanup', '--all-agents', '--dry-run');
    expect(Object.keys(whole)).toEqual(['allAgents', 'mode', 'dryRun', 'stores']);
    for (const store of whole['stores'] as object[]) expect(Object.keys(store)).toEqual(expect.arrayContaining(['agentId', 'storePath', 'beforeCount', 'afterCount', 'missing', 'dmScopeRetired', 'pruned', 'capped', 'mode', 'dryRun', 'exceptions']));
    expect(await json('sessions', 'cleanup', '--store', join(sessionsDir(), 'sessions.json'))).toMatchObject({ applied: true, pruned: 1 });
    expect(await run('sessions', 'cleanup', '--agent', 'main', '--all-agents')).toMatchObject({ code: 1 });
    // The store of another agent than the default one is held by that agent alone.
    mkdirSync(join(directory, 'agents', 'work', 'sessions'), { recursive: true });
    writeFileSync(join(directory, 'agents', 'work', 'sessions', 'sessions.json'), JSON.stringify({ 'agent:work:telegram:direct:1': { sessionId: idOf(77), updatedAt: NOW_MS - 90 * DAY_MS } }));
    expect(await json('sessions', 'cleanup', '--agent', 'work')).toMatchObject({ agentId: 'work', applied: true, pruned: 1 });
  });
});

function readFileSafely(file: string): string {
  return statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
}

describe('sessions clear, delete and restore', () => {
  const KEY = 'agent:main:telegram:direct:1';

  it('clears a history, keeps the settings, and brings the history back', async () => {
    configure({});
    seed([{ key: KEY, ageDays: 1, members: { label: 'Ann', modelOverride: 'm' } }]);
    const bytes = readFileSync(join(sessionsDir(), `${idOf(0)}.jsonl`), 'utf8');
    const cleared = await json('sessions', 'clear', KEY);
    expect(cleared).toMatchObject({ ok: true, key: KEY, previousSessionId: idOf(0), archived: expect.stringMatching(/\.jsonl\.reset\./) as string });
    expect(readFileSync(String(cleared['archived']), 'utf8')).toBe(bytes);
    const entry = (JSON.parse(readFileSync(join(sessionsDir(), 'sessions.json'), 'utf8')) as Record<string, Record<string, unknown>>)[KEY];
    expect(entry).toMatchObject({ label: 'Ann', modelOverride: 'm', lastResetReason: 'clear', sessionId: cleared['sessionId'] });
    const before = tree();
    expect((await json('sessions', 'restore', '--list'))['archives']).toMatchObject([{ key: KEY, reason: 'clear', restorable: true }]);
    expect(await json('sessions', 'restore', KEY, '--dry-run')).toMatchObject({ dryRun: true, sessionId: idOf(0) });
    expect(tree()).toEqual(before);
    expect(await json('sessions', 'restore', KEY)).toMatchObject({ ok: true, key: KEY, sessionId: idOf(0) });
    expect(readFileSync(join(sessionsDir(), `${idOf(0)}.jsonl`), 'utf8')).toBe(bytes);
  });

  it('deletes a session and brings it back by the name of its archive', async () => {
    configure({});
    seed([{ key: KEY, ageDays: 1 }, { key: 'agent:main:main', ageDays: 1 }]);
    const bytes = readFileSync(join(sessionsDir(), `${idOf(0)}.jsonl`), 'utf8');
    const { archived } = await json('sessions', 'delete', KEY);
    expect(keys()).toEqual(['agent:main:main']);
    expect(await run('sessions', 'delete', 'agent:main:main')).toMatchObject({ code: 1, stderr: expect.stringContaining('Cannot delete the main session') as string });
    expect(await json('sessions', 'restore', (archived as string[])[0] ?? '')).toMatchObject({ key: KEY, sessionId: idOf(0) });
    expect(readFileSync(join(sessionsDir(), `${idOf(0)}.jsonl`), 'utf8')).toBe(bytes);
    expect(keys()).toContain(KEY);
  });

  it('brings keys back as other programs stored them, and by what the list prints of them', async () => {
    configure({});
    const stored = ['__proto__', 'Ada Bot', ' edges ', 'agent:main:odd\u0007key', 'agent:main:telegram:direct:@Cy'];
    seed([...stored, 'agent:main:stays'].map((key) => ({ key, ageDays: 1 })));
    // An object literal has no member of this name.
    const text = readFileSync(join(sessionsDir(), 'sessions.json'), 'utf8');
    if (!text.includes('"__proto__"')) writeFileSync(join(sessionsDir(), 'sessions.json'), `{"__proto__":${JSON.stringify({ sessionId: idOf(0), updatedAt: NOW_MS - DAY_MS })},${text.trimStart().slice(1)}`);
    for (const [index, key] of stored.entries()) expect(await json('sessions', 'delete', idOf(index))).toMatchObject({ key, deleted: true });
    expect(keys()).toEqual(['agent:main:stays']);
    const printed = (await run('sessions', 'restore', '--list')).stdout;
    for (const [index, key] of stored.entries()) {
      const named = keyText(key);
      expect(printed).toContain(named);
      expect(await json('sessions', 'restore', named)).toMatchObject({ key, sessionId: idOf(index) });
    }
    expect(readFileSync(join(sessionsDir(), 'sessions.json'), 'utf8')).toContain('"__proto__"');
    expect(keys()).toEqual([...stored, 'agent:main:stays'].sort());
    expect(await run('sessions', 'restore', 'agent:main:nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('openclaw sessions restore --list') as string });
  });

  it('fails for what is not there, with the document of failures', async () => {
    configure({});
    seed([{ key: KEY, ageDays: 1 }]);
    const { code, stdout } = await run('sessions', 'restore', 'agent:main:nobody', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { ok: false, error: { details: { reason: 'ARCHIVE_NOT_FOUND' } } }]);
    expect(await run('sessions', 'clear', 'agent:main:nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('No session found: agent:main:nobody') as string });
    expect((await run('sessions', 'restore', '--list')).stdout).toBe('Nothing to restore.\n');
    for (const contradiction of [['--list', '--dry-run'], ['--list', '--archive', 'x'], [KEY, '--archive', '']]) expect((await run('sessions', 'restore', ...contradiction)).code).toBe(1);
  });
});
