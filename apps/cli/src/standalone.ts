/**
 * Every service in one process over the in-process bus: what `openclaw gateway run` starts.
 * Composition only: what each part does lives in its library.
 */
import { createInProcessBus, systemClock as busClock } from '@sessions/bus';
import { SessionError, configuredAgents, type Places, type SessionConfig } from '@sessions/domain';
import {
  createConfigWatch,
  createHealth,
  createHost,
  createLogger,
  createMetrics,
  loadConfig,
  runUntilSignal,
  sessionConfigParser,
  systemClock,
  type HostEnvironment,
  type Service,
} from '@sessions/host';
import { createRouter, type Router } from '@sessions/router';
import { createStoreWriter } from '@sessions/store-writer';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { errorCode } from './error-code';
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
  /** What clients must present; at least one unless `host` is loopback. */
  readonly auth: { readonly token: string | undefined; readonly password: string | undefined };
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
  const bus = createInProcessBus({ clock: busClock });
  const parse = sessionConfigParser(options.environment.variables);
  const file = options.environment.configPath;
  const watch = createConfigWatch({
    file,
    parse,
    initial: await loadConfig(file, parse),
    clock: systemClock,
    onChange: () => logger.info('the configuration was read again'),
    onRefused: (problems) => logger.warn('the configuration was edited and is not valid; the values before stay in force', { count: problems.length }),
  });
  const config = (): SessionConfig => watch.config;
  const writer = createStoreWriter({ bus, clock: systemClock, logger, metrics, config, places: options.places, instance, transport: 'standalone', holdsDefaultAgent: true });
  const router = createRouter({
    bus,
    clock: systemClock,
    logger,
    metrics,
    health,
    config,
    stateDir: options.places.stateDir,
    configPath: options.environment.configPath,
    homeDir: options.places.homeDir,
    version: VERSION,
    instance,
    listen: options.listen,
    ...(options.grpcPort === undefined ? {} : { grpcListen: { host: options.listen.host, port: options.grpcPort } }),
    ...(existsSync(PROTO_DIR) ? { protoDir: PROTO_DIR } : {}),
    auth: { ...(options.auth.token === undefined ? {} : { token: options.auth.token }), ...(options.auth.password === undefined ? {} : { password: options.auth.password }) },
  });
  const services: Service[] = [busService(bus), writer, router];
  const host = createHost({ services, clock: systemClock, logger });
  try {
    return await runUntilSignal({
      host,
      signals: process,
      clock: systemClock,
      onStarted: () => {
        watch.start();
        health.setPhase('serving');
        greet(options, router, config());
      },
    });
  } catch (error) {
    throw startFailure(error, options);
  } finally {
    await watch.stop();
    logger.info('the gateway has stopped');
  }
};

function busService(bus: ReturnType<typeof createInProcessBus>): Service {
  return { name: 'bus', start: () => Promise.resolve(), drain: () => Promise.resolve(), stop: () => bus.close() };
}

/** What a newcomer needs next, on standard output. */
function greet({ places, say, auth }: StandaloneOptions, router: Router, config: SessionConfig): void {
  const { host, port } = router.address();
  const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const { ids, defaultAgentId } = configuredAgents(config);
  const grpc = router.grpcAddress();
  say(`Gateway listening on http://${shown}:${port} (WebSocket on the same port${grpc === undefined ? '' : `, gRPC on ${grpc.host}:${grpc.port}`})`);
  if (shown !== host) say(`Other machines of the network reach it too (listening on ${host}).`);
  say(`State directory: ${places.stateDir}`);
  say(`Agents: ${ids.join(', ')} (default ${defaultAgentId})`);
  say('');
  say('Try next, in another terminal:');
  say('  npx openclaw status');
  say(`  npx openclaw gateway call chat.send --params '{"sessionKey":"main","message":"Hello","idempotencyKey":"hello-1"}'`);
  say('  npx openclaw sessions history main');
  if (auth.token === undefined && auth.password === undefined) say('\nNo token is configured: every program on this machine may use this gateway.');
}

/** Errors of the system at start, as sentences with the next step. */
function startFailure(error: unknown, { listen }: StandaloneOptions): unknown {
  const code = errorCode(error);
  if (code === 'EADDRINUSE') {
    return new SessionError('RUN_STILL_ACTIVE', `Port ${listen.port} on ${listen.host} is in use by another program.`, {
      facts: { host: listen.host, port: listen.port },
      hint: `Stop that program, or choose another port: --port ${listen.port + 1}`,
      cause: error,
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES') {
    return new SessionError('VALIDATION', `Cannot listen on ${listen.host}:${listen.port}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return error;
}
