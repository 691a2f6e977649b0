/** The first ten minutes: start on nothing, send, list, read back, stop, start again; and the starts that must not succeed. */
import { chmodSync, chownSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { environmentOf, LAUNCHER, runCommand, runProgram } from './support/command';
import type { Answer } from './support/command';
import type { Gateway } from './support/gateway';
import { configWith, sessionsDir, useScene, writeFile } from './support/scene';
import { readTree } from './support/tree';

const NOBODY = 65_534;
const scene = useScene();

const hello = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123', name: 'Ann' }, text: 'Hello over HTTP' };
const target = ({ url, token }: Gateway): string[] => ['--url', url.replace('http:', 'ws:'), '--token', token];

async function call(gateway: Gateway, stateDir: string, method: string, params: object): Promise<Record<string, unknown>> {
  const answer = await runCommand(stateDir, ['gateway', 'call', method, '--params', JSON.stringify(params), '--json', ...target(gateway)]);
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
  return JSON.parse(answer.stdout) as Record<string, unknown>;
}

async function document(stateDir: string, ...args: string[]): Promise<Record<string, unknown>> {
  const answer = await runCommand(stateDir, [...args, '--json']);
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
  return JSON.parse(answer.stdout) as Record<string, unknown>;
}

/** Exit 1, nothing on standard output that looks like success, and a sentence with these parts. */
function expectRefusedStart(answer: Answer, ...parts: string[]): void {
  expect(answer.exitCode).toBe(1);
  expect(answer.stdout).not.toContain('Gateway listening');
  for (const part of parts) expect(answer.stderr).toContain(part);
  // A sentence for a person: no stack of our own code.
  expect(answer.stderr).not.toMatch(/^\s+at .*\.js:\d+/mu);
}

const gatewayRun = (stateDir: string, ...args: string[]): Promise<Answer> => runCommand(stateDir, ['gateway', 'run', '--port', '0', ...args]);

describe('a first run', () => {
  it('makes a configuration that only its owner reads, says so, and its token opens every door', async () => {
    const stateDir = scene.stateDir();
    const gateway = await scene.gateway(stateDir);
    const file = join(stateDir, 'openclaw.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(gateway.printed()).toContain(`Made a configuration with a new token: ${file}`);
    expect(gateway.printed()).toContain(`State directory: ${stateDir}`);
    expect(gateway.printed().match(/^ {2}npx openclaw /gmu)).toHaveLength(3);
    const made = /token: "([^"]{32,})"/u.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
    expect(gateway.printed()).not.toContain(made);
    expect(await gateway.http('/v1/messages', { method: 'POST', body: JSON.stringify(hello), token: null })).toMatchObject({ status: 401 });
    expect(await gateway.http('/v1/messages', { method: 'POST', body: JSON.stringify(hello), token: made })).toMatchObject({ status: 202 });
    await scene.socket(gateway, { token: made });
    expect(await gateway.stop()).toBe(0);
    // The next start takes what is there.
    const before = readFileSync(file, 'utf8');
    expect((await scene.gateway(stateDir)).printed()).not.toContain('Made a configuration');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('keeps what came through every door, over a stop and a start', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const first = await scene.gateway(stateDir);
    const key = 'agent:main:telegram:direct:123';
    expect(await first.send(hello)).toMatchObject({ status: 202, json: { ok: true, status: 'accepted', sessionKey: key } });
    const socket = await scene.socket(first);
    expect(await socket.call('chat.send', { sessionKey: key, message: 'Hello over WebSocket', idempotencyKey: 'ws-1' })).toMatchObject({ status: 'started', messageSeq: 2 });
    expect(await call(first, stateDir, 'sessions.create', { key: 'Notes', label: 'Notes' })).toMatchObject({ ok: true, key: 'agent:main:notes', runStarted: false });
    expect(await call(first, stateDir, 'sessions.patch', { key: 'notes', label: 'Shopping', thinkingLevel: 'high' })).toMatchObject({ entry: { label: 'Shopping', thinkingLevel: 'high' } });

    const seen = async (): Promise<unknown> => {
      const list = (await document(stateDir, 'sessions')) as { sessions: Record<string, unknown>[] };
      const history = (await document(stateDir, 'sessions', 'history', key)) as { messages: { role: string; content: { text: string }[] }[] };
      return {
        rows: list.sessions.map(({ key: one, sessionId, updatedAt, label, messageCount }) => ({ key: one, sessionId, updatedAt, label, messageCount })),
        texts: history.messages.map(({ role, content }) => `${role}: ${content.map(({ text }) => text).join('')}`),
      };
    };
    const beforeStop = await seen();
    expect(beforeStop).toMatchObject({
      rows: [{ key: 'agent:main:notes', label: 'Shopping' }, { key, messageCount: 2 }],
      texts: ['user: Hello over HTTP', 'user: Hello over WebSocket'],
    });
    expect((await runCommand(stateDir, ['sessions', 'history', key])).stdout).toMatch(/^\[[^\]]+\] user: Hello over HTTP\n\[[^\]]+\] user: Hello over WebSocket\n$/u);
    expect(await call(first, stateDir, 'sessions.list', {})).toMatchObject({ count: 2, sessions: [{ key: 'agent:main:notes' }, { key }] });
    expect(await document(stateDir, 'status')).toMatchObject({ sessions: { count: 2, paths: [join(sessionsDir(stateDir), 'sessions.json')] } });
    const deep = await runCommand(stateDir, ['status', '--deep', '--json'], { env: { OPENCLAW_GATEWAY_PORT: new URL(first.url).port } });
    expect(deep.exitCode).toBe(0);

    expect(await first.stop()).toBe(0);
    expect(await seen()).toEqual(beforeStop);
    const second = await scene.gateway(stateDir);
    expect(await seen()).toEqual(beforeStop);
    expect(await second.send(hello)).toMatchObject({ status: 200, json: { status: 'duplicate', sessionKey: key } });
    expect(await second.send({ ...hello, messageId: '502', text: 'Back again' })).toMatchObject({ status: 202 });
    const again = await scene.socket(second);
    const { messages } = (await again.call('chat.history', { sessionKey: key })) as { messages: { content: { text: string }[] }[] };
    expect(messages.map(({ content }) => content[0]?.text)).toEqual(['Hello over HTTP', 'Hello over WebSocket', 'Back again']);
    expect(await second.stop()).toBe(0);
    expect(await runCommand(stateDir, ['sessions', 'verify', '--all-agents'])).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('writes nothing for a listing of a state directory that does not exist', async () => {
    const stateDir = join(scene.stateDir(), 'not-there');
    const answer = await runCommand(stateDir, ['sessions'], { cwd: join(stateDir, '..') });
    expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
    expect(answer.stdout).toContain('No sessions found.');
    expect(existsSync(stateDir)).toBe(false);
  });
});

describe('a start that must not succeed', () => {
  it('names the process that has the store, and leaves it alone', async () => {
    const stateDir = scene.stateDir(configWith());
    const holder = await scene.gateway(stateDir);
    expect(await holder.send(hello)).toMatchObject({ status: 202 });
    const answer = await gatewayRun(stateDir);
    expectRefusedStart(answer, sessionsDir(stateDir), `in use by process ${holder.pid}`);
    expect(await holder.send({ ...hello, messageId: '502' })).toMatchObject({ status: 202 });
  });

  it('names the process that has a state directory in which nothing is stored yet', async () => {
    const stateDir = scene.stateDir();
    const holder = await scene.gateway(stateDir);
    expectRefusedStart(await gatewayRun(stateDir), sessionsDir(stateDir), `in use by process ${holder.pid}`);
    expect(await holder.http('/health', { token: null })).toMatchObject({ status: 200 });
    expect(await holder.stop()).toBe(0);
    // Free again as soon as the holder has gone.
    expect(await (await scene.gateway(stateDir)).stop()).toBe(0);
  });

  it('says that the port is in use, and which one to try', async () => {
    const stateDir = scene.stateDir(configWith());
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    scene.onEnd(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expectRefusedStart(await gatewayRun(stateDir, '--port', String(port)), `Port ${port} on 127.0.0.1 is in use`, '--port ');
  });

  it('says that the state directory cannot be written', async () => {
    // Root writes everywhere: as root, the gateway is started as another user.
    const isRoot = process.getuid?.() === 0;
    const asNobody = async (stateDir: string): Promise<Answer> => {
      const command = [process.execPath, LAUNCHER, 'gateway', 'run', '--port', '0'] as const;
      const options = { cwd: '/', env: environmentOf(stateDir) };
      return isRoot
        ? runProgram('setpriv', ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', '--', ...command], options)
        : runProgram(command[0], command.slice(1), options);
    };
    const fresh = scene.stateDir();
    chmodSync(fresh, 0o555);
    expectRefusedStart(await asNobody(fresh), fresh, 'OPENCLAW_STATE_DIR');
    expect(readdirSync(fresh)).toEqual([]);

    const configured = scene.stateDir(configWith());
    if (isRoot) chownSync(join(configured, 'openclaw.json'), NOBODY, NOBODY);
    chmodSync(configured, 0o555);
    expectRefusedStart(await asNobody(configured), configured);
  });

  it('says every problem of the configuration with its path', async () => {
    const stateDir = scene.stateDir();
    writeFile(join(stateDir, 'openclaw.json'), `// mine\n{ gateway: { port: 'x' }, session: { dmScope: 'per-galaxy', reset: { atHour: 'noon', bogus: 1 }, maintenance: { maxEntries: -5 } }, unknownHere: { kept: true } }`);
    const before = readTree(stateDir);
    const answer = await gatewayRun(stateDir);
    expectRefusedStart(answer, 'gateway.port', 'session.dmScope', 'per-channel-peer', 'session.reset.atHour', 'session.reset.bogus', 'session.maintenance.maxEntries', join(stateDir, 'openclaw.json'));
    expect(answer.stderr).not.toContain('unknownHere = ');
    writeFile(join(stateDir, 'openclaw.json'), '{ gateway: ');
    expectRefusedStart(await gatewayRun(stateDir), join(stateDir, 'openclaw.json'), 'JSON5', 'line 1');
    writeFile(join(stateDir, 'openclaw.json'), before.get('openclaw.json') ?? '');
    expect(readTree(stateDir)).toEqual(before);
  });

  it.each([
    ['--port', '70000', '--port must be'],
    ['--port', 'http', '--port must be'],
    ['--bind', 'everywhere', '--bind must be'],
    ['--bogus', 'x', '--bogus'],
    ['--grpc-port', '-1', '--grpc-port must be'],
  ])('refuses %s %s', async (flag, value, sentence) => {
    const stateDir = scene.stateDir();
    expectRefusedStart(await runCommand(stateDir, ['gateway', 'run', flag, value]), sentence);
    expect(readdirSync(stateDir)).toEqual([]);
  });

  it('refuses to listen for the network without a token', async () => {
    const stateDir = scene.stateDir({ gateway: { auth: { mode: 'none' } } });
    expectRefusedStart(await gatewayRun(stateDir, '--bind', 'lan'), '0.0.0.0', 'token');
  });
});
