/**
 * `openclaw sessions tail`: what sessions are doing, one line an event, without a gateway. With
 * `--follow` it looks again every second, by key: a session that is begun anew, and a trajectory that
 * is moved, replaced or cut, are followed, and no event is printed twice.
 */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { findSession } from '../offline/find-session';
import type { FoundSession } from '../offline/find-session';
import { readRows } from '../offline/read-rows';
import { selectStores } from '../offline/select-stores';
import { readAppended, readLastEvents, trajectoryPath } from '@sessions/store';
import type { TrajectoryEvent, TrajectoryPlace } from '@sessions/store';
import { eventDocument, renderEvent } from '../render/trajectory-line';
import type { SessionRow } from '@sessions/contracts';
import { SessionError, transcriptsBefore } from '@sessions/domain';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

export const TAIL_DEFAULT = 80;
export const TAIL_MAX = 1_000_000;
const POLL_MS = 1_000;
/** Sessions that are followed at a time. */
const SESSIONS_MAX = 200;
/** Printed events that are remembered, so that a file written anew repeats none of them. */
const REMEMBERED_MAX = 50_000;

export interface TailFlags extends ScopeFlags {
  readonly sessionKey?: string | undefined;
  readonly tail?: string | undefined;
  readonly follow?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export interface TailOptions {
  /** Ends `--follow`. Default: SIGINT and SIGTERM of this process. */
  readonly until?: Promise<void>;
  readonly pollMs?: number;
}

interface Watched {
  readonly key: string;
  readonly scope: ScopeFlags;
  place: TrajectoryPlace | undefined;
  /** The newest that was read. */
  newest: TrajectoryEvent | undefined;
}

interface Shown {
  readonly event: TrajectoryEvent;
  readonly key: string;
}

export async function runSessionsTail(io: CliIo, flags: TailFlags, { until, pollMs = POLL_MS }: TailOptions = {}): Promise<ExitCode> {
  const count = parseTail(flags.tail);
  const context = loadCliContext(io);
  const follow = flags.follow === true;
  const printed = new Set<string>();
  const print = (shown: readonly Shown[]): void => {
    for (const { event, key } of [...shown].sort((one, other) => one.event.atMs - other.event.atMs)) {
      const mark = `${event.sessionId} ${String(event.seq ?? '')} ${String(event.atMs)} ${event.type}`;
      if (printed.has(mark)) continue;
      printed.add(mark);
      const [oldest] = printed;
      if (printed.size > REMEMBERED_MAX && oldest !== undefined) printed.delete(oldest);
      io.out(`${flags.json === true ? JSON.stringify(eventDocument(event, key)) : renderEvent(event, key)}\n`);
    }
  };
  let watched = await choose(context, flags);
  if (watched.length === 0 && !follow) throw new SessionError('SESSION_NOT_FOUND', 'No sessions found.', { hint: 'openclaw sessions list shows the keys.' });
  print((await readEnds(context, watched, count)).slice(count === 0 ? Number.MAX_SAFE_INTEGER : -count));
  if (!follow) return EXIT.ok;
  const ended = ending(until);
  while (!(await ended.within(pollMs))) {
    if (watched.length === 0) {
      watched = await choose(context, flags);
      if (watched.length > 0) print((await readEnds(context, watched, count)).slice(count === 0 ? Number.MAX_SAFE_INTEGER : -count));
      continue;
    }
    print(await readNew(context, watched));
  }
  return EXIT.ok;
}

/** @throws VALIDATION */
function parseTail(given: string | undefined): number {
  if (given === undefined) return TAIL_DEFAULT;
  const value = Number(given);
  if (/^\d+$/u.test(given) && value <= TAIL_MAX) return value;
  throw new SessionError('VALIDATION', '--tail must be a non-negative integer, for example --tail 20.', { facts: { option: '--tail', given } });
}

/** The session that is named; else all that run; else the newest one. @throws SESSION_NOT_FOUND, AGENT_UNKNOWN */
async function choose(context: CliContext, flags: TailFlags): Promise<Watched[]> {
  if (flags.sessionKey !== undefined) {
    const found = await findSession(context, flags, flags.sessionKey);
    return [{ key: found.key, scope: { store: found.store.path }, place: undefined, newest: undefined }];
  }
  const rows: { row: SessionRow; scope: ScopeFlags }[] = [];
  for (const store of selectStores(flags, context).stores) {
    const page = await readRows(store, { activeSinceMs: null, limit: null });
    for (const row of page.rows) rows.push({ row, scope: { store: store.path } });
  }
  const newestFirst = rows.sort((one, other) => (other.row.updatedAtMs ?? 0) - (one.row.updatedAtMs ?? 0));
  const running = newestFirst.filter(({ row }) => row.status === 'running');
  return (running.length > 0 ? running.slice(0, SESSIONS_MAX) : newestFirst.slice(0, 1)).map(({ row, scope }) => ({ key: row.key, scope, place: undefined, newest: undefined }));
}

async function readEnds(context: CliContext, watched: readonly Watched[], count: number): Promise<Shown[]> {
  const all: Shown[] = [];
  for (const one of watched) {
    const path = pathOf(await found(context, one));
    if (path === undefined) continue;
    // One at least, shown or not: what comes later is told from it.
    const { events, place } = readLastEvents(path, Math.max(1, count));
    one.place = place;
    one.newest = newestOf(events);
    all.push(...events.map((event) => ({ event, key: one.key })));
  }
  return all.sort((one, other) => one.event.atMs - other.event.atMs);
}

async function readNew(context: CliContext, watched: readonly Watched[]): Promise<Shown[]> {
  const all: Shown[] = [];
  for (const one of watched) {
    const path = pathOf(await found(context, one));
    if (path === undefined) continue;
    // What was still told in the file before, since it was looked at last.
    if (one.place !== undefined && one.place.path !== path && existsSync(one.place.path)) all.push(...readAppended(one.place.path, one.place).events.map((event) => ({ event, key: one.key })));
    const { newest } = one;
    const { events, place } = readAppended(path, one.place);
    one.place = place;
    one.newest = newestOf(newest === undefined ? events : [newest, ...events]);
    all.push(...events.filter((event) => newest === undefined || !isBefore(event, newest)).map((event) => ({ event, key: one.key })));
  }
  return all;
}

function newestOf(events: readonly TrajectoryEvent[]): TrajectoryEvent | undefined {
  return events.reduce<TrajectoryEvent | undefined>((newest, event) => (newest === undefined || event.atMs >= newest.atMs ? event : newest), undefined);
}

/** In a file that was written anew: what stood there when the newest was read. Runs side by side are told a little out of their order. */
function isBefore({ sessionId, atMs, seq }: TrajectoryEvent, newest: TrajectoryEvent): boolean {
  return sessionId === newest.sessionId && atMs < newest.atMs && (seq === undefined || newest.seq === undefined || seq < newest.seq);
}

/** Undefined: the session is gone for now. */
async function found(context: CliContext, { key, scope }: Watched): Promise<FoundSession | undefined> {
  return findSession(context, scope, key).catch((error: unknown) => {
    if ((error as { reason?: unknown }).reason === 'SESSION_NOT_FOUND') return undefined;
    throw error;
  });
}

function pathOf(session: FoundSession | undefined): string | undefined {
  if (session === undefined) return undefined;
  const { sessionId, uuid } = session.entry;
  const id = typeof sessionId === 'string' ? sessionId : uuid;
  if (typeof id !== 'string') return undefined;
  const directory = dirname(session.store.path);
  // Until something is told of the transcript that a compaction went on in, the one before it tells the newest.
  const owners = [{ sessionId: id, file: session.file }, ...[...transcriptsBefore(session.entry)].reverse()];
  for (const owner of owners) {
    const path = trajectoryPath({ directory, ...owner });
    if (path !== undefined) return path;
  }
  return undefined;
}

/** Resolves true once it is over, false when the time has passed first. */
function ending(until: Promise<void> | undefined): { within(ms: number): Promise<boolean> } {
  const over = (until ?? new Promise<void>((resolve) => ['SIGINT', 'SIGTERM'].forEach((signal) => process.once(signal, () => resolve())))).then(() => true);
  return {
    async within(ms) {
      let timer: NodeJS.Timeout | undefined;
      const passed = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
      const isOver = await Promise.race([over, passed]);
      clearTimeout(timer);
      return isOver;
    },
  };
}
