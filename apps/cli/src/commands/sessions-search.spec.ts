/** `openclaw sessions search`: from the files where no gateway listens, from the gateway where one does. */
import { HELLO, recordingIo, reply, serveGateway } from '../testing';
import { runProgram } from '../program';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const T0 = Date.UTC(2026, 5, 1, 12);
/** Nobody listens here. */
const NO_PORT = 9;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-search-'));
  configure(NO_PORT);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const configure = (port: number): void => writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ gateway: { port, auth: { token: 't' } }, agents: { list: [{ id: 'main', default: true }, { id: 'work' }] } }));

const line = (n: number, role: string, text: string): string =>
  JSON.stringify({ type: 'message', id: n.toString(16).padStart(8, '0'), parentId: null, timestamp: new Date(T0 + n * 1000).toISOString(), message: { role, content: [{ type: 'text', text }] } });

function store(agentId: string, sessions: Readonly<Record<string, { entry: object; lines: readonly string[] }>>): void {
  const dir = join(directory, 'agents', agentId, 'sessions');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'sessions.json'), JSON.stringify(Object.fromEntries(Object.entries(sessions).map(([key, { entry }]) => [key, entry])), null, 2));
  for (const { entry, lines } of Object.values(sessions)) {
    const { sessionId } = entry as { sessionId: string };
    writeFileSync(join(dir, `${sessionId}.jsonl`), [JSON.stringify({ type: 'session', version: 3, id: sessionId, timestamp: new Date(T0).toISOString(), cwd: '/' }), ...lines, ''].join('\n'));
  }
}

function fill(): void {
  store('main', {
    'agent:main:telegram:direct:7': { entry: { sessionId: 's-tg', updatedAt: T0 + 3000, channel: 'telegram', label: 'Release chat' }, lines: [line(1, 'user', 'Plan the release'), line(2, 'toolResult', 'release notes'), line(3, 'assistant', 'The release\nis planned \u001b[2J')] },
    'agent:main:main': { entry: { sessionId: 's-main', updatedAt: T0 + 2000 }, lines: [line(2, 'user', 'nothing of that')] },
  });
  store('work', { 'agent:work:main': { entry: { sessionId: 's-work', updatedAt: T0 + 5000 }, lines: [line(5, 'user', 'release at work')] } });
  writeFileSync(join(directory, 'agents', 'main', 'sessions', 's-old.jsonl.reset.2026-05-31T04-00-00.000Z'), `${line(0, 'user', 'release of old')}\n`);
}

