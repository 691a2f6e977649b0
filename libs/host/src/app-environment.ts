/**
 * The environment of the split apps: one table with name, meaning and default, from which values
 * are read and `--help` is printed. The variables that every program of the system reads (state
 * directory, configuration, credentials) are in `env.ts`; they are listed here for the help only.
 *
 * All problems are reported at once; none is replaced by a guess.
 */
import { parseBind } from './listen-address';
import { WATCHDOG_MS } from './watchdog';
import { DRAIN_TIMEOUT_MS } from './host';
import { LOG_LEVELS, type LogLevel } from './logger';
import { resolvePath, type EnvironmentVariables } from './env';
import { SessionError } from '@sessions/domain';

/** How long an app waits for its bus at start. */
export const CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_SERVER = 'nats://127.0.0.1:4222';
const PORT_MAX = 65_535;
const MS_MAX = 2 ** 31 - 1;

/** A text that cannot be used; the message says what is allowed. */
class Unusable extends Error {}

interface Variable<T> {
  readonly name: string;
  readonly meaning: string;
  /** As help shows it. */
  readonly fallback: string;
  readonly read: (text: string | undefined, homeDir: string) => T;
}

const whole = (text: string, min: number, max: number, what: string): number => {
  const value = /^\d{1,10}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Unusable(`expected ${what}, a whole number from ${min} to ${max}`);
};
const milliseconds = (fallback: number, min: number) => (text: string | undefined): number => (text === undefined ? fallback : whole(text, min, MS_MAX, 'milliseconds'));
const port = (text: string): number => whole(text, 0, PORT_MAX, 'a port');
const optionalPort = (text: string | undefined): number | 'off' | undefined => (text === undefined ? undefined : text === 'off' ? 'off' : port(text));
const file = (text: string | undefined, homeDir: string): string | undefined => (text === undefined ? undefined : resolvePath(text, homeDir));

function servers(text: string = DEFAULT_SERVER): readonly string[] {
  const all = text.split(',').map((one) => one.trim()).filter((one) => one !== '');
  const usable = all.length > 0 && all.every((one) => URL.canParse(one.includes('://') ? one : `nats://${one}`));
  if (!usable) throw new Unusable('expected addresses such as nats://host:4222, separated by commas');
  return all;
}

function choice<const T extends string>(values: readonly T[], fallback: T): (text: string | undefined) => T {
  return (text = fallback) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new Unusable(`expected one of ${values.join(', ')}`);
    return found;
  };
}

const TABLE = {
  servers: { name: 'SESS_NATS_URL', meaning: 'NATS servers, comma separated; user and password may stand before the host', fallback: DEFAULT_SERVER, read: servers },
  credsFile: { name: 'SESS_NATS_CREDS', meaning: 'credentials file of NATS', fallback: 'none', read: file },
  caFile: { name: 'SESS_NATS_CA', meaning: 'PEM file with the authority that signed the server\'s certificate', fallback: 'none', read: file },
  certFile: { name: 'SESS_NATS_CERT', meaning: 'PEM file with this client\'s certificate', fallback: 'none', read: file },
  keyFile: { name: 'SESS_NATS_KEY', meaning: 'PEM file with the key of that certificate', fallback: 'none', read: file },
  connectTimeoutMs: { name: 'SESS_NATS_CONNECT_TIMEOUT_MS', meaning: 'how long the start waits for NATS, milliseconds', fallback: String(CONNECT_TIMEOUT_MS), read: milliseconds(CONNECT_TIMEOUT_MS, 1) },
  listenHost: { name: 'SESS_LISTEN_HOST', meaning: 'where ports are opened: loopback, lan or an IP address', fallback: 'gateway.bind of the configuration for clients, loopback for probes', read: (text: string | undefined) => (text === undefined ? undefined : bind(text)) },
  port: { name: 'SESS_PORT', meaning: 'HTTP and WebSocket; 0: a free one', fallback: 'gateway.port of the configuration, 18789', read: (text: string | undefined) => (text === undefined ? undefined : port(text)) },
  grpcPort: { name: 'SESS_GRPC_PORT', meaning: 'gRPC with grpc.health.v1; 0: a free one', fallback: 'off', read: optionalPort },
  grpcCertFile: { name: 'SESS_GRPC_TLS_CERT', meaning: 'PEM file with the certificate of the gRPC door; with it comes the key', fallback: 'plain text', read: file },
  grpcKeyFile: { name: 'SESS_GRPC_TLS_KEY', meaning: 'PEM file with the key of that certificate', fallback: 'none', read: file },
  grpcClientCaFile: { name: 'SESS_GRPC_TLS_CLIENT_CA', meaning: 'PEM file with the authority whose certificates gRPC clients must show', fallback: 'they need none', read: file },
  probePort: { name: 'SESS_PROBE_PORT', meaning: '/healthz, /readyz and /metrics; 0: a free one; off', fallback: '', read: optionalPort },
  drainTimeoutMs: { name: 'SESS_DRAIN_TIMEOUT_MS', meaning: 'how long the end waits for work in hand, milliseconds', fallback: String(DRAIN_TIMEOUT_MS), read: milliseconds(DRAIN_TIMEOUT_MS, 0) },
  watchdogMs: { name: 'SESS_WATCHDOG_MS', meaning: 'end a process whose main thread stands still for so long, milliseconds; 0: never', fallback: String(WATCHDOG_MS), read: milliseconds(WATCHDOG_MS, 0) },
  logLevel: { name: 'SESS_LOG_LEVEL', meaning: LOG_LEVELS.join(', '), fallback: 'info', read: choice<LogLevel>(LOG_LEVELS, 'info') },
  logFormat: { name: 'SESS_LOG_FORMAT', meaning: 'json (one object a line) or text (for people)', fallback: 'json', read: choice(['json', 'text'], 'json') },
} as const satisfies Record<string, Variable<unknown>>;

