import { runProgram } from '../program';
import { HELLO, recordingIo, reply, serveGateway } from '../testing';
import type { Frame, ToldGateway } from '../testing';
import { isCompactCommand } from './agent';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = 'agent:main:main';

describe('sessions compact', () => {
  let directory: string;
  let gateway: ToldGateway;
  let answer: Frame | undefined;

  beforeEach(async () => {
    answer = { ok: true, payload: { ok: true, key: KEY, compacted: true, result: { tokensBefore: 61_200, tokensAfter: 9_800 } } };
    gateway = await serveGateway((frame, socket) => {
      if (frame['method'] === 'connect') reply(socket, frame, HELLO);
      else if (answer !== undefined) reply(socket, frame, answer);
    });
    directory = mkdtempSync(join(tmpdir(), 'cli-compact-'));
    writeFileSync(join(directory, 'openclaw.json'), `{ gateway: { port: ${gateway.port}, auth: { token: 'configured' } } }`);
  });
  afterEach(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
    return { code: await runProgram(argv, io, '9.9.9'), stdout: io.stdout(), stderr: io.stderr() };
  }
  const calls = (): Frame[] => gateway.frames.filter((frame) => frame['method'] !== 'connect');

  it('sends the key alone, with the admin scope and the configured token, and says what became of it', async () => {
    expect(await run('sessions', 'compact', KEY)).toEqual({ code: 0, stdout: `Compacted session ${KEY} (61200 → 9800 tokens).\n`, stderr: '' });
    expect(gateway.frames[0]).toMatchObject({ params: { scopes: ['operator.admin'], auth: { token: 'configured' } } });
    expect(calls()).toMatchObject([{ method: 'sessions.compact' }]);
    expect(calls()[0]?.['params']).toEqual({ key: KEY });
    expect(readdirSync(directory)).toEqual(['openclaw.json']);
  });

  it('takes the parent’s --agent and --json, and its own before them', async () => {
    await run('sessions', '--agent', 'work', 'compact', 'k', '--max-lines', '50');
    expect(calls()[0]?.['params']).toEqual({ key: 'k', agentId: 'work', maxLines: 50 });
    await run('sessions', '--agent', 'work', 'compact', 'k', '--agent', 'main');
    expect(calls()[1]?.['params']).toEqual({ key: 'k', agentId: 'main' });
    expect(JSON.parse((await run('sessions', '--json', 'compact', KEY)).stdout)).toEqual({ ok: true, key: KEY, compacted: true, result: { tokensBefore: 61_200, tokensAfter: 9_800 } });
    await run('sessions', 'compact', 'global', '--agent', 'main');
    expect(calls()[3]?.['params']).toEqual({ key: 'global', agentId: 'main' });
  });

  it.each([
    [{ ok: true, compacted: true, archived: '/s/x.jsonl.bak.now', kept: 75 }, `Compacted session ${KEY} (kept 75 lines).\nArchived transcript: /s/x.jsonl.bak.now\n`],
    [{ ok: true, compacted: false, kept: 41, reason: 'below limit' }, `No compaction needed for session ${KEY} (below limit).\n`],
    [{ ok: true, compacted: false, pending: true }, `Compaction started for session ${KEY} and is still running.\n`],
    [{ ok: true, compacted: false, result: { pending: true } }, `Compaction started for session ${KEY} and is still running.\n`],
    [{ ok: true, compacted: false, result: { details: { signal: 'thread/compact/start' } } }, `Compaction started for session ${KEY} and is still running.\n`],
    [{ ok: true, compacted: false, result: { details: { pending: true } } }, `Compaction started for session ${KEY} and is still running.\n`],
  ])('%j is a success', async (payload, text) => {
    answer = { ok: true, payload: { key: KEY, ...payload } };
    expect(await run('sessions', 'compact', KEY)).toEqual({ code: 0, stdout: text, stderr: '' });
  });

  it.each([
    [{ ok: false, compacted: false, reason: 'summarizer failed' }, `Compaction failed for session ${KEY}: summarizer failed\n`],
    [{ ok: false }, `Compaction failed for session ${KEY}: no reason given\n`],
    [{ ok: false, compacted: false, reason: 'stale' }, `Compaction failed for session ${KEY}: stale: the transcript was cut, begun anew or brought back while it was summarised; nothing was written, run it again\n`],
    [{ compacted: true, result: {} }, 'malformed response'],
    [{ ok: 'true', compacted: true }, 'malformed response'],
    [null, 'malformed response'],
    ['done', 'malformed response'],
  ])('%j is a failure, loudly', async (payload, text) => {
    answer = { ok: true, payload };
    const plain = await run('sessions', 'compact', KEY);
    expect(plain).toMatchObject({ code: 1, stdout: '' });
    expect(plain.stderr).toContain(text);
    const json = await run('sessions', 'compact', KEY, '--json');
    expect(json).toMatchObject({ code: 1, stderr: plain.stderr });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, key: KEY, error: { message: plain.stderr.trimEnd(), details: {} } });
  });

  it('fails for a key that nobody knows, in the gateway’s words', async () => {
    answer = { ok: false, error: { code: 'INVALID_REQUEST', message: 'No session found: nobody', details: { reason: 'SESSION_NOT_FOUND' } } };
    expect(await run('sessions', 'compact', 'nobody')).toEqual({ code: 1, stdout: '', stderr: 'No session found: nobody\n' });
    expect(JSON.parse((await run('sessions', 'compact', 'nobody', '--json')).stdout)).toEqual({ ok: false, key: 'nobody', error: { code: 'INVALID_REQUEST', message: 'No session found: nobody', details: { reason: 'SESSION_NOT_FOUND' } } });
  });

  it('waits no longer than it may, and says when nobody is there', async () => {
    answer = undefined;
    const late = await run('sessions', 'compact', KEY, '--timeout', '200', '--json');
    expect(late).toMatchObject({ code: 1 });
    expect(JSON.parse(late.stdout)).toMatchObject({ ok: false, key: KEY, error: { code: 'UNAVAILABLE', details: { reason: 'DEADLINE' } } });
    await gateway.close();
    const away = await run('sessions', 'compact', KEY);
    expect(away).toMatchObject({ code: 1, stdout: '' });
    expect(away.stderr).toMatch(/^Compaction failed: gateway closed \(1006 /u);
    expect(away.stderr).toContain('openclaw gateway run');
  });

  it('goes to the address it is given, with the credentials beside it', async () => {
    await run('sessions', 'compact', KEY, '--url', gateway.url, '--password', 'beside');
    expect(gateway.frames[0]).toMatchObject({ params: { auth: { password: 'beside' } } });
  });

  it('refuses before anything is sent', async () => {
    const numbers = ['0', '-1', '1.5', '10x', '1e3', '', ' ', '0x10', '9007199254740992'];
    const refused = [
      ...['--max-lines', '--timeout'].flatMap((option) => numbers.map((value) => ['sessions', 'compact', KEY, `${option}=${value}`])),
      ...[['--store', 's'], ['--all-agents'], ['--active', '5'], ['--limit', '5'], ['--verbose']].map((parent) => ['sessions', ...parent, 'compact', KEY]),
      ['sessions', 'compact', 'global'],
      ['sessions', 'compact'],
      ['sessions', 'compact', KEY, '--unknown'],
      ['agent', '--message', '/compact'],
      ['agent', '--local', '--message', '/compact'],
    ];
    for (const argv of refused) {
      const { code, stdout, stderr } = await run(...argv);
      expect([argv, code, stdout, stderr === '']).toEqual([argv, 1, '', false]);
    }
    expect((await run('agent', '--message', '/compact')).stderr).toContain('openclaw sessions compact');
    // Nothing was read or written either: no file came to be.
    expect(readdirSync(directory)).toEqual(['openclaw.json']);
    expect(gateway.frames).toEqual([]);
  });

  it('an ordinary message reaches the agent and its reply is printed', async () => {
    answer = { ok: true, payload: { runId: 'r', status: 'ok', result: { payloads: [{ text: 'an answer', mediaUrl: null }] } } };
    expect(await run('agent', '--message', '/compaction is what?', '--session-key', KEY)).toEqual({ code: 0, stdout: 'an answer\n', stderr: '' });
    expect(calls()[0]).toMatchObject({ method: 'agent', params: { message: '/compaction is what?', sessionKey: KEY } });
  });
});

it.each([['/compact', true], [' /Compact: x', true], ['/compact\nnow', true], ['/compaction', false], ['please /compact', false], ['/compact-now', false], ['', false]])('%j as the command: %s', (message, expected) => expect(isCompactCommand(message)).toBe(expected));
