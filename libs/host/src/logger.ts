/**
 * Logs: one JSON object a line (pino), or the same as text for a terminal.
 *
 * Messages are fixed sentences in lower case; facts are fields of `log-fields.ts` and nothing else
 * is printed. Info: an operator would want it in a week's log. Warn: works, but somebody should
 * look. Error: something promised did not happen.
 */
import { type LogFields, type LoggedError, createKeyHasher, toLogLine } from './log-fields';
import { randomBytes } from 'node:crypto';
import { type DestinationStream, type Logger as Pino, destination, pino } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry these fields too. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly service: string;
  readonly instance?: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default `json`. */
  readonly format?: 'json' | 'text';
  /** Where lines go; default standard error, written without waiting for whoever reads it. */
  readonly write?: (line: string) => void;
  /** Salt of the hashes of session keys; default a new one each process. */
  readonly keySalt?: string | Uint8Array;
}

const KEY_SALT_BYTES = 16;
/** Lines that wait while standard error does not take them, in bytes; later ones are dropped. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
const STDERR = 2;

/** One line for people: time, level, message, fields; an error's frames below it. */
export function toTextLine(json: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown> & { err?: LoggedError };
  const { stack, cause, ...kinds } = err ?? {};
  const named = {
    ...fields,
    ...Object.fromEntries(Object.entries(kinds).map(([name, value]) => [`err.${name}`, value])),
    ...(cause !== undefined && { 'err.cause': cause.reason ?? cause.code ?? cause.type }),
  };
  const pairs = Object.entries(named).map(([name, value]) => ` ${name}=${String(value)}`);
  const at = new Date(Number(time)).toISOString();
  return `${at} ${String(level).padEnd(5)} ${String(msg)}${pairs.join('')}\n${stack === undefined ? '' : `${stack}\n`}`;
}

function wrap(inner: Pino, hashKey: (sessionKey: string) => string): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      if (!inner.isLevelEnabled(level)) return;
      inner[level](fields === undefined ? {} : toLogLine(fields, hashKey), message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(inner.child(toLogLine(fields, hashKey)), hashKey),
  };
}

/**
 * Writes lines without waiting. A place that takes none (a log on a disk that is full, which may be
 * the store's own) ends no process that can go on serving: lines wait in the backlog, the oldest
 * first, and are tried again with the next one.
 */
function writerTo(fd: number): (line: string) => void {
  const stream = destination({ fd, sync: false, maxLength: BACKLOG_BYTES_MAX });
  const nothing = (): void => undefined;
  // From then on nobody waits, at the end of the process, for what may never be taken.
  stream.on('error', () => Object.assign(stream, { flush: nothing, flushSync: nothing, end: nothing }));
  return (line) => void stream.write(line);
}

export function createLogger(options: LoggerOptions): Logger {
  const { service, instance, level = 'info', format = 'json', keySalt = randomBytes(KEY_SALT_BYTES) } = options;
  const write = options.write ?? writerTo(STDERR);
  const stream: DestinationStream = { write: (json) => write(format === 'text' ? toTextLine(json) : json) };
  const inner = pino(
    {
      level,
      base: { service, ...(instance !== undefined && { instance }) },
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    stream,
  );
  return wrap(inner, createKeyHasher(keySalt));
}

/** A logger that prints nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
