/**
 * `openclaw sessions compact` on its whole way: the command, a router, the owner, the queue, the worker, a
 * model over HTTP, and back; then what can be done with what came of it. On every deployment.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startModelServer } from '@sessions/llm/testing';
import type { ModelServer } from '@sessions/llm/testing';
import { runCommand } from '../support/command';
import type { GatewaySocket } from '../support/gateway-socket';
import { sessionsDir, useScene } from '../support/scene';
import type { Deployment, Settings } from './deployment';
import { createSplit } from './split';
import { createStandalone } from './standalone';

const DEPLOYMENTS = [['standalone', createStandalone], ['split', createSplit]] as const;
const KEY = 'agent:main:telegram:direct:123';
const START_MS_MAX = 300_000;
/** Several commands, each a process of its own. */
jest.setTimeout(180_000);
/** Longer than any loaded machine needs for an answer that comes at once. */
const PATIENT_SECONDS = 170;
const MODEL = { id: 'small', contextWindow: 20_000, maxTokens: 1_000 };

describe.each(DEPLOYMENTS)('a compaction, %s', (_name, create) => {
  const scene = useScene('all');
  let house: Deployment;
  let model: ModelServer;
  let socket: GatewaySocket;
  let sent = 0;
  let checkpointId = '';

  const settings = (timeoutSeconds: number): Settings => ({
    session: { dmScope: 'per-channel-peer' },
    models: { providers: { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [MODEL] } } },
    // For summaries only: agents have no model, so that messages are kept and no turn answers them.
    agents: { defaults: { compaction: { model: 'local/small', timeoutSeconds } } },
  });
  const say = async (count: number): Promise<void> => {
    for (const end = sent + count; sent < end; sent += 1) {
      const door = house.doors[sent % house.doors.length];
      const answer = await door?.send({ channel: 'telegram', messageId: String(sent), chatType: 'direct', sender: { id: '123' }, text: `n${String(sent)}. ${'word '.repeat(60)}` });
      expect(answer).toMatchObject({ status: 202, json: { sessionKey: KEY } });
    }
  };
  const openclaw = (...args: readonly string[]) => runCommand(house.stateDir, args);
  const compact = async (...args: readonly string[]): Promise<{ exitCode: number | null; stderr: string; document: Record<string, unknown> }> => {
    const { exitCode, stdout, stderr } = await openclaw('sessions', 'compact', KEY, '--json', ...args);
    return { exitCode, stderr, document: JSON.parse(stdout) as Record<string, unknown> };
  };
  const history = async (key = KEY): Promise<string[]> => {
    const { messages } = await socket.call('chat.history', { sessionKey: key, limit: 1000 });
    return (messages as { content: { text?: string }[] }[]).map(({ content }) => (content[0]?.text ?? '').split(' ')[0] ?? '').filter((text) => /^n\d+\.$/u.test(text));
  };
  const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, at) => `n${String(from + at)}.`);
  const operations = async (count: number): Promise<Record<string, unknown>[]> => {
    const found: Record<string, unknown>[] = [];
    while (found.length < count) found.push((await socket.next(({ event }) => event === 'session.operation')).payload ?? {});
    return found;
  };

  beforeAll(async () => {
    model = await startModelServer(() => ({ chunks: ['what was', ' said'] }));
    scene.onEnd(() => model.close());
    house = create(scene.stateDir(), settings(PATIENT_SECONDS));
    scene.onEnd(() => house.kill());
    await house.start();
    const [door] = house.doors;
    if (door === undefined) throw new Error('the deployment has no door');
    socket = await scene.socket(door);
    await socket.call('sessions.subscribe', {});
  }, START_MS_MAX);

  it('summarises with the configured model, tells subscribers, and keeps what comes meanwhile', async () => {
    await say(12);
    const asked = model.asked.length;
    model.answer = () => ({ chunks: ['what was', ' said'], delayMs: 500 });
    const [{ exitCode, document }] = await Promise.all([compact(), say(6)]);
    expect([exitCode, document]).toEqual([0, expect.objectContaining({ ok: true, key: KEY, compacted: true })]);
    expect(document['result']).toMatchObject({ summary: 'what was said', tokensBefore: expect.any(Number) as number, tokensAfter: expect.any(Number) as number, firstKeptEntryId: expect.any(String) as string });
    expect(model.asked.length).toBeGreaterThan(asked);
    expect(model.asked.at(-1)?.text).toContain('n0. ');
    expect(await operations(2)).toMatchObject([{ operation: 'compact', phase: 'start', sessionKey: KEY }, { phase: 'end', completed: true, sessionKey: KEY }]);
    expect(await history()).toEqual(numbers(0, sent));
    const { checkpoints } = await socket.call('sessions.compaction.list', { key: KEY });
    expect(checkpoints).toMatchObject([{ reason: 'manual', summary: 'what was said' }]);
    checkpointId = String((checkpoints as { checkpointId: string }[])[0]?.checkpointId);
  });

  it('says in words what came of it, and has nothing to do right away', async () => {
    await say(2);
    const again = await openclaw('sessions', 'compact', KEY);
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Compacted session agent:main:telegram:direct:123 \(\d+ → \d+ tokens\)\.\n$/u) as string });
    expect(await openclaw('sessions', 'compact', KEY)).toMatchObject({ exitCode: 0, stdout: `No compaction needed for session ${KEY} (nothing to summarise).\n` });
    await operations(2);
    expect(await compactUnknown()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('No session found: agent:main:nobody') as string });
  });
  const compactUnknown = () => openclaw('sessions', 'compact', 'agent:main:nobody');

  it.each([
    ['fails', { status: 500 }, PATIENT_SECONDS, /summarizer failed \(overloaded\)/u],
    ['never answers', { hangs: 'before' }, 2, /timeout/u],
  ] as const)('a model that %s is named, nothing is written, and the session goes on', async (_how, script, limitSeconds, why) => {
    // A limit only where it is to be met: a loaded machine is late by itself.
    if (limitSeconds !== PATIENT_SECONDS) await house.configure(settings(limitSeconds));
    await say(3);
    model.answer = () => script;
    const { exitCode, stderr, document } = await compact();
    expect([exitCode, document]).toEqual([1, expect.objectContaining({ ok: false })]);
    expect(stderr).toMatch(why);
    expect(await operations(2)).toMatchObject([{ phase: 'start' }, { phase: 'end', completed: false }]);
    await say(1);
    expect(await history()).toEqual(numbers(0, sent));
    if (limitSeconds !== PATIENT_SECONDS) await house.configure(settings(PATIENT_SECONDS));
  });

  it('is branched from and gone back to', async () => {
    const branched = await socket.call('sessions.compaction.branch', { key: KEY, checkpointId });
    expect(branched).toMatchObject({ ok: true, sourceKey: KEY, key: expect.stringMatching(/^agent:main:dashboard:/u) as string });
    const first = numbers(0, 12);
    expect((await history(String(branched['key']))).slice(0, 12)).toEqual(first);
    const whole = await history();
    const restored = await socket.call('sessions.compaction.restore', { key: KEY, checkpointId });
    expect(restored).toMatchObject({ ok: true, key: KEY });
    expect((await history()).slice(0, 12)).toEqual(first);
    // What stood there is an archive, and comes back.
    expect(await openclaw('sessions', 'restore', KEY, '--yes')).toMatchObject({ exitCode: 0 });
    expect(await history()).toEqual(whole);
  });

  it('is a truncation with --max-lines, undone by a restore', async () => {
    const whole = await history();
    const { exitCode, document } = await compact('--max-lines', '5');
    expect([exitCode, document]).toEqual([0, expect.objectContaining({ ok: true, compacted: true, kept: 5, archived: expect.stringMatching(/\.jsonl\.bak\./u) as string })]);
    expect(existsSync(String(document['archived']))).toBe(true);
    expect((await history()).length).toBeLessThan(5);
    expect(await openclaw('sessions', 'restore', KEY, '--yes')).toMatchObject({ exitCode: 0 });
    expect(await history()).toEqual(whole);
  });

  it('leaves through an archive and comes in again through the gateway, every line as it was', async () => {
    const archive = join(house.stateDir, 'one.tar');
    expect(await openclaw('sessions', 'export', KEY, '--output', archive)).toMatchObject({ exitCode: 0 });
    expect(await openclaw('sessions', 'import', archive)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('There already: 1 session.') as string });
    const other = 'agent:main:dashboard:imported';
    const imported = await openclaw('sessions', 'import', archive, '--as', other, '--json');
    expect(JSON.parse(imported.stdout)).toMatchObject({ ok: true, imported: 1, alreadyThere: 0 });
    expect(await history(other)).toEqual(await history());
    const { sessionId } = (JSON.parse(imported.stdout) as { sessions: { sessionId: string }[] }).sessions[0] ?? { sessionId: '' };
    const { session } = await socket.call('sessions.describe', { key: KEY });
    const hashes = (id: string): string[] => readFileSync(join(sessionsDir(house.stateDir), `${id}.jsonl`), 'utf8').split('\n').map((line) => createHash('sha256').update(line).digest('hex'));
    expect(hashes(sessionId)).toEqual(hashes((session as { sessionId: string }).sessionId));
    expect(await openclaw('sessions', 'verify', '--agent', 'main')).toMatchObject({ exitCode: 0 });
  });
});
