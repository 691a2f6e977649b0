/**
 * One app of the split deployment as a process: flags, environment and configuration in; logger,
 * metrics, health, probes, watchdog, traces and the bus around; the app's own services inside.
 *
 * In order: probes (not ready yet) → bus → services, each after those it needs → ready. At the end
 * backwards: not ready → services drained within SESS_DRAIN_TIMEOUT_MS → bus → probes. The process
 * owns nothing on disk but what its services do.
 */
import { appHelp, readAppEnvironment, type AppEnvironment, type AppHelp } from './app-environment';
import { createBusLink, type AppBus, type ConnectBus } from './bus-link';
import { systemClock, type Clock } from './clock';
import { createConfigWatch, loadConfig, sessionConfigParser } from './config-file';
import type { ConfigFileState } from './config-file';
import { readEnvironment, type EnvironmentVariables, type HostEnvironment } from './env';
import { createGrpcHealth } from './grpc-health';
import { createHealth, type Health } from './health';
import { createHost } from './host';
import { listenFailure, parseBind } from './listen-address';
import { createLogger, type Logger } from './logger';
import { createMetrics, type Metrics } from './metrics';
import { createProbes } from './probes';
import { runUntilSignal, type SignalSource } from './run-until-signal';
import type { Service } from './service';
import { startTracing, type CallTracer } from './tracing';
import { startWatchdog } from './watchdog';
import { SessionError, type Places, type SessionConfig } from '@sessions/domain';
import { hostname } from 'node:os';

/** Longest wait, after everything has been closed, for what keeps the event loop alive by mistake. */
const EXIT_GRACE_MS = 2_000;

/** What an app builds its services of. */
export interface AppParts<B extends AppBus> {
  readonly bus: B;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  /** The configuration in force at this moment. */
  readonly config: () => SessionConfig;
  readonly configFile: () => ConfigFileState;
  /** True while an edit of the configuration is refused: nothing is removed on the word of the values before. */
  readonly isSuspended: () => boolean;
  readonly places: Places;
  readonly environment: HostEnvironment;
  readonly app: AppEnvironment;
  readonly instance: string;
  /** Present while traces are configured. */
  readonly tracer: CallTracer | undefined;
}

export interface AppDefinition<B extends AppBus> extends AppHelp {
  readonly version: string;
  /** The library of the bus is the app's to choose: this one does not know it. */
  readonly connectBus: ConnectBus<B>;
  /** In order of dependency. @throws SessionError when the configuration does not allow it */
  readonly createServices: (parts: AppParts<B>) => readonly Service[];
}

