/** Every command, built, over the fixture states; nothing may be written. */
import { runProgram } from '../program';
import { recordingIo } from '../testing';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STATES = join(__dirname, '..', '..', '..', 'e2e', 'fixtures', 'states');
const NOW_MS = 1_780_304_405_000;

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let directory: string;
const sessionsDir = (agent = 'main'): string => join(directory, 'agents', agent, 'sessions');
const sessionsFile = (agent = 'main'): string => join(sessionsDir(agent), 'sessions.json');

function use(state: string): void {
  cpSync(join(STATES, state), directory, { recursive: true });
}

function snapshot(): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort().map((name) => {
    const found = statSync(join(directory, name));
    return `${name} ${found.mtimeMs} ${found.ino} ${found.isFile() ? readFileSync(join(directory, name), 'base64') : ''}`;
  });
}

const PROGRAM = join(__dirname, '..', '..', 'dist', 'main.js');
const CLOCK = join(__dirname, '..', '..', '..', 'e2e', 'fixtures', 'fixed-clock.cjs');

/** Runs one command line; whatever it is, the state directory must be as before. */
function run(line: string | readonly string[]): Promise<Answer> {
  const before = snapshot();
  const argv = typeof line === 'string' ? line.split(' ') : line;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', CLOCK, PROGRAM, ...argv], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: directory, OPENCLAW_STATE_DIR: directory, TZ: 'UTC', FIXED_NOW_MS: String(NOW_MS) },
  });
  expect(snapshot()).toEqual(before);
  return Promise.resolve({ code: status ?? -1, stdout, stderr });
}

/** The same in process, on a terminal so wide. */
async function runOnTerminal(line: string, columns: number): Promise<string> {
  const io = recordingIo({ cwd: directory, nowMs: NOW_MS, env: { HOME: directory, OPENCLAW_STATE_DIR: directory }, columns });
  await runProgram(line.split(' '), io, '9.9.9');
  return io.stdout();
}

const json = async (line: string): Promise<Record<string, unknown>> => JSON.parse((await run(`${line} --json`)).stdout) as Record<string, unknown>;

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cli-commands-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('a store that cannot be read', () => {
  const good = '{"agent:main:main":{"sessionId":"a","updatedAt":1}}';
  const damages: [string, () => void][] = [
    ['is empty', () => writeFileSync(sessionsFile(), '')],
    ['is cut short', () => writeFileSync(sessionsFile(), good.slice(0, 30))],
    ['holds an array', () => writeFileSync(sessionsFile(), '[]')],
    ['holds NUL bytes', () => writeFileSync(sessionsFile(), Buffer.alloc(64))],
    ['is a directory', () => mkdirSync(sessionsFile())],
    ['is gone while transcripts are left', () => writeFileSync(join(sessionsDir(), 'a.jsonl'), '{}\n')],
  ];

  it.each(damages)('that %s never lists as empty', async (_, damage) => {
    mkdirSync(sessionsDir(), { recursive: true });
    damage();
    for (const line of ['sessions', 'sessions list', 'sessions info agent:main:main', 'sessions history agent:main:main']) {
      const answer = await run(line);
      expect(answer.code).toBe(1);
      expect(answer.stdout).toBe('');
      expect(answer.stderr).toContain(sessionsFile());
    }
    const document = await json('sessions');
    expect(document).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', details: { reason: 'STORE_UNREADABLE', path: sessionsFile() } } });
  });

  it('is a finding of verify and a warning of status', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    writeFileSync(sessionsFile(), '{"a":');
    const verified = await run('sessions verify --json');
    expect(verified.code).toBe(1);
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: false, stores: [{ findings: [{ kind: 'sessions-file-unreadable' }] }] });
    expect((await run('status --timeout 500')).stdout).toMatch(/Sessions: unreadable\n[\s\S]*Warning: .*cannot be read/);
  });

  it('is read in spite of a byte order mark, and is empty where nothing ever was', async () => {
    expect(await run('sessions')).toMatchObject({ code: 0, stdout: expect.stringContaining('No sessions found.') as string });
    mkdirSync(sessionsDir(), { recursive: true });
    writeFileSync(sessionsFile(), `\uFEFF${good}`);
    expect(await json('sessions')).toMatchObject({ count: 1, sessions: [{ key: 'agent:main:main' }] });
  });
});

