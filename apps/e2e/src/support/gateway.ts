/**
 * A real gateway process on a state directory, with the doors that clients use: HTTP, WebSocket, gRPC.
 * Whoever starts one ends it by its process id; `useScene` does so after each test.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LAUNCHER, environmentOf } from './command';

/** A loaded machine takes its time; a gateway that says nothing for longer does not start. */
const START_TIMEOUT_MS = 30_000;
/** Longer than the gateway's own bound for draining. */
const STOP_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 15_000;

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly json: Record<string, unknown> | undefined;
}

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** undefined: the gateway's own token; null: no credentials. */
  readonly token?: string | null;
}

export interface Gateway {
  readonly pid: number;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>` of the gRPC door; undefined when it was not asked for. */
  readonly grpc: string | undefined;
  readonly token: string;
  /** All that it has written so far, both streams. */
  printed(): string;
  http(path: string, request?: HttpRequest): Promise<HttpAnswer>;
  /** `POST /v1/messages`. @returns undefined when the connection ended without an answer, or the gateway is going away */
  send(envelope: Readonly<Record<string, unknown>>): Promise<HttpAnswer | undefined>;
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

  const http = async (path: string, { method = 'GET', headers = {}, body, token: other }: HttpRequest = {}): Promise<HttpAnswer> => {
    const credentials: Record<string, string> = other === null ? {} : { authorization: `Bearer ${other ?? token}` };
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...credentials, ...headers },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, text, json: jsonOf(text) };
  };

  return {
    pid: child.pid ?? 0,
    url,
    grpc: /gRPC on (127\.0\.0\.1:\d+)/u.exec(printed)?.[1],
    token,
    printed: () => printed,
    http,
    async send(envelope) {
      try {
        const answer = await http('/v1/messages', { method: 'POST', body: JSON.stringify(envelope) });
        return answer.status === 503 ? undefined : answer;
      } catch {
        return undefined;
      }
    },
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

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
