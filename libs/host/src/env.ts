/**
 * The environment variables of the system, read once at start and nowhere else.
 *
 * An empty variable counts as unset. A number that cannot be understood stops the start and names
 * its variable: a limit is never replaced by a guess.
 */
import { SessionError, expandHome } from '@sessions/domain';
import path from 'node:path';

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

export interface HostEnvironment {
  /** Where `~` points to: OPENCLAW_HOME, else HOME, else the account's home. */
  readonly homeDir: string;
  /** OPENCLAW_STATE_DIR, else `<home>/.openclaw`; absolute. */
  readonly stateDir: string;
  /** OPENCLAW_CONFIG_PATH, else `<stateDir>/openclaw.json`; absolute. */
  readonly configPath: string;
  /** Credentials for the gateway; the configuration's own come first. */
  /** Of the local gateway; before that of the configuration. */
  readonly gatewayPort: number | undefined;
  /** Of another gateway; before what the configuration says. */
  readonly gatewayUrl: string | undefined;
  readonly gatewayToken: string | undefined;
  readonly gatewayPassword: string | undefined;
  /** Bus server, its credentials file and this instance's name; split deployment only. */
  readonly natsUrl: string | undefined;
  readonly natsCredsPath: string | undefined;
  readonly instance: string | undefined;
  readonly trajectory: {
    readonly enabled: boolean;
    readonly dir: string | undefined;
    readonly flushTimeoutMs: number;
  };
  /** All variables: the configuration refers to some by name, and overrides `session.writeLock` by others. */
  readonly variables: EnvironmentVariables;
}

export const TRAJECTORY_FLUSH_TIMEOUT_MS = 10_000;
/** Words that switch something off which is on by default. */
const OFF: ReadonlySet<string> = new Set(['0', 'false', 'no', 'off']);

/** Largest number of milliseconds that a variable may hold: 2^31 − 1, what a timer takes. */
const PORT_MAX = 65_535;
const MS_MAX = 2 ** 31 - 1;

/** Resolves a leading `~` and makes the path absolute. */
export function resolvePath(given: string, homeDir: string): string {
  return path.resolve(expandHome(given, homeDir));
}

/**
 * @param variables usually `process.env`
 * @param accountHome home directory of the account, when neither OPENCLAW_HOME nor HOME is set
 * @throws CONFIG_INVALID naming the variable whose number cannot be used
 */
export function readEnvironment(variables: EnvironmentVariables, accountHome: string): HostEnvironment {
  const text = (name: string): string | undefined => {
    const value = variables[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  };
  const positiveMs = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const parsed = /^\d+$/.test(value) ? Number(value) : 0;
    if (parsed >= 1 && parsed <= MS_MAX) return parsed;
    throw new SessionError('CONFIG_INVALID', `${name} is ${JSON.stringify(value)}: expected milliseconds, a whole number from 1 to ${MS_MAX}`, {
      facts: { variable: name },
    });
  };

  const readPort = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const parsed = /^\d{1,5}$/u.test(value) ? Number(value) : Number.NaN;
    if (parsed >= 1 && parsed <= PORT_MAX) return parsed;
    throw new SessionError('CONFIG_INVALID', `${name} is ${JSON.stringify(value)}: expected a port, a whole number from 1 to ${PORT_MAX}`, { facts: { variable: name } });
  };

  const homeGiven = text('OPENCLAW_HOME');
  const accountDir = text('HOME') ?? accountHome;
  const homeDir = homeGiven === undefined ? path.resolve(accountDir) : resolvePath(homeGiven, accountDir);
  const inHome = (name: string): string | undefined => {
    const value = text(name);
    return value === undefined ? undefined : resolvePath(value, homeDir);
  };
  const stateDir = inHome('OPENCLAW_STATE_DIR') ?? path.join(homeDir, '.openclaw');

  return Object.freeze({
    homeDir,
    stateDir,
    configPath: inHome('OPENCLAW_CONFIG_PATH') ?? path.join(stateDir, 'openclaw.json'),
    gatewayPort: readPort('OPENCLAW_GATEWAY_PORT'),
    gatewayUrl: text('OPENCLAW_GATEWAY_URL'),
    gatewayToken: text('OPENCLAW_GATEWAY_TOKEN'),
    gatewayPassword: text('OPENCLAW_GATEWAY_PASSWORD'),
    natsUrl: text('SESS_NATS_URL'),
    natsCredsPath: inHome('SESS_NATS_CREDS'),
    instance: text('SESS_INSTANCE'),
    trajectory: {
      enabled: !OFF.has(text('OPENCLAW_TRAJECTORY')?.toLowerCase() ?? ''),
      dir: inHome('OPENCLAW_TRAJECTORY_DIR'),
      flushTimeoutMs: positiveMs('OPENCLAW_TRAJECTORY_FLUSH_TIMEOUT_MS') ?? TRAJECTORY_FLUSH_TIMEOUT_MS,
    },
    variables: Object.freeze({ ...variables }),
  });
}
