/**
 * Every service in one process: what `openclaw gateway run` starts. Over the in-process bus the
 * process is alone with its state directory; over NATS it is one member of a system among others.
 * Composition only: what each part does lives in its library.
 */
import { createAgentRunner } from '@sessions/agent-runner';
import { connectNatsBus, createInProcessBus, systemClock as busClock, traceBus, type Bus } from '@sessions/bus';
import { createCompactionWorker } from '@sessions/compaction-worker';
import { configuredAgents, type Places, type SessionConfig } from '@sessions/domain';
import {
  createBusLink,
  createConfigWatch,
  createHealth,
  createHost,
  createLogger,
  createMetrics,
  createModelPrices,
  greetingLines,
  isOpenToAll,
  listenFailure,
  loadConfig,
  runUntilSignal,
  sessionConfigParser,
  shownServers,
  startTracing,
  systemClock,
  type BusEnvironment,
  type BusLink,
  type GrpcTlsTexts,
  type HostEnvironment,
  type Service,
} from '@sessions/host';
import { createMaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { createRouter, type Router } from '@sessions/router';
import { createStoreWriter } from '@sessions/store-writer';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { VERSION } from './version';

export interface StandaloneOptions {
  readonly environment: HostEnvironment;
  readonly places: Places;
  readonly listen: {
    /** Literal address: 127.0.0.1, 0.0.0.0 or the one given. */
    readonly host: string;
    /** 0 lets the system choose. */
    readonly port: number;
  };
  /** gRPC edge; undefined: not served. */
  readonly grpcPort: number | undefined;
  /** Undefined: it speaks plain text. */
  readonly grpcTls: GrpcTlsTexts | undefined;
  /** What clients must present; at least one unless `host` is loopback. */
  readonly auth: { readonly token: string | undefined; readonly password: string | undefined };
  /** NATS to join; undefined: the in-process bus. */
  readonly bus: BusEnvironment | undefined;
  /** Log lines as JSON instead of text for people. */
  readonly jsonLogs: boolean;
  /** Lines for the person who started it. */
  readonly say: (line: string) => void;
}

/**
 * Starts, serves until SIGINT or SIGTERM, drains.
 * @returns the exit code
 * @throws SessionError when it cannot start
 */
export type StartStandalone = (options: StandaloneOptions) => Promise<number>;

/** Where the contracts' sources stand, for gRPC reflection: in a checkout, not in an installed bundle. */
const PROTO_DIR = path.resolve(__dirname, '../../../../proto');

export const startStandalone: StartStandalone = async (options) => {
  const instance = options.environment.instance ?? `gateway-${randomUUID().slice(0, 8)}`;
  const logger = createLogger({ service: 'gateway', instance, format: options.jsonLogs ? 'json' : 'text' });
  const health = createHealth();
  const metrics = createMetrics({ service: 'gateway', instance });
  const parse = sessionConfigParser(options.environment.variables);
  const file = options.environment.configPath;
  const watch = createConfigWatch({
    file,
    parse,
    initial: await loadConfig(file, parse),
    clock: systemClock,
    onChange: () => logger.info('the configuration was read again'),
    onRefused: (problems) => logger.warn('the configuration was edited and is not valid; the values before stay in force, and no maintenance begins by itself', { count: problems.length }),
  });
  const config = (): SessionConfig => watch.config;
  const closing: (() => Promise<unknown> | undefined)[] = [() => watch.stop()];
  try {
    const tracing = await startTracing({ variables: options.environment.variables, service: 'gateway', instance, version: VERSION });
    closing.push(() => tracing?.stop());
    const { subjectPrefix } = config().bus;
    const bus = await openBus(options, { service: 'gateway', instance, subjectPrefix }, { logger, metrics, health });
    closing.push(() => bus.close());
    const { trajectory } = options.environment;
    const shared = { bus: traceBus(bus, tracing), clock: systemClock, logger, metrics, config, instance };
    const router = createRouter({
      ...shared,
      health,
      configFile: () => watch.file,
      subjectPrefix,
      stateDir: options.places.stateDir,
      configPath: options.environment.configPath,
      homeDir: options.places.homeDir,
      version: VERSION,
      listen: options.listen,
      ...(options.grpcPort === undefined ? {} : { grpcListen: { host: options.listen.host, port: options.grpcPort } }),
      ...(options.grpcTls !== undefined && { grpcTls: options.grpcTls }),
      ...(existsSync(PROTO_DIR) ? { protoDir: PROTO_DIR } : {}),
      auth: { ...(options.auth.token === undefined ? {} : { token: options.auth.token }), ...(options.auth.password === undefined ? {} : { password: options.auth.password }) },
    });
    const prices = createModelPrices({ ...shared, stateDir: options.places.stateDir });
    const isAlone = options.bus === undefined;
    const services: Service[] = [
      busService(bus),
      prices,
      createStoreWriter({ ...shared, trajectory, subjectPrefix, prices: () => prices.prices(), places: options.places, transport: isAlone ? 'standalone' : 'split', holdsDefaultAgent: isAlone }),
      createMaintenanceScheduler({ ...shared, isSuspended: () => watch.problems.length > 0 }),
      createCompactionWorker(shared),
      createAgentRunner({ ...shared, trajectory }),
      router,
    ];
    return await runUntilSignal({
      host: createHost({ services, clock: systemClock, logger }),
      signals: process,
      clock: systemClock,
      onStarted: () => {
        watch.start();
        health.setPhase('serving');
        greet(options, router, config());
      },
    });
  } catch (error) {
    throw listenFailure(error, options.listen, `Stop that program, or choose another port: --port ${options.listen.port + 1}`);
  } finally {
    for (const close of closing.reverse()) await close();
    logger.info('the gateway has stopped');
  }
};

/** @throws NO_OWNER when NATS cannot be reached */
async function openBus({ bus }: StandaloneOptions, who: Parameters<BusLink['connect']>[2], parts: Omit<Parameters<typeof createBusLink>[0], 'clock'>): Promise<Bus> {
  if (bus === undefined) return createInProcessBus({ clock: busClock });
  return createBusLink({ clock: systemClock, ...parts }).connect(connectNatsBus, bus, who);
}

function busService(bus: Bus): Service {
  return { name: 'bus', start: () => Promise.resolve(), drain: () => Promise.resolve(), stop: () => bus.close() };
}

function greet({ environment, places, say, auth, bus }: StandaloneOptions, router: Router, config: SessionConfig): void {
  const { ids, defaultAgentId } = configuredAgents(config);
  const lines = greetingLines({
    ...router.address(),
    configuredPort: environment.gatewayPort ?? config.gateway.port,
    grpc: router.grpcAddress(),
    about: bus === undefined ? [] : [`Joined the system at ${shownServers(bus.servers)}`],
    stateDir: places.stateDir,
    agentIds: ids,
    defaultAgentId,
    isOpen: isOpenToAll(config.gateway.auth, auth),
  });
  for (const line of lines) say(line);
}
