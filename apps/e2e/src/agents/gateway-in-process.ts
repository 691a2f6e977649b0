/**
 * Owner, runner and router in the test's own process, on the in-process bus that encodes every message:
 * all parts of an answer's way, and nothing that takes a process to start. The model is a server.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { DeliveryResult, InvokeToolRequest, ListPendingRequest, RouterServiceService, StoreServiceService } from '@sessions/contracts';
import type { Delivery } from '@sessions/contracts';
import { createAgentRunner } from '@sessions/agent-runner';
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import type { Bus, BusClock, Client } from '@sessions/bus';
import { createCompactionWorker } from '@sessions/compaction-worker';
import { parseConfig } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import { createHealth, createMetrics, silentLogger, systemClock } from '@sessions/host';
import type { Clock } from '@sessions/host';
import { startModelServer } from '@sessions/llm/testing';
import type { ModelServer } from '@sessions/llm/testing';
import { createRouter } from '@sessions/router';
import { createMaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { createStoreWriter } from '@sessions/store-writer';
import { waitUntil } from '../support/wait-until';

const DEADLINE_MS = 600_000;

export interface GatewayInProcess {
  readonly stateDir: string;
  readonly model: ModelServer;
  /** Of the services that run now, as `store` is. */
  readonly router: Client<typeof RouterServiceService>;
  readonly store: Client<typeof StoreServiceService>;
  /** A tool called by the agent of a session, as a runner does it. @returns its details */
  tool(sessionKey: string, name: string, args: object): Promise<Readonly<Record<string, unknown>>>;
  /** An adapter for one login of a channel: is given each delivery once and acknowledges it. */
  adapter(login: { readonly channel: string; readonly accountId: string }, onDelivery: (delivery: Delivery) => void): void;
  /** Resolves when no turn is open and no delivery is unacknowledged. */
  idle(agentId: string): Promise<void>;
  /** Ends every service and its bus without a drain, and starts new ones on the same files. Adapters end with the old ones. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The services and what reaches them. */
interface Running {
  readonly bus: Bus;
  readonly router: Client<typeof RouterServiceService>;
  readonly store: Client<typeof StoreServiceService>;
  stop(): Promise<void>;
}

interface Place {
  readonly stateDir: string;
  readonly config: SessionConfig;
  readonly routers: number;
  readonly compacts: boolean;
  readonly maintains: boolean;
  readonly clock: Clock;
  readonly busOf: (bus: Bus) => Bus;
}

export interface InProcessOptions {
  /** Routers that share the calls. */
  readonly routers?: number;
  /** With a worker that summarises. */
  readonly compacts?: boolean;
  /** With a scheduler of maintenance. */
  readonly maintains?: boolean;
  /** What the services see of the bus; the test's own clients are on the bus itself. */
  readonly busOf?: (bus: Bus) => Bus;
  /** US dollars for a million tokens of the model; absent: nobody knows its price. */
  readonly cost?: { readonly input: number; readonly output: number };
  /** Of the services and the bus; the model's server and its clients are on real time. */
  readonly clock?: Clock;
}