describe('a listing', () => {
  it('shows entries of the smaller format', async () => {
    use('simple');
    expect(await json('sessions')).toMatchObject({
      count: 2,
      sessions: [
        { key: 'agent:main:telegram:dm:42', updatedAt: Date.parse('2026-04-09T16:12:40Z'), sessionId: '0b6c0000-0000-4000-8000-000000000001', model: 'gpt-5', modelProvider: 'openai', groupActivation: 'mention', messageCount: 5 },
        { key: 'agent:main:main', model: 'claude-sonnet-4', modelProvider: 'anthropic', messageCount: 2 },
      ],
    });
  });

  it('prints key, messages and last activity', async () => {
    use('full');
    const lines = (await run('sessions list --agent work')).stdout.split('\n');
    expect(lines.map((line) => line.split(/ {2,}/).join('|'))).toEqual(['KEY|MESSAGES|LAST ACTIVE', 'agent:work:signal:direct:+15550001|3|5 minutes ago', 'agent:work:main|0|40 minutes ago', 'agent:main:main|0|2 hours ago', '']);
  });

  it('says how many rows it hides and how to see them', async () => {
    use('full');
    expect((await run('sessions list --limit 3')).stdout).toMatch(/\n16 more sessions not shown; --limit all shows every one\.\n$/);
    expect((await run('sessions --limit 19')).stdout).not.toContain('not shown');
  });

  it('never prints two keys alike, on however narrow a terminal', async () => {
    use('full');
    const { sessions } = (await json('sessions')) as { sessions: { key: string }[] };
    const stdout = await runOnTerminal('sessions', 20);
    for (const { key } of sessions) expect(stdout).toContain(` ${key} `);
  });

  it('says what it reads when asked to, and its JSON stays one document', async () => {
    use('plain');
    const answer = await run('sessions --json --verbose');
    expect(JSON.parse(answer.stdout)).toMatchObject({ count: 1 });
    expect(answer.stderr).toContain(`debug: reading ${sessionsFile()}`);
  });

  it('takes the first of 150 rows, newest first', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    const entries = Array.from({ length: 150 }, (_, index) => [`agent:main:s${index}`, { sessionId: `s${index}`, updatedAt: 1000 + index }]);
    writeFileSync(sessionsFile(), JSON.stringify(Object.fromEntries(entries)));
    const page = await json('sessions');
    expect(page).toMatchObject({ count: 100, totalCount: 150, limitApplied: 100, hasMore: true });
    expect((page['sessions'] as { key: string }[])[0]?.key).toBe('agent:main:s149');
    expect(await json('sessions --limit all')).toMatchObject({ count: 150, limitApplied: null, hasMore: false });
  });

  it('has only rows of the last minutes when these are asked for, future ones too, and says of how many', async () => {
    const at = (minutes: number): number => NOW_MS - minutes * 60_000;
    mkdirSync(sessionsDir(), { recursive: true });
    const entry = (sessionId: string, updatedAt?: number): object => ({ sessionId, ...(updatedAt !== undefined && { updatedAt }) });
    writeFileSync(sessionsFile(), JSON.stringify({ 'agent:main:old': entry('old', at(31)), 'agent:main:new': entry('new', at(29)), 'agent:main:edge': entry('edge', at(30)), 'agent:main:ahead': entry('ahead', at(-5)), 'agent:main:timeless': entry('timeless') }));
    const active = await json('sessions --active 30');
    expect(active).toMatchObject({ activeMinutes: 30, totalCount: 3, hasMore: false });
    expect((active['sessions'] as { key: string }[]).map(({ key }) => key)).toEqual(['agent:main:ahead', 'agent:main:new', 'agent:main:edge']);
    // Counted after that, before the limit.
    expect(await json('sessions list --active 30 --limit 1')).toMatchObject({ activeMinutes: 30, count: 1, totalCount: 3, hasMore: true, limitApplied: 1 });
    expect(await json('sessions')).toMatchObject({ activeMinutes: null, totalCount: 5 });
    expect((await run('sessions --active 30')).stdout).toContain('Filtered to last 30 minute(s)\n');
    for (const given of ['0', '-1', 'x', '1.5']) expect(await run(`sessions --active ${given}`)).toMatchObject({ code: 1, stdout: '' });
  });

  it('is of one agent, of all, or of one file: each with its rows alone, and never of two of these at once', async () => {
    for (const agent of ['main', 'work']) {
      mkdirSync(sessionsDir(agent), { recursive: true });
      writeFileSync(sessionsFile(agent), JSON.stringify({ [`agent:${agent}:main`]: { sessionId: `s-${agent}`, updatedAt: NOW_MS - 1_000 } }));
    }
    writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ agents: { list: [{ id: 'main', default: true }, { id: 'work' }] } }));
    const keysOf = (document: Record<string, unknown>): unknown[] => (document['sessions'] as { key: string; agentId: string }[]).map(({ key, agentId }) => [key, agentId]);
    const ONE = ['path', 'count', 'totalCount', 'limitApplied', 'hasMore', 'activeMinutes', 'sessions'];
    for (const [line, agent] of [['sessions', 'main'], ['sessions --agent work', 'work'], ['sessions list --agent WORK', 'work'], [`sessions --store ${sessionsFile('work')}`, 'work']] as const) {
      const document = await json(line);
      expect([line, document['path'], keysOf(document)]).toEqual([line, sessionsFile(agent), [[`agent:${agent}:main`, agent]]]);
      expect(Object.keys(document)).toEqual(ONE);
    }
    for (const limit of ['', ' --limit 1']) {
      const all = await json(`sessions --all-agents${limit}`);
      expect(Object.keys(all).sort()).toEqual([...ONE, 'stores', 'allAgents'].sort());
      expect(all).toMatchObject({ path: null, allAgents: true, totalCount: 2, stores: [{ agentId: 'main', path: sessionsFile() }, { agentId: 'work', path: sessionsFile('work') }] });
      expect(keysOf(all)).toEqual(limit === '' ? [['agent:main:main', 'main'], ['agent:work:main', 'work']] : [['agent:main:main', 'main']]);
    }
    // All of the configured ones, though there is one only.
    writeFileSync(join(directory, 'openclaw.json'), '{}');
    expect(await json('sessions --all-agents')).toMatchObject({ path: null, allAgents: true, stores: [{ agentId: 'main' }] });
    for (const pair of [`--store ${sessionsFile()} --agent main`, `--store ${sessionsFile()} --all-agents`, '--agent main --all-agents']) {
      for (const command of ['sessions', 'sessions cleanup']) {
        const text = await run(`${command} ${pair}`);
        expect([command, pair, text.code, text.stdout]).toEqual([command, pair, 1, '']);
        const document = await run(`${command} ${pair} --json`);
        expect([document.code, JSON.parse(document.stdout)]).toMatchObject([1, { ok: false, error: { message: expect.stringMatching(/--/u) as string } }]);
      }
    }
    expect(await run('sessions --agent nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('Unknown agent id "nobody"') as string });
  });

  it('is refused with every problem when the configuration is wrong', async () => {
    use('plain');
    writeFileSync(join(directory, 'openclaw.json'), '{ session: { maintenance: { maxEntries: -1, pruneAfter: "soon" } } }');
    const answer = await run('sessions');
    expect(answer).toMatchObject({ code: 1, stdout: '' });
    expect(answer.stderr).toContain('session.maintenance.maxEntries');
    expect(answer.stderr).toContain('session.maintenance.pruneAfter');
  });
});

