/**
 * ListSessions: rows of one store as they come, or of several merged by activity. Rows stay
 * encoded; only what the merge compares is read from them.
 *
 * A key in two stores is one row: that of the agent the key names, else the newer one. Finding all
 * such keys would mean reading all rows, so `totalCount` counts a stray row until a page reaches it.
 */
import { EntryFilter, ListEntriesRequest } from '@sessions/contracts';
import type { AgentInfo, ListEntriesResponse, ListSessionsRequest, ListSessionsResponse } from '@sessions/contracts';
import { SessionError, parseSessionKey, slugAgentId, storePathFor } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import { hiddenByScopes } from '../auth/shown-links';
import { notVisible } from '../auth/sight';
import { defaultAgentFor } from '../auth/default-agent';
import type { HandlerDeps } from '../deps';
import { agentsToRead } from './resolve-address';
import { readRowHead } from './row-order';
import type { RowHead } from './row-order';

/** Rows of a list without `limit`. */
export const LIST_LIMIT_DEFAULT = 100;
/** Rows that one call to a store gives at most. */
const STORE_PAGE_MAX = 1000;
/** Stores that one list asks at the same time. */
const STORES_AT_ONCE = 8;
const MINUTE_MS = 60_000;

/** What one store gave: the first rows of its list and how many there are in all. */
interface StoreRows {
  readonly agentId: string;
  readonly path: string;
  readonly rows: readonly Uint8Array[];
  readonly totalCount: number;
  readonly warnings: readonly string[];
}

/**
 * @param bytesMax rows end before their sizes pass this, with `hasMore`; one row is always given
 * @throws VALIDATION for a limit or offset out of range; the store's refusal when the only store,
 * or every store, cannot be read (an unreadable store is never an empty list)
 */
