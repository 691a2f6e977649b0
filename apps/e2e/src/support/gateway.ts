/**
 * A real gateway process on a state directory, with the doors that clients use: HTTP, WebSocket, gRPC.
 * Whoever starts one ends it by its process id; `useScene` does so after each test.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LAUNCHER, environmentOf } from './command';
import { doorAt } from './door';
import type { Door } from './door';

/** A loaded machine takes its time; a gateway that says nothing for longer does not start. */
const START_TIMEOUT_MS = 120_000;
/** Longer than the gateway's own bound for draining. */
const STOP_TIMEOUT_MS = 20_000;

export interface Gateway extends Door {
  readonly pid: number;
  /** All that it has written so far, both streams. */
  printed(): string;
  /** No warning, no clean-up: what a power cut leaves of a process. */
  kill(): Promise<void>;
  /** SIGTERM: it finishes what it has begun. @returns its exit code */
  stop(): Promise<number | null>;
}

export interface GatewayOptions {
  readonly token: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Told the process id before anything else happens. */
  readonly onSpawn?: (end: () => Promise<void>) => void;
}

/**
 * Starts a gateway on a free port and waits until it says where it listens.
 * @throws with all that it printed when it ends or stays silent instead
 */
export async function startGateway(stateDir: string, { token, args = [], env, onSpawn }: GatewayOptions): Promise<Gateway> {
  const child = spawn(process.execPath, [LAUNCHER, 'gateway', 'run', '--port', '0', ...args], {
    cwd: stateDir,
    env: environmentOf(stateDir, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  onSpawn?.(kill);
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    const give = (why: string): void => reject(new Error(`the gateway ${why}:\n${printed}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      give('did not say where it listens');
    }, START_TIMEOUT_MS);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      give(`ended (${signal ?? `exit ${String(code)}`})`);
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        const found = /Gateway listening on (http:\/\/127\.0\.0\.1:\d+) [^]*sessions history main\n/u.exec(printed)?.[1];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
    }
  });

  return {
    pid: child.pid ?? 0,
    ...doorAt({ url, grpc: /gRPC on (127\.0\.0\.1:\d+)/u.exec(printed)?.[1], token }),
    printed: () => printed,
    kill,
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      clearTimeout(timer);
      return code;
    },
  };
}
