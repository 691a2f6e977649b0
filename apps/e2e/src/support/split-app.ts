/** One app of the split deployment as a process of its own, built and started as an operator would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CHECKOUT, environmentOf } from './command';

export const APPS = ['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner'] as const;
export type AppName = (typeof APPS)[number];

/** A loaded machine takes its time. */
const START_TIMEOUT_MS = 120_000;
/** Longer than an app's own drain. */
const STOP_TIMEOUT_MS = 20_000;

export interface SplitApp {
  readonly pid: number;
  /** Of its HTTP door; the router only. */
  readonly port: number | undefined;
  /** Of its gRPC door; the router only, when SESS_GRPC_PORT asked for one. */
  readonly grpcPort: number | undefined;
  readonly probesUrl: string;
  /** Its log lines so far. */
  lines(): readonly Readonly<Record<string, unknown>>[];
  isRunning(): boolean;
  kill(): Promise<void>;
  /** SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
}

export interface StartAppOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that replaces itself by what follows it, as `ip netns exec <name>` does. */
  readonly launcher?: readonly string[];
}

/** @throws with all that it printed when it ends or does not serve in time */
export async function startApp(app: AppName, stateDir: string, natsUrl: string, { env = {}, launcher = [] }: StartAppOptions = {}): Promise<SplitApp> {
  const [command = process.execPath, ...parameters] = [...launcher, process.execPath, join(CHECKOUT, 'apps', app, 'dist', 'main.js')];
  const child = spawn(command, parameters, {
    cwd: stateDir,
    env: environmentOf(stateDir, { SESS_NATS_URL: natsUrl, SESS_PROBE_PORT: '0', SESS_PORT: '0', SESS_NATS_CONNECT_TIMEOUT_MS: '3000', ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const lines = (): Readonly<Record<string, unknown>>[] =>
    printed.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
  const portOf = (message: string): number | undefined => lines().find(({ msg }) => msg === message)?.['port'] as number | undefined;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!printed.includes('the app is serving')) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${app} did not start (exit ${String(child.exitCode)}):\n${printed}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    pid: child.pid ?? 0,
    port: portOf('router is listening'),
    grpcPort: portOf('gRPC is served'),
    probesUrl: `http://127.0.0.1:${String(portOf('probes are served'))}`,
    lines,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      clearTimeout(timer);
      return code;
    },
  };
}