describe('the history of a session', () => {
  const key = 'agent:main:telegram:direct:5550001';
  beforeEach(() => use('full'));

  it('prints messages in order, without tool results', async () => {
    expect((await run(`sessions history ${key}`)).stdout).toBe(
      [
        '[2026-06-01T06:00:06.000Z] user: Plan the release',
        '[2026-06-01T06:00:07.000Z] assistant: [tool call read]',
        '[2026-06-01T06:00:09.000Z] assistant: Three steps.',
        '[2026-06-01T06:00:10.000Z] user: Thanks',
        '',
      ].join('\n'),
    );
    expect((await run(`sessions history ${key} --include-tools`)).stdout).toContain('toolResult read: three notes');
  });

  it('comes by pages from the end', async () => {
    const last = await json(`sessions history ${key} --limit 2`);
    expect(last).toMatchObject({ key, count: 2, totalCount: 5, hasMore: true, nextBefore: 3, messages: [{ role: 'assistant' }, { role: 'user' }] });
    const first = await json(`sessions history ${key} --limit 2 --before 3`);
    expect(first).toMatchObject({ count: 2, hasMore: false, nextBefore: null, messages: [{ content: [{ text: 'Plan the release' }] }, {}] });
  });

  it('is found by session id, by key in other case, and in the agent that the key names', async () => {
    expect(await json('sessions history 0190aaaa-0000-7000-8000-000000000001')).toMatchObject({ key });
    expect(await json('sessions history AGENT:MAIN:telegram:direct:5550001')).toMatchObject({ key });
    expect(await json('sessions history agent:work:signal:direct:+15550001')).toMatchObject({ count: 3 });
    expect(await json('sessions history agent:main:whatsapp:direct:+15550002')).toMatchObject({ key: 'agent:main:whatsapp:dm:+15550002', count: 0 });
  });

  it('is that of the agent asked for when two stores hold the key', async () => {
    expect(await json('sessions history agent:main:main --agent work')).toMatchObject({ sessionId: '0190aaaa-0000-7000-8000-000000000023' });
    expect(await json('sessions history agent:main:main')).toMatchObject({ sessionId: '0190aaaa-0000-7000-8000-000000000002' });
  });

  it('of an unknown session is an error', async () => {
    expect(await run('sessions history agent:main:nobody')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('No session found: agent:main:nobody') as string });
    expect(await json('sessions history agent:main:nobody')).toMatchObject({ ok: false, error: { details: { reason: 'SESSION_NOT_FOUND' } } });
    for (const before of ['0', '-1', 'x', '1.5']) expect((await run(['sessions', 'history', key, '--before', before])).code).toBe(1);
  });

  it('reads the lines of the smaller format', async () => {
    use('simple');
    expect((await run('sessions history agent:main:telegram:dm:42 --limit 1 --agent main')).stdout).toBe('[2026-04-02T07:30:40Z] user: Thanks\n');
  });

  it('shows control characters instead of sending them to the terminal', async () => {
    writeFileSync(join(sessionsDir(), '0190aaaa-0000-7000-8000-000000000002.jsonl'), '{"role":"user","content":"a\\u001b[31mb\\nc"}\n');
    expect((await run('sessions history agent:main:main')).stdout).toBe('[unknown] user: a\\u001b[31mb\nc\n');
  });
});