/** What of its process an app may touch. */
export interface AppProcess {
  /** Without the program's own name. */
  readonly argv: readonly string[];
  readonly env: EnvironmentVariables;
  readonly accountHome: string;
  readonly pid: number;
  readonly signals: SignalSource;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/**
 * Runs the app until a signal.
 * @returns the exit code: 0 after a clean end, 1 when it could not start (a sentence on standard
 *   error says why) or did not finish, 130 when a second signal cut the drain short
 */
export async function runApp<B extends AppBus>(definition: AppDefinition<B>, process: AppProcess): Promise<number> {
  const [flag] = process.argv;
  if (flag === '--help' || flag === '-h') return say(process, appHelp(definition));
  if (flag === '--version' || flag === '-V') return say(process, `${definition.version}\n`);
  try {
    if (flag !== undefined) throw new SessionError('VALIDATION', `${definition.name} takes no argument ${JSON.stringify(flag)}`, { hint: `${definition.name} --help tells what it reads` });
    return await run(definition, process);
  } catch (error) {
    process.err(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof SessionError && error.hint !== undefined) process.err(`${error.hint}\n`);
    return 1;
  }
}

function say(process: AppProcess, text: string): number {
  process.out(text);
  return 0;
}

/** `main.ts` of every app: runs it in this process and sets its exit code. */
export function runAppHere<B extends AppBus>(definition: AppDefinition<B>): void {
  void runApp(definition, {
    argv: process.argv.slice(2),
    env: process.env,
    accountHome: process.env['HOME'] ?? '/',
    pid: process.pid,
    signals: process,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  }).then((code) => {
    process.exitCode = code;
    setTimeout(() => process.exit(code), EXIT_GRACE_MS).unref();
  });
}

async function run<B extends AppBus>(definition: AppDefinition<B>, process: AppProcess): Promise<number> {
  const { name, version } = definition;
  const environment = readEnvironment(process.env, process.accountHome);
  const app = readAppEnvironment(process.env, environment.homeDir);
  const instance = environment.instance ?? `${hostname()}-${process.pid}`;
  const parse = sessionConfigParser(environment.variables);
  const initial = await loadConfig(environment.configPath, parse);
  const logger = createLogger({ service: name, instance, level: app.logLevel, format: app.logFormat });
  const watch = createConfigWatch({
    file: environment.configPath,
    parse,
    initial,
    clock: systemClock,
    onChange: () => logger.info('the configuration was read again'),
    onRefused: (problems) => logger.warn('the configuration was edited and is not valid; the values before stay in force', { count: problems.length }),
  });
  const health = createHealth();
  const metrics = createMetrics({ service: name, instance });
  const closing: (() => Promise<unknown> | void)[] = [() => metrics.close()];
  try {
    if (app.watchdogMs > 0) {
      const watchdog = startWatchdog({ service: name, instance, limitMs: app.watchdogMs, onFailure: (err) => logger.error('the watchdog has failed', { err }) });
      closing.push(() => watchdog?.stop());
    }
    const tracing = await startTracing({ variables: environment.variables, service: name, instance, version });
    closing.push(() => tracing?.stop());
    const link = createBusLink({ clock: systemClock, logger, metrics, health });
    closing.push(...(await openProbes(definition, app, { health, metrics, logger, beforeReport: link.look })));
    const bus = await link.connect(definition.connectBus, app, { service: name, instance, subjectPrefix: initial.config.bus.subjectPrefix });
    const services = [
      service('bus', { stop: () => bus.close() }),
      ...definition.createServices({
        bus,
        clock: systemClock,
        logger,
        metrics,
        health,
        config: () => watch.config,
        configFile: () => watch.file,
        isSuspended: () => watch.problems.length > 0,
        places: { stateDir: environment.stateDir, homeDir: environment.homeDir },
        environment,
        app,
        instance,
        tracer: tracing,
      }),
      // Drained first: whoever balances load hears of the end before anything is refused.
      service('readiness', { drain: async () => health.setPhase('draining') }),
    ];
    closing.push(() => watch.stop(), () => bus.close());
    return await runUntilSignal({
      host: createHost({ services, clock: systemClock, logger, drainTimeoutMs: app.drainTimeoutMs }),
      signals: process.signals,
      clock: systemClock,
      onStarted: () => {
        watch.start();
        health.setPhase('serving');
        logger.info('the app is serving');
      },
    });
  } finally {
    health.setPhase('stopped');
    for (const close of closing.reverse()) await Promise.resolve(close()).catch((err: unknown) => logger.error('a part could not be closed', { err }));
    logger.info('the app has stopped');
  }
}

function service(name: string, { drain, stop }: { readonly drain?: () => Promise<void>; readonly stop?: () => Promise<void> }): Service {
  const nothing = (): Promise<void> => Promise.resolve();
  return { name, start: nothing, drain: drain ?? nothing, stop: stop ?? nothing };
}

type ProbeParts = Pick<Parameters<typeof createProbes>[0], 'health' | 'metrics' | 'beforeReport'> & { readonly logger: Logger };

/** @returns what closes them again */
async function openProbes({ probePort, servesClients }: AppHelp, app: AppEnvironment, { logger, ...parts }: ProbeParts): Promise<(() => Promise<void>)[]> {
  const opened: (() => Promise<void>)[] = [];
  const host = app.listenHost ?? parseBind('loopback');
  const port = app.probePort ?? probePort;
  if (port !== 'off') {
    const probes = createProbes({ ...parts, listen: { host, port } });
    await probes.listen().catch((error: unknown) => {
      throw listenFailure(error, { host, port }, 'choose another port for the probes with SESS_PROBE_PORT');
    });
    opened.push(() => probes.close());
    logger.info('probes are served', { port: probes.address().port });
  }
  // The router's edge serves the same health on its own gRPC port.
  if (app.grpcPort !== undefined && app.grpcPort !== 'off' && !servesClients) {
    const grpc = createGrpcHealth({ health: parts.health, listen: { host, port: app.grpcPort } });
    await grpc.listen();
    opened.push(() => grpc.close());
    logger.info('gRPC health is served', { port: grpc.address().port });
  }
  return opened;
}
