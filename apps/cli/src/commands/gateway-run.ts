/**
 * `openclaw gateway run`: flags laid over the configuration, then every service in this process.
 *
 * A first start without a configuration writes one with a generated token, so that a gateway is
 * never open to every program of the machine by accident.
 */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { sharedSessionWarning } from '../offline/direct-senders';
import { startStandalone } from '../standalone';
import type { StandaloneOptions, StartStandalone } from '../standalone';
import { SessionError } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import { assertLogin, createMinimalConfig, makeDirectory, parseBind, readAppEnvironment, readGrpcTlsOf } from '@sessions/host';
import type { BusEnvironment, HostEnvironment } from '@sessions/host';
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../error-code';

export interface GatewayRunFlags {
  readonly port?: string | undefined;
  readonly bind?: string | undefined;
  readonly token?: string | undefined;
  readonly password?: string | undefined;
  /** Port of the gRPC edge; not served without. */
  readonly grpcPort?: string | undefined;
  /** Addresses of NATS, or `inproc`. */
  readonly bus?: string | undefined;
  readonly json?: boolean | undefined;
}

const PORT_MAX = 65_535;
/** @throws VALIDATION */
export function parsePort(given: string | undefined, configured: number, option = '--port'): number {
  if (given === undefined) return configured;
  const port = /^\d{1,5}$/u.test(given) ? Number(given) : Number.NaN;
  if (port <= PORT_MAX) return port;
  throw new SessionError('VALIDATION', `${option} must be a whole number from 0 to ${PORT_MAX}, for example ${option} 19000.`, { facts: { option, given } });
}

/** Found out before anything listens, not at the first message. @throws READ_ONLY */
async function ensureWritable(stateDir: string): Promise<void> {
  try {
    await makeDirectory(stateDir, 0o700);
    await access(stateDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    throw new SessionError('READ_ONLY', `the state directory ${stateDir} cannot be written (${code})`, {
      facts: { directory: stateDir, code },
      hint: 'make the directory writable, or choose another with OPENCLAW_STATE_DIR',
      cause: error,
    });
  }
}

const IN_PROCESS = 'inproc';

/** The flag first, then the configuration, which `SESS_NATS_URL` sets to NATS. @throws VALIDATION, CONFIG_INVALID */
function busOf(flag: string | undefined, environment: HostEnvironment, config: SessionConfig): BusEnvironment | undefined {
  if (flag === IN_PROCESS || (flag === undefined && config.bus.transport === IN_PROCESS)) return undefined;
  if (flag !== undefined && !/^(nats|tls|ws|wss):\/\//iu.test(flag)) {
    // The value may hold a password.
    throw new SessionError('VALIDATION', '--bus must be inproc or addresses of NATS, for example --bus nats://127.0.0.1:4222.', { facts: { option: '--bus' } });
  }
  return readAppEnvironment(flag === undefined ? environment.variables : { ...environment.variables, SESS_NATS_URL: flag }, environment.homeDir);
}

/** As the router's own program reads it. @throws CONFIG_INVALID */
function grpcPortOf({ variables, homeDir }: HostEnvironment): number | undefined {
  const { SESS_GRPC_PORT } = variables;
  const { grpcPort } = readAppEnvironment({ SESS_GRPC_PORT }, homeDir);
  return typeof grpcPort === 'number' ? grpcPort : undefined;
}

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

/** @throws VALIDATION, CONFIG_INVALID, READ_ONLY; UNAUTHENTICATED for an open address that nobody has to log in to */
export async function resolveStandaloneOptions(io: CliIo, flags: GatewayRunFlags): Promise<StandaloneOptions> {
  const context = loadCliContext(io);
  const { environment, config, places, warnings, configExists } = context;
  const say = (line: string): void => io.out(`${line}\n`);
  const port = parsePort(flags.port, config.gateway.port);
  const grpcPort = flags.grpcPort === undefined ? grpcPortOf(environment) : parsePort(flags.grpcPort, 0, '--grpc-port');
  const host = parseBind(flags.bind ?? config.gateway.bind);
  const configuredToken = given(flags.token) ?? config.gateway.auth.token;
  const password = given(flags.password) ?? config.gateway.auth.password;
  assertLogin(host, config.gateway.auth, { token: configuredToken, password }, 'Set gateway.auth.token in the configuration, or pass --token or --password.');
  const bus = busOf(flags.bus, environment, config);
  await ensureWritable(places.stateDir);
  const firstStart = !configExists && configuredToken === undefined && password === undefined;
  // Where agents have conversations already, nobody there shall suddenly be answered by an echo.
  const withEcho = firstStart && !existsSync(join(places.stateDir, 'agents'));
  const made = firstStart ? await createMinimalConfig(environment.configPath, { withEcho }) : undefined;
  if (made?.created === true) say(`Made a configuration with a new token: ${environment.configPath}${withEcho ? '; agents answer as an echo until it names a model' : ''}`);
  const token = made?.created === true ? made.token : configuredToken;
  for (const { path, message } of warnings) io.err(`warning: ${path}: ${message}\n`);
  const sharing = await sharedSessionWarning(context);
  if (sharing !== undefined) io.err(`warning: ${sharing.message}; ${sharing.hint}\n`);
  return {
    environment,
    places,
    listen: { host, port },
    grpcPort,
    grpcTls: grpcPort === undefined ? undefined : readGrpcTlsOf(environment.variables, environment.homeDir),
    bus,
    auth: { token, password },
    jsonLogs: flags.json === true,
    say,
  };
}

export async function runGatewayRun(io: CliIo, flags: GatewayRunFlags, start: StartStandalone = startStandalone): Promise<ExitCode> {
  const code = await start(await resolveStandaloneOptions(io, flags));
  return code === EXIT.ok || code === EXIT.interrupted ? code : EXIT.failed;
}