type Table = typeof TABLE;
export type AppVariable = keyof Table;
export type AppEnvironment = { readonly [Key in AppVariable]: ReturnType<Table[Key]['read']> };

function bind(text: string): string {
  try {
    return parseBind(text, 'SESS_LISTEN_HOST');
  } catch {
    throw new Unusable('expected loopback, lan or an IP address');
  }
}

/** @throws CONFIG_INVALID naming every variable that cannot be used */
export function readAppEnvironment(variables: EnvironmentVariables, homeDir: string): AppEnvironment {
  const problems: string[] = [];
  const values = Object.entries(TABLE as Record<string, Variable<unknown>>).map(([key, { name, read }]) => {
    const text = variables[name]?.trim();
    try {
      return [key, read(text === '' ? undefined : text, homeDir)];
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      // An address may hold a password.
      problems.push(`${name}${name === TABLE.servers.name ? '' : ` is ${JSON.stringify(text)}`}: ${error.message}`);
      return [key, undefined];
    }
  });
  if (problems.length > 0) throw new SessionError('CONFIG_INVALID', `the environment cannot be used:\n${problems.join('\n')}`, { facts: { problemsCount: problems.length } });
  return Object.freeze(Object.fromEntries(values)) as AppEnvironment;
}

/** Read by every program of the system, in `env.ts` and the configuration. */
const SHARED: readonly (readonly [name: string, meaning: string, fallback: string])[] = [
  ['OPENCLAW_STATE_DIR', 'directory of the stores and the configuration', '~/.openclaw'],
  ['OPENCLAW_CONFIG_PATH', 'the configuration, openclaw.json', '<state directory>/openclaw.json'],
  ['OPENCLAW_TRAJECTORY', 'record what runs do beside their transcripts; 0, false, no or off: do not', '1'],
  ['OPENCLAW_TRAJECTORY_DIR', 'one directory for all of these records', 'beside the transcripts'],
  ['SESS_INSTANCE', 'name of this copy among its peers', 'host name and process id'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'send traces to this collector (the other OTEL_ variables count too)', 'no traces'],
];

/** Variables that only the router reads. */
const ROUTER_ONLY: readonly AppVariable[] = ['port', 'grpcCertFile', 'grpcKeyFile', 'grpcClientCaFile'];
const ROUTER_SHARED: typeof SHARED = [
  ['OPENCLAW_GATEWAY_TOKEN', 'what clients present, when the configuration names none', 'none'],
  ['OPENCLAW_GATEWAY_PASSWORD', 'the same as a password', 'none'],
];

export interface AppHelp {
  readonly name: string;
  readonly summary: string;
  readonly probePort: number;
  readonly servesClients: boolean;
  /** Keys of openclaw.json that matter here. */
  readonly settings: readonly string[];
}

/** What `--help` prints. */
export function appHelp({ name, summary, probePort, servesClients, settings }: AppHelp): string {
  const own = (Object.entries(TABLE) as [AppVariable, Variable<unknown>][])
    .filter(([key]) => servesClients || !ROUTER_ONLY.includes(key))
    .map(([key, variable]) => [variable.name, variable.meaning, key === 'probePort' ? String(probePort) : variable.fallback] as const);
  const rows = [...SHARED, ...(servesClients ? ROUTER_SHARED : []), ...own];
  const width = Math.max(...rows.map(([variable]) => variable.length));
  const lines = rows.map(([variable, meaning, fallback]) => `  ${variable.padEnd(width)}  ${meaning} (default: ${fallback})`);
  return `${summary}

Usage: ${name} [--help] [--version]

It takes no other flags: the environment says how this copy runs, openclaw.json what the system does.
SIGTERM and SIGINT finish the work in hand and end with exit code 0.

Environment:
${lines.join('\n')}

Settings of openclaw.json that matter here: ${settings.join(', ')}

Examples:
  $ SESS_NATS_URL=nats://127.0.0.1:4222 node apps/${name}/dist/main.js
  $ curl http://127.0.0.1:${probePort}/readyz
`;
}