export async function listSessions(
  deps: HandlerDeps,
  request: ListSessionsRequest,
  context: CallContext,
  bytesMax: number,
): Promise<ListSessionsResponse> {
  // Whose children are asked for must be known, or the answer tells of it.
  if (request.spawnedBy !== undefined && hiddenByScopes(context.scopes)(request.spawnedBy)) throw notVisible();
  const limit = atLeast('limit', request.limit ?? LIST_LIMIT_DEFAULT, 1);
  const offset = atLeast('offset', request.offset ?? 0, 0);
  if (request.activeMinutes !== undefined) atLeast('activeMinutes', request.activeMinutes, 1);
  const all = await agentsToRead(deps, { agentId: request.agentId, all: request.allAgents, discover: request.discover }, context);
  const agents = request.configuredAgentsOnly ? all.filter((agent) => agent.configured) : all;
  const { read, warnings } = await readStores(deps, agents, request, { offset, limit, bytesMax }, context);
  const merged = read.length === 1 ? alone(read, offset, limit, agents.length) : await merge(deps, read, offset, limit, request, context);
  const cut = cutAt(merged.rows, bytesMax);
  const totalCount = merged.totalCount;
  const nextOffset = offset + cut.length;
  const hasMore = cut.length > 0 && nextOffset < totalCount;
  return {
    encodedRows: cut.map(asBuffer),
    totalCount,
    limitApplied: limit,
    hasMore,
    nextOffset: hasMore ? nextOffset : undefined,
    warnings: [...warnings, ...read.flatMap((store) => store.warnings)],
    path: onePath(deps, request, all, read, context),
    stores: read.map((store) => ({ agentId: store.agentId, path: store.path, totalCount: store.totalCount })),
    atMs: deps.clock.nowMs(),
  };
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function atLeast(name: string, value: number, minimum: number): number {
  if (Number.isSafeInteger(value) && value >= minimum) return value;
  throw new SessionError('VALIDATION', `${name} must be a whole number, at least ${minimum}`);
}

interface Window {
  readonly offset: number;
  readonly limit: number;
  readonly bytesMax: number;
}

async function readStores(
  deps: HandlerDeps,
  agents: readonly AgentInfo[],
  request: ListSessionsRequest,
  window: Window,
  context: CallContext,
): Promise<{ read: StoreRows[]; warnings: string[] }> {
  // One store skips by itself; several have to be merged from their beginning.
  const own = agents.length === 1 ? window : { offset: 0, limit: window.offset + window.limit, bytesMax: Infinity };
  const answers: PromiseSettledResult<StoreRows>[] = [];
  // A few at a time: an owner holds only so many stores open, and makes room as each is done.
  for (let from = 0; from < agents.length; from += STORES_AT_ONCE) {
    const some = agents.slice(from, from + STORES_AT_ONCE);
    answers.push(...(await Promise.allSettled(some.map((agent) => readStore(deps, agent.agentId, request, own, context)))));
  }
  const read: StoreRows[] = [];
  const warnings: string[] = [];
  let refusal: SessionError | undefined;
  for (const [place, answer] of answers.entries()) {
    if (answer.status === 'fulfilled') {
      read.push(answer.value);
    } else {
      const error = toSessionError(answer.reason);
      refusal ??= error;
      warnings.push(`agent "${agents[place]?.agentId ?? ''}" is not listed: ${error.message}`);
    }
  }
  if (refusal !== undefined && read.length === 0) throw refusal;
  return { read, warnings };
}

async function readStore(
  deps: HandlerDeps,
  agentId: string,
  request: ListSessionsRequest,
  { offset, limit, bytesMax }: Window,
  context: CallContext,
): Promise<StoreRows> {
  const rows: Uint8Array[] = [];
  let bytes = 0;
  let page: ListEntriesResponse | undefined;
  do {
    page = await deps.stores.read(
      'listEntries',
      ListEntriesRequest.create({
        agentId,
        filter: filterOf(request),
        sort: 'updated_desc',
        limit: Math.min(limit - rows.length, STORE_PAGE_MAX),
        offset: offset + rows.length,
        includeDerivedTitles: request.includeDerivedTitles,
        includeLastMessage: request.includeLastMessage,
      }),
      context,
    );
    for (const row of page.encodedRows) {
      rows.push(row);
      bytes += row.length;
    }
  } while (page.hasMore && page.encodedRows.length > 0 && rows.length < limit && bytes < bytesMax);
  return { agentId, path: page.path, rows, totalCount: page.totalCount, warnings: page.warnings };
}

function filterOf(request: ListSessionsRequest): EntryFilter {
  return EntryFilter.create({
    activeWithinMs: request.activeMinutes === undefined ? undefined : request.activeMinutes * MINUTE_MS,
    label: trimmed(request.label),
    spawnedBy: request.spawnedBy,
    search: trimmed(request.search),
    includeGlobal: request.includeGlobal,
    includeUnknown: request.includeUnknown,
  });
}

/** As people type; blanks alone filter nothing. */
const trimmed = (text: string | undefined): string | undefined => text?.trim() || undefined;

interface Rows {
  readonly rows: readonly Uint8Array[];
  readonly totalCount: number;
}

function alone(read: readonly StoreRows[], offset: number, limit: number, asked: number): Rows {
  const [store] = read;
  if (store === undefined) return { rows: [], totalCount: 0 };
  // Asked of several but answered by one, the rows begin at the list's beginning.
  const rows = asked === 1 ? store.rows : store.rows.slice(offset, offset + limit);
  return { rows, totalCount: store.totalCount };
}

interface Candidate extends RowHead {
  readonly agentId: string;
  readonly row: Uint8Array;
}

/** Newest first; equal times keep the order of the agents, and within an agent its store's. */
async function merge(
  deps: HandlerDeps,
  read: readonly StoreRows[],
  offset: number,
  limit: number,
  request: ListSessionsRequest,
  context: CallContext,
): Promise<Rows> {
  const candidates = read.flatMap((store) => store.rows.map((row): Candidate => ({ ...readRowHead(row), row, agentId: store.agentId })));
  candidates.sort((a, b) => (b.updatedAtMs ?? -Infinity) - (a.updatedAtMs ?? -Infinity) || 0);
  const elsewhere = await keptElsewhere(deps, candidates, new Set(read.map((store) => store.agentId)), request, context);
  const seen = new Set<string>();
  const rows: Uint8Array[] = [];
  let dropped = 0;
  for (const { key, row, agentId } of candidates) {
    if (seen.has(key) || elsewhere.has(`${agentId} ${key}`)) {
      dropped += 1;
      continue;
    }
    seen.add(key);
    rows.push(row);
  }
  const totalCount = read.reduce((sum, store) => sum + store.totalCount, 0) - dropped;
  return { rows: rows.slice(offset, offset + limit), totalCount };
}

/**
 * Rows under a key that names another agent whose store has the key too: that agent's row is the
 * one to show, wherever in the list it stands. Such rows are rare, so they are asked for by name.
 */
async function keptElsewhere(
  deps: HandlerDeps,
  candidates: readonly Candidate[],
  read: ReadonlySet<string>,
  request: ListSessionsRequest,
  context: CallContext,
): Promise<ReadonlySet<string>> {
  const foreign = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    // Nearly every key begins with the name of its own store.
    if (candidate.key.startsWith(`agent:${candidate.agentId}:`)) continue;
    const named = parseSessionKey(candidate.key).agentId;
    const owner = named === undefined ? undefined : slugAgentId(named);
    if (owner === undefined || owner === candidate.agentId || !read.has(owner)) continue;
    foreign.set(owner, [...(foreign.get(owner) ?? []), candidate]);
  }
  const kept = new Set<string>();
  for (const [owner, rows] of foreign) {
    const keys = new Set<string>();
    const wanted = rows.map(({ key }) => key).slice(0, STORE_PAGE_MAX);
    const answer = await deps.stores.read(
      'listEntries',
      ListEntriesRequest.create({ agentId: owner, filter: { ...filterOf(request), keys: wanted }, limit: wanted.length }),
      context,
    );
    for (const row of answer.encodedRows) keys.add(readRowHead(row).key);
    for (const { key, agentId } of rows) if (keys.has(key)) kept.add(`${agentId} ${key}`);
  }
  return kept;
}

function cutAt(rows: readonly Uint8Array[], bytesMax: number): readonly Uint8Array[] {
  let bytes = 0;
  for (const [place, row] of rows.entries()) {
    bytes += row.length;
    if (bytes > bytesMax && place > 0) return rows.slice(0, place);
  }
  return rows;
}

/** The store's file when one store is read, also one that does not exist yet; undefined: several. */
function onePath(
  deps: HandlerDeps,
  request: ListSessionsRequest,
  agents: readonly AgentInfo[],
  read: readonly StoreRows[],
  context: CallContext,
): string | undefined {
  if (request.agentId === undefined && request.allAgents && agents.length > 1) return undefined;
  const [only] = read;
  if (only !== undefined) return only.path;
  const config = deps.config();
  const agentId = request.agentId === undefined ? defaultAgentFor(config, context) : slugAgentId(request.agentId);
  return storePathFor(config, agentId, { stateDir: deps.stateDir, homeDir: deps.homeDir });
}
