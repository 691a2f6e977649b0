/**
 * `openclaw.json` (JSON5) on disk: read at start and again whenever it changes.
 *
 * The file belongs to its operator and to other programs; this side only reads it. A missing file
 * at start means all defaults. While running, an edit that cannot be used (broken, refused, or the
 * file gone) keeps the values in force and is reported until it is mended; the reader of
 * `problems` suspends whatever could delete data for as long.
 */
import type { Clock, Timer } from './clock';
import { errorCode } from './error-code';
import { type ConfigProblem, type SessionConfig, SessionError, formatProblem, parseConfig } from '@sessions/domain';
import type { EnvironmentVariables } from './env';
import type * as Json5 from 'json5';
import { type BigIntStats, closeSync, fstatSync, openSync, promises, readFileSync, statSync } from 'node:fs';

/** A larger file is refused rather than read. */
export const CONFIG_BYTES_MAX = 16 * 1024 * 1024;

/** How often a change is looked for. */
export const CONFIG_POLL_MS = 1000;

/** The path of a problem with the file as a whole. */
const WHOLE_FILE = '(file)';

export type ParsedConfig<Config> =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Judges the file's value; `undefined` stands for a missing file. Pure. */
export type ParseConfig<Config> = (raw: unknown) => ParsedConfig<Config>;

/** The parser of the session configuration, over the variables that the process was started with. */
export function sessionConfigParser(variables: EnvironmentVariables): ParseConfig<SessionConfig> {
  return (raw) => parseConfig(raw, variables);
}

export type ConfigReading<Config> = ParsedConfig<Config> & {
  /** False when there is no file. */
  readonly exists: boolean;
  /** What the file says, as it was parsed; absent without a file, and for one that cannot be parsed. */
  readonly source?: unknown;
};

