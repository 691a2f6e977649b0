/** `npm run start:split` on this machine: everything comes up, a dead process comes back, Ctrl-C leaves nothing behind. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CHECKOUT, environmentOf, runCommand } from './support/command';
import { doorAt } from './support/door';
import { freePort } from './support/free-port';
import { TOKEN, sessionsDir, useScene } from './support/scene';
import { waitUntil } from './support/wait-until';

const KEY = 'agent:main:main';
/** nats-server, two store-writers, scheduler, compaction-worker, agent-runner, router. */
const PROCESSES = 7;
/** More than a loaded machine needs for one start of every process, and for one end. */
const START_MS_MAX = 90_000;
const END_MS_MAX = 40_000;

const scene = useScene();

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** The processes that one has started itself. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter((one) => one !== '').map(Number));
  } catch {
    return [];
  }
}

const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');

/** Its number may have been given to somebody else's process since. */
function isOurs(pid: number, stateDir: string): boolean {
  try {
    const command = commandOf(pid);
    return command.includes(join(CHECKOUT, 'apps')) || command.includes(stateDir);
  } catch {
    return false;
  }
}

/** The start of everything, and all that it has printed. */
function startSplit(stateDir: string, args: readonly string[]): { readonly child: ChildProcess; readonly printed: () => string } {
  const child = spawn(process.execPath, [join(CHECKOUT, 'tools', 'start-split.mjs'), '--no-setup', ...args], {
    cwd: stateDir,
    env: environmentOf(stateDir, { TMPDIR: stateDir }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const seen = new Set<number>();
  const look = setInterval(() => childrenOf(child.pid ?? 0).forEach((pid) => seen.add(pid)), 200);
  scene.onEnd(() => {
    clearInterval(look);
    // Only after a failed test is there anything to end.
    if (child.exitCode === null) child.kill('SIGKILL');
    for (const pid of seen) if (isOurs(pid, stateDir)) process.kill(pid, 'SIGKILL');
  });
  return { child, printed: () => printed };
}

it('starts every process, restarts one that is killed, sets the bus up again when its data is lost, and ends with 0 and nothing left', async () => {
  const port = await freePort();
  const stateDir = scene.stateDir({ gateway: { port, auth: { mode: 'token', token: TOKEN } } });
  const { child, printed } = startSplit(stateDir, []);
  const exited = once(child, 'exit');
  const deadline = Date.now() + START_MS_MAX;
  while (!printed().includes('Try next')) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`it did not start:\n${printed()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(printed()).toContain(`Gateway listening on http://127.0.0.1:${port} `);
  const first = childrenOf(child.pid ?? 0);
  expect(first).toHaveLength(PROCESSES);

  const door = doorAt({ url: `http://127.0.0.1:${port}`, grpc: undefined, token: TOKEN });
  const send = (number: number) => door.send({ channel: 'telegram', messageId: String(number), chatType: 'direct', sender: { id: '1' }, text: `number ${number}` });
  expect(await send(1)).toMatchObject({ status: 202, json: { sessionKey: KEY } });
  const rows = JSON.parse((await runCommand(stateDir, ['sessions', '--json'])).stdout) as { sessions: unknown };
  expect(rows.sessions).toMatchObject([{ key: KEY, messageCount: 1 }]);
  const listed = JSON.parse((await runCommand(stateDir, ['gateway', 'call', 'sessions.list'])).stdout) as Record<string, unknown>;
  expect(listed).toMatchObject({ totalCount: 1, sessions: [{ key: KEY }] });

  // The owner of the store: another one takes it over, and the dead one is started again.
  const { pid, instance } = JSON.parse(readFileSync(join(sessionsDir(stateDir), '.store', 'owner.json'), 'utf8')) as { pid: number; instance: string };
  expect(first).toContain(pid);
  process.kill(pid, 'SIGKILL');
  await waitUntil('the message after the kill is taken in', async () => ([200, 202].includes((await send(2))?.status ?? 0) ? true : undefined));
  expect(printed()).toMatch(new RegExp(`^${instance} +\\| ended unexpectedly \\(SIGKILL\\); starting it again in \\d+ ms$`, 'mu'));
  await waitUntil('it is back', () => (childrenOf(child.pid ?? 0).length === PROCESSES ? true : undefined));
  const last = childrenOf(child.pid ?? 0);
  expect(last.filter((one) => !first.includes(one))).toHaveLength(1);
  await waitUntil('it serves again', () => (printed().split('\n').filter((line) => line.startsWith(`${instance} `) && line.includes('the app is serving')).length >= 2 ? true : undefined));
  const { json } = await door.http(`/sessions/${encodeURIComponent(KEY)}/history`);
  expect((json?.['items'] as { content: { text: string }[] }[]).map(({ content }) => content[0]?.text)).toEqual(['number 1', 'number 2']);

  // nats-server with all that it kept: the stores have what counts, the rest is made again.
  const nats = last.find((one) => commandOf(one).includes('nats.conf')) ?? 0;
  const kept = join(dirname(commandOf(nats).trim().split(' ').at(-1) ?? ''), 'jetstream');
  expect(readdirSync(kept)).not.toEqual([]);
  process.kill(nats, 'SIGSTOP');
  rmSync(kept, { recursive: true });
  process.kill(nats, 'SIGKILL');
  await waitUntil('streams and bucket are there again', () => (existsSync(kept) && JSON.stringify(readdirSync(kept, { recursive: true })).includes('KV_SESS_LEASES') ? true : undefined));
  await waitUntil('the message after it is taken in', async () => ([200, 202].includes((await send(3))?.status ?? 0) ? true : undefined));
  const living = childrenOf(child.pid ?? 0);

  child.kill('SIGINT');
  expect(await exited).toEqual([0, null]);
  expect([...first, ...last, ...living].filter(isAlive)).toEqual([]);
  // The password of NATS and what it kept have gone.
  expect(readdirSync(stateDir).sort()).toEqual(['agents', 'openclaw.json']);
  expect(await runCommand(stateDir, ['sessions', 'verify', '--all-agents'])).toMatchObject({ exitCode: 0 });
}, START_MS_MAX + END_MS_MAX);

it('ends all of it when the port is taken', async () => {
  const stateDir = scene.stateDir({ gateway: { auth: { mode: 'token', token: TOKEN } } });
  const holder = await scene.gateway(scene.stateDir({ gateway: { auth: { mode: 'token', token: TOKEN } } }));
  const { child, printed } = startSplit(stateDir, ['--port', new URL(holder.url).port]);
  const exited = once(child, 'exit');
  await waitUntil('the router says why', () => (/router-1 .*(in use|EADDRINUSE)/u.test(printed()) ? true : undefined));
  child.kill('SIGINT');
  await exited;
  expect(childrenOf(child.pid ?? 0)).toEqual([]);
  expect(readdirSync(stateDir).filter((name) => name.startsWith('sessions-nats-'))).toEqual([]);
}, START_MS_MAX);