const files = (): string[] => readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = recordingIo({ cwd: directory, nowMs: T0 + 86_400_000, env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
  const code = await runProgram(['sessions', 'search', ...argv], io, '9.9.9');
  return { code, out: io.stdout(), err: io.stderr() };
}
const json = async (...argv: string[]): Promise<{ hits: Record<string, unknown>[]; hasMore: boolean; count: number }> =>
  JSON.parse((await run(...argv, '--json')).out) as { hits: Record<string, unknown>[]; hasMore: boolean; count: number };

describe('without a gateway', () => {
  it('finds what was said in transcripts that a session went on from, what was kept once', async () => {
    const place = (sessionId: string): object => ({ sessionId, sessionFile: `${sessionId}.jsonl` });
    store('main', {
      'agent:main:other': { entry: { sessionId: 's-before', updatedAt: T0 }, lines: [line(1, 'user', 'apple one'), line(2, 'user', 'apple two')] },
      'agent:main:main': {
        entry: { sessionId: 's-now', updatedAt: T0 + 9000, usageFamilySessionIds: ['s-before', 's-now'], compactionCheckpoints: [{ checkpointId: 'c', sessionId: 's-now', preCompaction: place('s-before'), postCompaction: place('s-now') }] },
        lines: [line(2, 'user', 'apple two'), line(3, 'user', 'apple three')],
      },
    });
    const texts = async (): Promise<unknown[]> => (await json('apple', '--in', 'text')).hits.map(({ key, sessionId, snippet }) => [key, sessionId, snippet]);
    // It is another session's own while that has it.
    expect(await texts()).toEqual([['agent:main:main', 's-now', 'apple three'], ['agent:main:other', 's-before', 'apple two'], ['agent:main:main', 's-now', 'apple two'], ['agent:main:other', 's-before', 'apple one']]);
    const file = join(directory, 'agents', 'main', 'sessions', 'sessions.json');
    const { 'agent:main:main': entry } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ 'agent:main:main': entry }));
    expect(await texts()).toEqual([['agent:main:main', 's-now', 'apple three'], ['agent:main:main', 's-now', 'apple two'], ['agent:main:main', 's-before', 'apple one']]);
  });

  it('finds names and messages, newest first, marked and tame, and writes nothing', async () => {
    fill();
    const before = files();
    expect(await run('release')).toEqual({
      code: 0,
      out:
        'agent:main:telegram:direct:7: «Release» chat\n' +
        '[2026-06-01T12:00:03.000Z] agent:main:telegram:direct:7 assistant: The «release» is planned  [2J\n' +
        '[2026-06-01T12:00:01.000Z] agent:main:telegram:direct:7 user: Plan the «release»\n',
      err: '',
    });
    expect(files()).toEqual(before);
  });

  it('gives the same as one document', async () => {
    fill();
    expect(await json('"plan the"', '--in', 'text')).toEqual({
      query: '"plan the"',
      in: 'text',
      count: 1,
      hasMore: false,
      hits: [{ agentId: 'main', key: 'agent:main:telegram:direct:7', sessionId: 's-tg', messageId: '00000001', seq: 1, role: 'user', at: T0 + 1000, snippet: 'Plan the release', highlights: [[0, 8]] }],
    });
  });

  it('reads one agent, one file or all, and never an archive', async () => {
    fill();
    const keys = async (...argv: string[]): Promise<unknown[]> => (await json('release', '--in', 'text', ...argv)).hits.map(({ key, seq }) => `${String(key)} ${String(seq)}`);
    expect(await keys('--agent', 'work')).toEqual(['agent:work:main 1']);
    expect(await keys('--all-agents')).toEqual(['agent:work:main 1', 'agent:main:telegram:direct:7 3', 'agent:main:telegram:direct:7 1']);
    expect(await keys('--store', join('agents', 'work', 'sessions', 'sessions.json'))).toHaveLength(1);
    expect((await json('old', '--all-agents')).count).toBe(0);
  });

  it('narrows by channel, time and number', async () => {
    fill();
    expect((await json('release', '--channel', 'discord')).count).toBe(0);
    expect((await json('release', '--channel', 'Telegram')).count).toBe(3);
    expect((await json('release', '--in', 'text', '--channel', 'telegram', '--since', '2026-06-01T12:00:02Z')).hits.map(({ seq }) => seq)).toEqual([3]);
    expect((await json('release', '--in', 'text', '--until', '2026-06-01T12:00:02Z')).hits.map(({ seq }) => seq)).toEqual([1]);
    expect((await json('release', '--in', 'text', '--since', '1h')).count).toBe(0);
    const one = await run('release', '--in', 'text', '--limit', '1');
    expect([one.out.split('\n').length, one.err]).toEqual([2, 'There are more hits: raise --limit (1), or narrow the query.\n']);
  });

  it('says plainly what it does not take', async () => {
    fill();
    for (const [argv, why] of [
      [['release', '--in', 'everything'], '--in must be meta, text or all.'],
      ...['101', '0', '-1', 'all', '1.5', 'x'].map((limit) => [['release', `--limit=${limit}`], '--limit must be 1 to 100.'] as const),
      [['release', '--since', 'yesterday'], '--since must be a date, a time or a span'],
      [['release', '--since', '2026-02-31'], '--since must be a date, a time or a span'],
      [['release', '--until', '2026-06-31T10:00Z'], '--until must be a date, a time or a span'],
      [[''], 'The query must have 1 to 512 characters.'],
      [['x'.repeat(10_240)], 'The query must have 1 to 512 characters.'],
      [['"*"', '--in', 'text'], 'a letter or a digit'],
    ] as const) {
      const { code, err } = await run(...argv);
      expect([code, err]).toEqual([1, expect.stringContaining(why)]);
    }
    expect(await run('no such word')).toEqual({ code: 0, out: '', err: 'Nothing found.\n' });
    expect((await run(':main:')).out).toContain('agent«:main:»main');
    expect((await run('\u0000')).code).toBe(0);
  });

  it('never takes a store that cannot be read for one without hits', async () => {
    fill();
    const file = join(directory, 'agents', 'main', 'sessions', 'sessions.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
    const { code, err } = await run('release');
    expect([code, err]).toEqual([1, expect.stringContaining('cannot be read')]);
  });
});

it('asks the gateway where one listens, and says when its index is not complete', async () => {
  const hit = { agentId: 'main', key: 'agent:main:main', sessionId: 's', messageId: 'm', seq: 1, role: 'user', at: T0, snippet: 'the release', highlights: [[4, 11]] };
  const gateway = await serveGateway((frame, socket) => {
    const isText = (frame['params'] as { in?: string } | undefined)?.in === 'text';
    reply(socket, frame, frame['method'] === 'connect' ? HELLO : { ok: true, payload: isText ? { hits: [hit], incomplete: true, nextCursor: 'c' } : { hits: [] } });
  });
  configure(gateway.port);
  const answer = await run('release', '--channel', 'telegram', '--since', '7d');
  await gateway.close();
  expect(answer.out).toBe('[2026-06-01T12:00:00.000Z] agent:main:main user: the «release»\n');
  expect(answer.err).toContain('not indexed yet');
  expect(answer.err).toContain('There are more hits');
  const asked = gateway.frames.filter(({ method }) => method === 'sessions.search').map(({ params }) => params);
  expect(asked).toEqual([
    { query: 'release', in: 'meta', limit: 20, agentId: 'main', channel: 'telegram', since: T0 - 6 * 86_400_000 },
    { query: 'release', in: 'text', limit: 20, agentId: 'main', channel: 'telegram', since: T0 - 6 * 86_400_000 },
  ]);
});