/** The file as it was read last. */
export interface ConfigFileState {
  readonly exists: boolean;
  /** What the values in force were made of; undefined without a file. */
  readonly source: unknown;
  /** Why the file as it is now is not in force; empty while it is. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** A problem of the file as a whole; what is in it is not quoted. */
const wholeFile = (file: string, message: string): ConfigProblem => ({ path: WHOLE_FILE, value: file, message });

const refusal = (file: string, message: string): { ok: false; problems: readonly ConfigProblem[] } => ({
  ok: false,
  problems: [wholeFile(file, message)],
});

/** JSON5's own errors quote the offending character only; position is 1-based. */
function syntaxProblem(error: unknown): string {
  const at = error as { lineNumber?: unknown; columnNumber?: unknown };
  if (typeof at.lineNumber === 'number' && typeof at.columnNumber === 'number') {
    return `not valid JSON5 at line ${at.lineNumber}, column ${at.columnNumber}`;
  }
  return 'not valid JSON5';
}

type BytesRead = { readonly bytes: Buffer } | { readonly problem: string } | undefined;

const tooLarge = (size: number): BytesRead => ({ problem: `is ${size} bytes; at most ${CONFIG_BYTES_MAX} are read` });

/** @returns undefined for a file that is not there */
function unreadable(error: unknown): BytesRead {
  const code = errorCode(error);
  if (code === 'ENOENT') return undefined;
  return { problem: code === 'EISDIR' ? 'is a directory' : `cannot be read (${code ?? 'unknown error'})` };
}

async function readBytes(file: string): Promise<BytesRead> {
  let handle;
  try {
    handle = await promises.open(file, 'r');
    const { size } = await handle.stat();
    return size > CONFIG_BYTES_MAX ? tooLarge(size) : { bytes: await handle.readFile() };
  } catch (error) {
    return unreadable(error);
  } finally {
    await handle?.close();
  }
}

function readBytesSync(file: string): BytesRead {
  let fd;
  try {
    fd = openSync(file, 'r');
    const { size } = fstatSync(fd);
    return size > CONFIG_BYTES_MAX ? tooLarge(size) : { bytes: readFileSync(fd) };
  } catch (error) {
    return unreadable(error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The value of a JSON5 text. The parser of plain JSON comes first: it is there already, the other has to be loaded. */
function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { parse } = module.require('json5') as typeof Json5;
    return parse(text);
  }
}

function judge<Config>(file: string, read: BytesRead, parse: ParseConfig<Config>): ConfigReading<Config> {
  if (read === undefined) return { ...parse(undefined), exists: false };
  if ('problem' in read) return { ...refusal(file, read.problem), exists: true };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(read.bytes);
  } catch {
    return { ...refusal(file, 'is not valid UTF-8'), exists: true };
  }
  let raw: unknown;
  try {
    raw = parseText(text);
  } catch (error) {
    return { ...refusal(file, `is ${syntaxProblem(error)}`), exists: true };
  }
  return { ...parse(raw), exists: true, source: raw };
}

/**
 * Reads and judges the file once; never throws for what is in it.
 * A byte order mark is accepted, bytes that are not UTF-8 are refused.
 */
export async function readConfigFile<Config>(file: string, parse: ParseConfig<Config>): Promise<ConfigReading<Config>> {
  return judge(file, await readBytes(file), parse);
}

/** One line a problem, as an operator reads them. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map((problem) => (problem.path === WHOLE_FILE ? `${problem.value} ${problem.message}` : formatProblem(problem)))
    .join('\n');
}

/** The configuration that a process starts with. */
export interface LoadedConfig<Config> {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
  /** False when there is no file and all values are defaults. */
  readonly exists: boolean;
  /** What the values were made of; undefined without a file. */
  readonly source?: unknown;
  /** Which version of the file this is; for the watch that goes on from here. */
  readonly stamp: string;
}

/**
 * Reads the configuration that a process starts with.
 * @throws CONFIG_INVALID with every problem, one a line
 */
export async function loadConfig<Config>(file: string, parse: ParseConfig<Config>): Promise<LoadedConfig<Config>> {
  const stamp = await stampOf(file);
  return usable(file, await readConfigFile(file, parse), stamp);
}

/** The same for a command: blocking, so that a short process starts no threads. */
export function loadConfigSync<Config>(file: string, parse: ParseConfig<Config>): LoadedConfig<Config> {
  const stamp = stampOfSync(file);
  return usable(file, judge(file, readBytesSync(file), parse), stamp);
}

function usable<Config>(file: string, reading: ConfigReading<Config>, stamp: string): LoadedConfig<Config> {
  if (reading.ok) return { config: reading.config, warnings: reading.warnings, exists: reading.exists, source: reading.source, stamp };
  throw new SessionError('CONFIG_INVALID', `the configuration cannot be used:\n${describeProblems(reading.problems)}`, {
    facts: { problemsCount: reading.problems.length },
    hint: `edit ${file}`,
  });
}

const GONE = 'gone';

/** Identity and version of a file; a replaced file differs in its inode. */
const toStamp = ({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string => `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
const stampWithout = (error: unknown): string => (errorCode(error) === 'ENOENT' ? GONE : `error:${errorCode(error)}`);

async function stampOf(file: string): Promise<string> {
  try {
    return toStamp(await promises.stat(file, { bigint: true }));
  } catch (error) {
    return stampWithout(error);
  }
}

function stampOfSync(file: string): string {
  try {
    return toStamp(statSync(file, { bigint: true }));
  } catch (error) {
    return stampWithout(error);
  }
}

export interface ConfigWatchDeps<Config> {
  readonly file: string;
  readonly parse: ParseConfig<Config>;
  readonly clock: Clock;
  /** The values that the process started with, in force until a good edit. */
  readonly initial: LoadedConfig<Config>;
  /** Called with the values of each good edit. */
  readonly onChange: (config: Config, warnings: readonly ConfigProblem[]) => void;
  /** Called once for each bad edit. */
  readonly onRefused: (problems: readonly ConfigProblem[]) => void;
  readonly pollMs?: number;
}

export interface ConfigWatch<Config> {
  /** The values in force. */
  readonly config: Config;
  /** Why the file as it is now is not in force; empty while it is. */
  readonly problems: readonly ConfigProblem[];
  readonly file: ConfigFileState;
  /** Begins to look every `pollMs`. */
  start(): void;
  /** Looks now rather than at the next poll; resolves when what it found is in force or refused. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Follows the file by polling, which works on every file system and through symbolic links. One
 * look at a time; a file that changes while it is read is read again at the next look.
 */
export function createConfigWatch<Config>(deps: ConfigWatchDeps<Config>): ConfigWatch<Config> {
  const { file, parse, clock, pollMs = CONFIG_POLL_MS } = deps;
  let config = deps.initial.config;
  let { source, exists, warnings } = deps.initial;
  let problems: readonly ConfigProblem[] = [];
  let seen = deps.initial.stamp;
  let timer: Timer | undefined;
  let stopped = true;
  let looking: Promise<void> = Promise.resolve();

  const refuse = (found: readonly ConfigProblem[]): void => {
    problems = found;
    deps.onRefused(found);
  };

  const lookOnce = async (): Promise<void> => {
    const before = await stampOf(file);
    if (before === seen) return;
    if (before === GONE) {
      seen = before;
      exists = false;
      refuse([wholeFile(file, 'is gone; the values read before stay in force')]);
      return;
    }
    const reading = await readConfigFile(file, parse);
    if ((await stampOf(file)) !== before) return;
    seen = before;
    exists = reading.exists;
    if (reading.ok) {
      problems = [];
      config = reading.config;
      source = reading.source;
      warnings = reading.warnings;
      deps.onChange(reading.config, reading.warnings);
    } else {
      refuse(reading.problems);
    }
  };

  const look = (): Promise<void> => {
    looking = looking.then(lookOnce);
    return looking;
  };

  const again = (): void => {
    if (stopped) return;
    timer = clock.setTimer(pollMs, () => void look().then(again), { keepsAlive: false });
  };

  return {
    get config() {
      return config;
    },
    get problems() {
      return problems;
    },
    get file() {
      return { exists, source, problems, warnings };
    },
    start() {
      stopped = false;
      again();
    },
    look,
    async stop() {
      stopped = true;
      timer?.cancel();
      await looking;
    },
  };
}
