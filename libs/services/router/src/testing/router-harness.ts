/** A router on a free port with stores in memory, and a client that speaks the gateway's frames. */
import { createInProcessBus } from '@sessions/bus';
import type { InProcessBus, InProcessBusOptions } from '@sessions/bus';
import { parseConfig } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import { createHealth, createMetrics, silentLogger, systemClock } from '@sessions/host';
import { WebSocket } from 'ws';
import type { RouterDeps } from '../deps';
import { createRouter } from '../router';
import type { Router } from '../router';
import { serveMemoryStores } from './memory-store';
import type { MemoryStores } from './memory-store';

export const TOKEN = 'a-test-token';

export interface RunningRouter {
  readonly router: Router;
  readonly bus: InProcessBus;
  readonly stores: MemoryStores;
  readonly url: string;
  readonly wsUrl: string;
  /** Connects and says hello; every scope and the gateway's own token unless others are named. */
  client(scopes?: readonly string[], token?: string): Promise<TestClient>;
  stop(): Promise<void>;
}

export function configOf(raw: unknown): SessionConfig {
  const parsed = parseConfig(raw);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** Another router on the same bus, with the same stores behind it. */
export async function routerOn({ bus }: Pick<RunningRouter, 'bus'>, rawConfig: unknown = {}): Promise<{ readonly url: string; readonly wsUrl: string; stop(): Promise<void> }> {
  const metrics = createMetrics({ service: 'router' });
  const router = createRouter({ ...depsOf(configOf(rawConfig)), bus, metrics, instance: 'other' });
  await router.start();
  const { host, port } = router.address();
  return {
    url: `http://${host}:${port}`,
    wsUrl: `ws://${host}:${port}/`,
    async stop() {
      await router.stop();
      metrics.close();
    },
  };
}

function depsOf(config: SessionConfig): Omit<RouterDeps, 'bus' | 'metrics'> {
  const health = createHealth();
  health.setPhase('serving');
  return {
    clock: systemClock,
    logger: silentLogger,
    health,
    config: () => config,
    stateDir: '/state',
    homeDir: '/home/test',
    configPath: '/state/openclaw.json',
    version: '0.0.0-test',
    instance: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    auth: { token: TOKEN },
  };
}

export async function startRouter(rawConfig: unknown = {}, more: Partial<RouterDeps> = {}, busOptions: InProcessBusOptions = {}): Promise<RunningRouter> {
  const bus = createInProcessBus(busOptions);
  const stores = await serveMemoryStores(bus);
  const metrics = createMetrics({ service: 'router' });
  const router = createRouter({ ...depsOf(configOf(rawConfig)), bus, metrics, ...more });
  await router.start();
  const { host, port } = router.address();
  const clients: TestClient[] = [];
  return {
    router,
    bus,
    stores,
    url: `http://${host}:${port}`,
    wsUrl: `ws://${host}:${port}/`,
    async client(scopes = ['operator.admin'], token = TOKEN) {
      const client = await TestClient.open(`ws://${host}:${port}/`);
      clients.push(client);
      const answer = await client.request('connect', connectParams({ scopes, auth: { token } }));
      if (!answer.ok) throw new Error(JSON.stringify(answer.error));
      return client;
    },
    async stop() {
      for (const client of clients) client.close();
      await router.stop();
      await stores.stop();
      await bus.close();
      metrics.close();
    },
  };
}

export function connectParams(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend' },
    role: 'operator',
    scopes: ['operator.admin'],
    auth: { token: TOKEN },
    ...more,
  };
}

export interface Answer {
  readonly type: 'res';
  readonly id: string;
  readonly ok: boolean;
  // Payloads are whatever a test expects of them.
  readonly payload: Record<string, never> & Record<string, unknown>;
  readonly error: { readonly code: string; readonly message: string; readonly details?: Record<string, unknown>; readonly retryable?: boolean };
}

export interface EventFrame {
  readonly type: 'event';
  readonly event: string;
  readonly payload: Record<string, unknown>;
  readonly seq?: number;
}

export class TestClient {
  readonly frames: (Answer | EventFrame)[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  #nextId = 0;
  #waiters = new Set<() => void>();

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')) as Answer | EventFrame);
      this.#wake();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
      this.#wake();
    });
    socket.on('error', () => this.#wake());
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<TestClient> {
    const client = new TestClient(new WebSocket(url, { headers }));
    await client.until(() => client.events('connect.challenge')[0] ?? (client.closed && 'closed'));
    return client;
  }

  get nonce(): string {
    return String(this.events('connect.challenge')[0]?.payload.nonce);
  }

  events(name: string): EventFrame[] {
    return this.frames.filter((frame): frame is EventFrame => frame.type === 'event' && frame.event === name);
  }

  /** Resolves with what `look` finds, as soon as it finds something. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  answerTo(id: string): Promise<Answer> {
    return this.until(() => this.frames.find((frame): frame is Answer => frame.type === 'res' && frame.id === id));
  }

  async request(method: string, params?: unknown): Promise<Answer> {
    const id = `r${(this.#nextId += 1)}`;
    this.send({ type: 'req', id, method, ...(params !== undefined && { params }) });
    return this.answerTo(id);
  }

  /** What a request that is granted says. @throws when it is refused */
  async payloadOf(method: string, params?: unknown): Promise<Answer['payload']> {
    const answer = await this.request(method, params);
    if (!answer.ok) throw new Error(`${method}: ${answer.error.message}`);
    return answer.payload;
  }

  whenClosed(): Promise<{ readonly code: number; readonly reason: string }> {
    return this.until(() => this.closed);
  }

  close(): void {
    this.socket.terminate();
  }

  #wake(): void {
    const waiting = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiting) wake();
  }
}