/** @param settings of `openclaw.json`; the model is `local/small` */
export async function openInProcess(settings: Readonly<Record<string, unknown>>, { routers = 1, compacts = false, maintains = false, cost, clock = systemClock, busOf = (bus) => bus }: InProcessOptions = {}): Promise<GatewayInProcess> {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'gateway-'));
  const model = await startModelServer();
  const provider = { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small', ...(cost !== undefined && { cost }) }] };
  const parsed = parseConfig({ models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' } } }, ...settings });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const place: Place = { stateDir, config: parsed.config, routers, compacts, maintains, clock, busOf };
  let running = await startServices(place);
  const tool = async (sessionKey: string, name: string, args: object): Promise<Readonly<Record<string, unknown>>> => {
    const agent = createClient(running.bus, RouterServiceService, { caller: `agent:${sessionKey}`, subject: (method) => subjects.router(method), deadlineMs: DEADLINE_MS });
    const { resultJson } = await agent.invokeTool(InvokeToolRequest.create({ name, argumentsJson: Buffer.from(JSON.stringify(args)), sessionKey }));
    return JSON.parse(Buffer.from(resultJson).toString('utf8')) as Record<string, unknown>;
  };
  const leaving = new AbortController();
  const adapters: Promise<void>[] = [];
  const adapt = async (login: { readonly channel: string; readonly accountId: string }, onDelivery: (delivery: Delivery) => void): Promise<void> => {
    const seen = new Set<string>();
    const { router } = running;
    for await (const { delivery } of router.streamDeliveries(login, { signal: leaving.signal })) {
      if (delivery === undefined) continue;
      if (!seen.has(delivery.deliveryId)) onDelivery(delivery);
      seen.add(delivery.deliveryId);
      await router.ackDelivery({ deliveryId: delivery.deliveryId, agentId: delivery.agentId, result: DeliveryResult.create({ ok: true }) });
    }
  };
  return {
    stateDir,
    model,
    get router() {
      return running.router;
    },
    get store() {
      return running.store;
    },
    tool,
    adapter: (login, onDelivery) => void adapters.push(adapt(login, onDelivery).catch((error: unknown) => (leaving.signal.aborted ? undefined : Promise.reject(error as Error)))),
    idle: (agentId) =>
      waitUntil('nothing is open', async () => {
        const { turns, deliveries } = await running.store.listPending(ListPendingRequest.create({ agentId }));
        return turns.length + deliveries.length === 0 ? true : undefined;
      }, DEADLINE_MS).then(() => undefined),
    async restart() {
      await running.stop();
      running = await startServices(place);
    },
    async stop() {
      leaving.abort();
      await Promise.all(adapters);
      await running.stop();
      await model.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

const subjects = createSubjects();

async function startServices({ stateDir, config, routers, compacts, maintains, clock, busOf }: Place): Promise<Running> {
  const bus = createInProcessBus({ copy: true, clock: busClock(clock) });
  const metrics = createMetrics({ service: 'gateway' });
  // Each router counts for itself.
  const routerMetrics = Array.from({ length: routers }, () => createMetrics({ service: 'router' }));
  const workerMetrics = createMetrics({ service: 'compaction-worker' });
  const schedulerMetrics = createMetrics({ service: 'maintenance-scheduler' });
  const shared = { bus: busOf(bus), clock, logger: silentLogger, metrics, config: () => config, instance: 'test' };
  const health = createHealth();
  health.setPhase('serving');
  const services = [
    createStoreWriter({ ...shared, places: { stateDir, homeDir: stateDir } }),
    createAgentRunner(shared),
    ...(compacts ? [createCompactionWorker({ ...shared, metrics: workerMetrics, retries: { attemptsMax: 1, firstWaitMs: 1, waitMaxMs: 1 } })] : []),
    ...(maintains ? [createMaintenanceScheduler({ ...shared, metrics: schedulerMetrics })] : []),
    ...routerMetrics.map((own, at) => createRouter({ ...shared, metrics: own, instance: `router-${String(at + 1)}`, health, stateDir, homeDir: stateDir, configPath: path.join(stateDir, 'openclaw.json'), version: 'test', listen: { host: '127.0.0.1', port: 0 }, auth: { token: 'test' } })),
  ];
  for (const service of services) await service.start();
  const caller = 'client:test';
  const router = createClient(bus, RouterServiceService, { caller, scopes: ['operator.admin'], subject: (method) => subjects.router(method), deadlineMs: DEADLINE_MS });
  const store = createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) });
  return {
    bus,
    router,
    store,
    async stop() {
      for (const service of [...services].reverse()) await service.stop();
      await bus.close();
      for (const one of [metrics, workerMetrics, schedulerMetrics, ...routerMetrics]) one.close();
    },
  };
}

function busClock(clock: Clock): BusClock {
  return {
    nowMs: () => clock.nowMs(),
    startTimer(delayMs, callback) {
      const timer = clock.setTimer(Math.max(0, delayMs), callback);
      return () => timer.cancel();
    },
  };
}