describe('info', () => {
  it('shows entry, files and archives', async () => {
    use('full');
    const info = await json('sessions info agent:main:telegram:direct:5550001');
    expect(info).toMatchObject({
      key: 'agent:main:telegram:direct:5550001',
      agentId: 'main',
      entry: { someFutureField: { nested: [1, 'two', null, { deep: true }] } },
      transcript: { lines: 6, messages: 5, malformedLines: 0 },
    });
    expect((info['sidecars'] as { file: string }[]).map(({ file }) => file)).toEqual([
      '0190aaaa-0000-7000-8000-000000000001.checkpoint.c0ffee00-0000-4000-8000-000000000001.jsonl',
      '0190aaaa-0000-7000-8000-000000000001.trajectory.jsonl',
    ]);
    expect((info['archives'] as { file: string }[]).map(({ file }) => file)).toEqual(['0190aaaa-0000-7000-8000-000000000091.jsonl.reset.2026-05-31T04-00-00.000Z']);
    expect((await run('sessions info agent:main:main')).stdout).toContain('Transcript: 0190aaaa-0000-7000-8000-000000000002.jsonl');
  });

  it('says that no model is known in the word of the other commands', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    writeFileSync(sessionsFile(), '{"agent:main:main":{"sessionId":"s","updatedAt":1},"agent:main:x":{"sessionId":"t","updatedAt":2,"modelProvider":"openai","model":"gpt-5"}}');
    expect((await run('sessions info agent:main:main')).stdout).toContain('Model: unknown\n');
    expect((await run('sessions info agent:main:x')).stdout).toContain('Model: openai/gpt-5\n');
  });
});

