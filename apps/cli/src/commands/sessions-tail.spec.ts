import { runSessionsTail } from './sessions-tail';
import type { TailFlags } from './sessions-tail';
import { recordingIo } from '../testing';
import type { RecordingIo } from '../testing';
import { TRAJECTORY_LINE_BYTES_MAX, readLastEvents } from '@sessions/store';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SECRET = 'planted words';
const ids = { one: '0190aaaa-0000-7000-8000-000000000001', two: '0190aaaa-0000-7000-8000-000000000002' };
const at = (second: number): string => new Date(Date.UTC(2026, 5, 1, 8, 0, second)).toISOString();
const event = (type: string, seq: number, more: object = {}, sessionId = ids.one): string =>
  `${JSON.stringify({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, traceId: sessionId, source: 'runtime', type, ts: at(seq), seq, sourceSeq: seq, sessionId, provider: 'openai', modelId: 'gpt-5', ...more })}\n`;

describe('sessions tail', () => {
  let directory: string;
  let sessions: string;
  let io: RecordingIo;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cli-tail-'));
    sessions = join(directory, 'agents', 'main', 'sessions');
    mkdirSync(sessions, { recursive: true });
    io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
    store({ 'agent:main:one': { sessionId: ids.one, updatedAt: 2_000 }, 'agent:main:two': { sessionId: ids.two, updatedAt: 1_000 } });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const store = (entries: object): void => writeFileSync(join(sessions, 'sessions.json'), JSON.stringify(entries));
  const trajectory = (id: string): string => join(sessions, `${id}.trajectory.jsonl`);
  const lines = (): string[] => io.stdout().split('\n').filter((line) => line !== '');
  const seen = async (what: string): Promise<void> => {
    for (let tries = 0; tries < 500 && !io.stdout().includes(what); tries += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(io.stdout()).toContain(what);
  };
  /** Follows while `work` goes on. */
  async function following(flags: TailFlags, work: () => Promise<void>): Promise<void> {
    let end = (): void => undefined;
    const until = new Promise<void>((resolve) => (end = resolve));
    const running = runSessionsTail(io, { ...flags, follow: true }, { until, pollMs: 5 });
    try {
      await work();
    } finally {
      end();
    }
    expect(await running).toBe(0);
  }

  it('shows the newest session as compact lines, without a word of what was said', async () => {
    writeFileSync(
      trajectory(ids.one),
      [
        event('prompt.submitted', 1, { data: { prompt: SECRET } }),
        event('context.compiled', 2, { data: { tools: [1, 2], system: SECRET } }),
        event('tool.call', 3, { data: { name: 'exec', arguments: { command: SECRET } } }),
        event('tool.result', 4, { data: { name: 'exec', status: 'ok', result: SECRET } }),
        event('tool.result', 5, { data: { name: 'exec', isError: true, result: SECRET } }),
        event('tool.result', 6, { data: { name: 'exec', status: SECRET } }),
        event('tool.timeout', 7, { data: { name: 'exec' } }),
        event('model.completed', 8, { data: { stopReason: 'stop', text: SECRET } }),
        event('model.completed', 9, { data: { stopReason: 'aborted' } }),
        event('prompt.skipped', 10, { data: { reason: 'busy' } }),
        event('session.ended', 11, { data: { status: 'done' } }),
        event('trace.truncated', 12),
        event(SECRET, 13, { data: { name: SECRET } }),
        'no json\n',
        '{"other":"schema"}\n',
        event('session.started', 14).slice(0, 40),
      ].join(''),
    );
    expect(await runSessionsTail(io, {})).toBe(0);
    const key = 'agent:main:one'.padEnd(30);
    expect(lines()).toEqual([
      `08:00:01 prompt.submitted ${key}`.trimEnd(),
      `08:00:02 context.compiled ${key} context compiled (2 tools)`,
      `08:00:03 tool.call        ${key} exec {...redacted...}`,
      `08:00:04 tool.result      ${key} exec ok`,
      `08:00:05 tool.result      ${key} exec error`,
      `08:00:06 tool.result      ${key} exec done`,
      `08:00:07 tool.timeout     ${key} exec timeout`,
      `08:00:08 model.completed  ${key} openai/gpt-5 done`,
      `08:00:09 model.completed  ${key} openai/gpt-5 aborted`,
      `08:00:10 prompt.skipped   ${key} prompt skipped: busy`,
      `08:00:11 session.ended    ${key} done`,
      `08:00:12 trace.truncated  ${key} trajectory truncated`,
      `08:00:13 ?                ${key}`.trimEnd(),
    ]);
    expect(io.stdout()).not.toContain(SECRET);
  });

  it('shows the last 80 events, or as many as asked for, or none', async () => {
    writeFileSync(trajectory(ids.one), Array.from({ length: 300 }, (_, index) => event('session.started', index, { filler: 'x'.repeat(700) })).join(''));
    await runSessionsTail(io, {});
    expect(lines()).toHaveLength(80);
    await runSessionsTail((io = recordingIo({ env: io.env as Record<string, string> })), { tail: '3' });
    expect(lines().map((line) => line.slice(0, 8))).toEqual(['08:04:57', '08:04:58', '08:04:59']);
    await runSessionsTail((io = recordingIo({ env: io.env as Record<string, string> })), { tail: '0' });
    expect(io.stdout()).toBe('');
    await runSessionsTail(io, { tail: '1000' });
    expect(lines()).toHaveLength(300);
  });

  it('shows those that run before the newest one, their events among each other', async () => {
    store({ 'agent:main:one': { sessionId: ids.one, updatedAt: 1, status: 'running' }, 'agent:main:two': { sessionId: ids.two, updatedAt: 2, status: 'running' }, 'agent:main:three': { sessionId: '0190aaaa-0000-7000-8000-000000000003', updatedAt: 3 } });
    writeFileSync(trajectory(ids.one), event('session.started', 1) + event('session.started', 3));
    writeFileSync(trajectory(ids.two), event('session.started', 2, {}, ids.two));
    await runSessionsTail(io, { json: true });
    expect(lines().map((line) => (JSON.parse(line) as { sessionKey: string }).sessionKey)).toEqual(['agent:main:one', 'agent:main:two', 'agent:main:one']);
    expect(JSON.parse(lines()[0] ?? '')).toEqual({ ts: at(1), type: 'session.started', sessionKey: 'agent:main:one', sessionId: ids.one, preview: '' });
  });

  it('keeps to the key that is named, to one agent, or goes over all', async () => {
    const work = join(directory, 'agents', 'work', 'sessions');
    mkdirSync(work, { recursive: true });
    const other = '0190aaaa-0000-7000-8000-00000000000b';
    writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ agents: { list: [{ id: 'main', default: true }, { id: 'work' }] } }));
    writeFileSync(join(work, 'sessions.json'), JSON.stringify({ 'agent:work:other': { sessionId: other, updatedAt: 9_000 } }));
    writeFileSync(join(work, `${other}.trajectory.jsonl`), event('session.started', 3, {}, other));
    writeFileSync(trajectory(ids.one), event('session.started', 1));
    writeFileSync(trajectory(ids.two), event('session.started', 2, {}, ids.two));
    const keysOf = async (flags: TailFlags): Promise<string[]> => {
      io = recordingIo({ env: io.env as Record<string, string> });
      await runSessionsTail(io, { ...flags, json: true });
      return lines().map((line) => (JSON.parse(line) as { sessionKey: string }).sessionKey);
    };
    expect(await keysOf({})).toEqual(['agent:main:one']);
    expect(await keysOf({ sessionKey: 'agent:main:two' })).toEqual(['agent:main:two']);
    expect(await keysOf({ agent: 'work' })).toEqual(['agent:work:other']);
    expect(await keysOf({ allAgents: true })).toEqual(['agent:work:other']);
  });

  it('fails for what is not there, and prints nothing for a session without a trajectory', async () => {
    await expect(runSessionsTail(io, { sessionKey: 'agent:main:nobody' })).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    await expect(runSessionsTail(io, { agent: 'nobody' })).rejects.toMatchObject({ reason: 'AGENT_UNKNOWN' });
    expect(await runSessionsTail(io, { sessionKey: 'agent:main:two' })).toBe(0);
    expect(io.stdout()).toBe('');
    store({});
    await expect(runSessionsTail(io, {})).rejects.toMatchObject({ message: 'No sessions found.' });
  });

  it('goes where the pointer points, and only for the session that it names', async () => {
    const elsewhere = join(directory, 'elsewhere.jsonl');
    writeFileSync(elsewhere, event('session.started', 1));
    const pointer = join(sessions, `${ids.one}.trajectory-path.json`);
    writeFileSync(pointer, JSON.stringify({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId: ids.two, runtimeFile: elsewhere }));
    await runSessionsTail(io, {});
    expect(io.stdout()).toBe('');
    writeFileSync(pointer, JSON.stringify({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId: ids.one, runtimeFile: elsewhere }));
    await runSessionsTail(io, {});
    expect(lines()).toHaveLength(1);
  });

  it('follows what is appended, replaced, cut and moved, and prints nothing twice', async () => {
    writeFileSync(trajectory(ids.one), event('session.started', 1));
    await following({}, async () => {
      await seen('08:00:01');
      const whole = event('session.started', 2);
      appendFileSync(trajectory(ids.one), whole.slice(0, 30));
      await new Promise((resolve) => setTimeout(resolve, 30));
      appendFileSync(trajectory(ids.one), whole.slice(30));
      await seen('08:00:02');
      // Rotated: another file with an event that was printed already.
      renameSync(trajectory(ids.one), `${trajectory(ids.one)}.old`);
      writeFileSync(trajectory(ids.one), event('session.started', 2) + event('session.started', 3));
      await seen('08:00:03');
      truncateSync(trajectory(ids.one), 0);
      await new Promise((resolve) => setTimeout(resolve, 30));
      appendFileSync(trajectory(ids.one), event('session.started', 4));
      await seen('08:00:04');
      const elsewhere = join(directory, 'moved.jsonl');
      writeFileSync(elsewhere, event('session.started', 4) + event('session.started', 5));
      writeFileSync(join(sessions, `${ids.one}.trajectory-path.json`), JSON.stringify({ sessionId: ids.one, runtimeFile: elsewhere }));
      await seen('08:00:05');
    });
    expect(lines().map((line) => line.slice(0, 8))).toEqual(['08:00:01', '08:00:02', '08:00:03', '08:00:04', '08:00:05']);
  });

  it('tells nothing that stood there before it began when the file is written anew without its oldest lines', async () => {
    const all = Array.from({ length: 20 }, (_, number) => event('session.started', number + 1));
    writeFileSync(trajectory(ids.one), all.join(''));
    await following({ tail: '2' }, async () => {
      await seen('08:00:20');
      const renewed = `${trajectory(ids.one)}.new`;
      writeFileSync(renewed, event('trace.truncated', 21) + all.slice(10).join('') + event('session.ended', 22));
      renameSync(renewed, trajectory(ids.one));
      await seen('08:00:22');
    });
    expect(lines().map((line) => line.slice(0, 8))).toEqual(['08:00:19', '08:00:20', '08:00:21', '08:00:22']);
  });

  it('follows the key into a session that is begun anew, and waits for a first one', async () => {
    store({});
    await following({ tail: '0' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      store({ 'agent:main:one': { sessionId: ids.one, updatedAt: 1 } });
      await new Promise((resolve) => setTimeout(resolve, 60));
      writeFileSync(trajectory(ids.one), event('session.started', 1));
      await seen('08:00:01');
      store({ 'agent:main:one': { sessionId: ids.two, updatedAt: 2 } });
      writeFileSync(trajectory(ids.two), event('session.started', 2, {}, ids.two));
      await seen('08:00:02');
    });
  });

  it('prints what the file before was told last, though another one tells the next', async () => {
    store({ 'agent:main:one': { sessionId: ids.one, updatedAt: 1 } });
    writeFileSync(trajectory(ids.one), event('session.started', 1));
    await following({}, async () => {
      await seen('08:00:01');
      appendFileSync(trajectory(ids.one), event('session.ended', 2));
      store({ 'agent:main:one': { sessionId: ids.two, updatedAt: 2 } });
      writeFileSync(trajectory(ids.two), event('session.started', 3, {}, ids.two));
      await seen('08:00:03');
    });
    expect(lines().map((line) => line.slice(0, 8))).toEqual(['08:00:01', '08:00:02', '08:00:03']);
  });

  it('passes a line over that is too long, and reads around it', () => {
    const long = event('session.started', 2, { filler: 'x'.repeat(TRAJECTORY_LINE_BYTES_MAX + 10) });
    writeFileSync(trajectory(ids.one), event('session.started', 1) + long + event('session.started', 3));
    expect(readLastEvents(trajectory(ids.one), 10).events.map(({ seq }) => seq)).toEqual([1, 3]);
  });
});