describe('verify', () => {
  it('finds nothing in a sound store', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    writeFileSync(sessionsFile(), '{"agent:main:main":{"sessionId":"s","updatedAt":1}}');
    writeFileSync(join(sessionsDir(), 's.jsonl'), '{"role":"user","content":"hello"}\n');
    expect(await run('sessions verify')).toMatchObject({ code: 0, stdout: expect.stringContaining('Everything agrees.') as string });
    expect(await json('sessions verify')).toMatchObject({ ok: true, stores: [{ agentId: 'main', path: sessionsFile(), findings: [], totals: { entries: 1, transcripts: 1, messages: 1 } }] });
  });

  it('names what no entry explains, what cannot be parsed and what is no entry', async () => {
    use('plain');
    writeFileSync(sessionsFile(), '{"a":{"sessionId":"s"},"b":5}');
    writeFileSync(join(sessionsDir(), 's.jsonl'), '{"role":"user"}\n{"rol\n');
    writeFileSync(join(sessionsDir(), 'orphan.jsonl'), '');
    const answer = await run('sessions verify --json');
    expect(answer.code).toBe(1);
    expect(JSON.parse(answer.stdout)).toMatchObject({ ok: false, stores: [{ totals: { entries: 2, messages: 1 }, findings: [{ kind: 'malformed-lines', key: 'a' }, { kind: 'entry-invalid', key: 'b' }, { kind: 'orphan', file: 'orphan.jsonl' }] }] });
    const text = (await run('sessions verify')).stdout;
    expect(text).toContain('2 things wrong:');
    expect(text).toMatch(/entry-invalid +b +nothing is lost by it; the row stays/);
  });
});

describe('status', () => {
  it('shows stores, newest sessions and that no gateway answers', async () => {
    use('full');
    writeFileSync(join(directory, 'openclaw.json'), readFileSync(join(directory, 'openclaw.json'), 'utf8').replace('session:', 'gateway: { port: 1 }, session:'));
    const status = await json('status --usage');
    expect(status).toMatchObject({ gateway: { reachable: false }, sessions: { count: 24, defaults: { model: 'openai/gpt-5', contextTokens: 272_000 }, byAgent: [{ agentId: 'main', count: 19, usage: { inputTokens: 40_900 } }, { agentId: 'work' }, { agentId: 'ops' }, { agentId: 'quiet', count: 0 }] } });
    expect((status['sessions'] as { recent: unknown[] }).recent).toHaveLength(10);
    expect((await run('status')).stdout).toContain(`Session store: ${sessionsFile('work')}`);
  });

  it('looks for senders in the newest thousand sessions only, and says so', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    const session = (place: number): object => ({ sessionId: `s${place}`, updatedAt: place, origin: { from: place < 2 ? `old-${place}` : 'one', chatType: 'direct' } });
    const write = (count: number): void => writeFileSync(sessionsFile(), JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, place) => [`agent:main:k${place}`, session(place)]))));
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 }, session: { maintenance: { maxEntries: 5000 } } }');
    write(1000);
    const whole = await run('status');
    expect(whole.stdout).toContain('Warning: 3 senders share the main session');
    expect(whole.stdout).not.toContain('Senders: ');
    write(1002);
    const cut = await run('status');
    expect(cut.stdout).toContain('Sessions: 1002\nSenders: looked for in the newest 1000 sessions only\n');
    expect(cut.stdout).not.toContain('Warning: ');
    expect(await json('status')).toMatchObject({ sessions: { count: 1002, byAgent: [{ count: 1002, sendersFromNewest: 1000, recent: { length: 10 } }] } });
    expect((await json('status --all'))['sessions']).toMatchObject({ recent: { length: 1002 }, byAgent: [{ sendersFromNewest: 1000 }] });
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 }, session: { dmScope: "per-peer", maintenance: { maxEntries: 5000 } } }');
    expect((await run('status')).stdout).toMatch(/Sessions: 1002\n {2}KEY/);
  });

  it('warns when strangers share one conversation', async () => {
    mkdirSync(sessionsDir(), { recursive: true });
    const direct = (from: string): object => ({ sessionId: from, updatedAt: 1, origin: { from, chatType: 'direct' } });
    writeFileSync(sessionsFile(), JSON.stringify({ a: direct('x1'), b: direct('x2') }));
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 1 } }');
    expect((await run('status')).stdout).toContain('Warning: 2 senders share the main session');
  });
});
