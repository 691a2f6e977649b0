/**
 * GetUsage: tokens and costs as the usage ledgers of the stores know them, whatever became of the
 * sessions since. `timeseries` and `logs` give one session's lines; of a session that ran before there
 * was a ledger, the model calls of its live transcript.
 *
 * Unknown stays unknown: a run without a price adds no cost, is counted as one without, and a sum of
 * which no part has a price has none.
 */
import { GetHistoryRequest, GetUsageResponse, ReadUsageRequest, SessionUsage, TokenUsage, UsageOfAgent, UsageOfChannel, UsageOfDay, UsagePoint } from '@sessions/contracts';
import type { GetUsageRequest } from '@sessions/contracts';
import { SessionError, isJsonObject, storedSpellings } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { findSession } from './existing-session';
import { HISTORY_LIMIT_MAX, readPage } from './get-history';
import { agentsToRead, resolveAddress } from './resolve-address';
import { UsageGroups, sumOf } from './usage-groups';

/** Sessions of one answer, and lines of one; an owner answers with no more at a time. */
export const USAGE_ROWS_MAX = 1000;
/** Models of one answer. */
const MODELS_MAX = 1000;
/** Days of one answer, the newest ones. */
const DAYS_MAX = 400;
/** Days and models of one answer, the newest ones. */
const MODEL_DAYS_MAX = 2000;
const CHANNELS_MAX = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Days of a range that is not given. */
const DAYS_DEFAULT = 30;
const VIEWS: ReadonlySet<string> = new Set(['', 'totals', 'timeseries', 'logs']);

interface Range {
  readonly startDate: string;
  readonly endDate: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A session that the ledger may know: its store, and the spellings of its key. */
interface Asked {
  readonly agentId: string;
  readonly key: string;
  readonly keys: string[];
  /** Undefined: it is gone. */
  readonly sessionId: string | undefined;
}

/** @throws VALIDATION, SESSION_NOT_FOUND for the key of a single session */
export async function getUsage(deps: HandlerDeps, request: GetUsageRequest, context: CallContext): Promise<GetUsageResponse> {
  if (!VIEWS.has(request.view)) throw new SessionError('VALIDATION', 'view must be totals, timeseries or logs');
  const range = rangeOf(request, deps.clock.nowMs());
  const head = { updatedAtMs: deps.clock.nowMs(), startDate: range.startDate, endDate: range.endDate, cacheStatus: 'fresh' };
  if (request.view === 'timeseries' || request.view === 'logs') {
    return GetUsageResponse.create({ ...head, points: await pointsOf(deps, request, context) });
  }
  return GetUsageResponse.create({ ...head, ...(await sumsOf(deps, request, range, context)) });
}

type Sums = Pick<GetUsageResponse, 'sessions' | 'totals' | 'models' | 'days' | 'modelDays' | 'channels' | 'agents'>;

async function sumsOf(deps: HandlerDeps, request: GetUsageRequest, { fromMs, untilMs }: Range, context: CallContext): Promise<Sums> {
  const limit = Math.min(Math.max(1, request.limit ?? USAGE_ROWS_MAX), USAGE_ROWS_MAX);
  const asked = request.key === undefined ? undefined : await sessionAsked(deps, request, context);
  const agentIds = asked === undefined ? (await agentsToRead(deps, { agentId: request.agentId, all: true, discover: true }, context)).map(({ agentId }) => agentId) : [asked.agentId];
  const sessions: SessionUsage[] = [];
  const agents: UsageOfAgent[] = [];
  const models = new UsageGroups<TokenUsage>(MODELS_MAX);
  const days = new UsageGroups<UsageOfDay>(DAYS_MAX * agentIds.length);
  const modelDays = new UsageGroups<UsageOfDay>(MODEL_DAYS_MAX * agentIds.length);
  const channels = new UsageGroups<UsageOfChannel>(CHANNELS_MAX);
  let isKnown = asked?.sessionId !== undefined;
  for (const agentId of agentIds) {
    const answer = await deps.stores.read('readUsage', ReadUsageRequest.create({ agentId, keys: asked?.keys ?? [], fromAtMs: fromMs, untilAtMs: untilMs, limit }), context);
    sessions.push(...answer.sessions.map((each) => SessionUsage.create({ ...each, agentId })));
    sessions.sort((a, b) => b.lastAtMs - a.lastAtMs).splice(limit);
    if (answer.totals !== undefined) agents.push(UsageOfAgent.create({ agentId, usage: answer.totals }));
    for (const each of answer.models) models.add([each.modelProvider, each.model], each, each);
    for (const day of answer.days) days.add([day.dayAtMs], day, day.usage);
    for (const day of answer.modelDays) modelDays.add([day.dayAtMs, day.usage?.modelProvider, day.usage?.model], day, day.usage);
    for (const each of answer.channels) channels.add([each.channel], each, each.usage);
    isKnown ||= answer.totals !== undefined;
  }
  if (asked !== undefined && !isKnown && (await linesOf(deps, asked, 1, context)).length === 0) throw unknownSession(request.key ?? '');
  const byDay = (max: number, groups: UsageGroups<UsageOfDay>): UsageOfDay[] =>
    groups.all().map(([{ dayAtMs, usage: first }, usage]) => UsageOfDay.create({ dayAtMs, usage: { ...usage, modelProvider: first?.modelProvider, model: first?.model } })).sort((one, other) => one.dayAtMs - other.dayAtMs).slice(-max);
  return {
    sessions,
    agents,
    totals: agents.length === 0 ? undefined : sumOf(agents.flatMap(({ usage }) => usage ?? [])),
    models: models.all().map(([{ modelProvider, model }, usage]) => ({ ...usage, modelProvider, model })),
    days: byDay(DAYS_MAX, days),
    modelDays: byDay(MODEL_DAYS_MAX, modelDays),
    channels: channels.all().map(([{ channel }, usage]) => UsageOfChannel.create({ channel, usage })),
  };
}

/** A key whose session is gone may have its lines; a session id that no row has is nobody's. @throws SESSION_NOT_FOUND */
async function sessionAsked(deps: HandlerDeps, request: GetUsageRequest, context: CallContext, unknown = unknownSession): Promise<Asked> {
  const { key, agentId } = request;
  const session = await findSession(deps, { key, agentId }, context);
  const address = session ?? (await resolveAddress(deps, { key, agentId }, context).catch((error: unknown) => {
    throw error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND' ? unknown(key ?? '') : error;
  }));
  if (!(await deps.agents.hasStore(address.agentId, context))) throw unknown(key ?? '');
  return { agentId: address.agentId, key: address.key, keys: [...new Set([address.key, ...storedSpellings(address.key)])], sessionId: session?.row.sessionId };
}

const unknownSession = (key: string): SessionError => new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
const unknownTranscript = (key: string): SessionError => new SessionError('SESSION_NOT_FOUND', `No transcript found for session: ${key}`);

/** @throws VALIDATION, SESSION_NOT_FOUND */
async function pointsOf(deps: HandlerDeps, request: GetUsageRequest, context: CallContext): Promise<UsagePoint[]> {
  if (request.key === undefined) throw new SessionError('VALIDATION', 'key is required');
  const asked = await sessionAsked(deps, request, context, unknownTranscript);
  const limit = Math.min(Math.max(1, request.limit ?? USAGE_ROWS_MAX), USAGE_ROWS_MAX);
  const points = await linesOf(deps, asked, limit, context);
  if (points.length > 0) return points;
  if (asked.sessionId === undefined) throw unknownTranscript(request.key);
  return transcriptPoints(deps, asked, Math.min(limit, HISTORY_LIMIT_MAX), context);
}

async function linesOf(deps: HandlerDeps, { agentId, keys }: Asked, limit: number, context: CallContext): Promise<UsagePoint[]> {
  const { lines } = await deps.stores.read('readUsage', ReadUsageRequest.create({ agentId, keys, view: 'lines', limit }), context);
  return lines.map((line) => UsagePoint.create(line));
}

async function transcriptPoints(deps: HandlerDeps, { agentId, key, sessionId }: Asked, limit: number, context: CallContext): Promise<UsagePoint[]> {
  const page = await readPage(deps, GetHistoryRequest.create({ key, agentId, limit, includeTools: true }), context);
  return page.records.flatMap(({ lineJson }) => {
    const point = pointOf(lineJson);
    return point === undefined ? [] : [UsagePoint.create({ ...point, key, sessionId: page.sessionId ?? sessionId ?? '' })];
  });
}

/** The usage of one transcript line; undefined for a line without. */
function pointOf(lineJson: Uint8Array): { atMs: number; usage: TokenUsage } | undefined {
  let line: unknown;
  try {
    line = JSON.parse(Buffer.from(lineJson).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isJsonObject(line) || !isJsonObject(line.message) || !isJsonObject(line.message.usage)) return undefined;
  const { usage, provider, model, timestamp } = line.message;
  const writtenAtMs = typeof line.timestamp === 'string' ? Date.parse(line.timestamp) : Number(timestamp);
  const cost = isJsonObject(usage.cost) ? countOf(usage.cost, 'total') : undefined;
  return {
    atMs: Number.isFinite(writtenAtMs) ? writtenAtMs : 0,
    usage: TokenUsage.create({
      inputTokens: countOf(usage, 'input') ?? 0,
      outputTokens: countOf(usage, 'output') ?? 0,
      cacheReadTokens: countOf(usage, 'cacheRead') ?? 0,
      cacheWriteTokens: countOf(usage, 'cacheWrite') ?? 0,
      totalTokens: countOf(usage, 'totalTokens'),
      costUsd: cost,
      modelProvider: typeof provider === 'string' ? provider : undefined,
      model: typeof model === 'string' ? model : undefined,
    }),
  };
}

function countOf(members: JsonObject, name: string): number | undefined {
  const value = members[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Whole days in UTC, both included. @throws VALIDATION */
function rangeOf({ startDate, endDate }: GetUsageRequest, nowMs: number): Range {
  const untilDay = endDate === undefined ? startOfDay(nowMs) : dayOf('endDate', endDate);
  const fromDay = startDate === undefined ? untilDay - (DAYS_DEFAULT - 1) * DAY_MS : dayOf('startDate', startDate);
  if (fromDay > untilDay) throw new SessionError('VALIDATION', 'startDate must not be after endDate');
  const shown = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  return { startDate: shown(fromDay), endDate: shown(untilDay), fromMs: fromDay, untilMs: untilDay + DAY_MS };
}

const startOfDay = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

function dayOf(name: string, text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (!Number.isFinite(ms) || new Date(ms).toISOString().slice(0, 10) !== text) throw new SessionError('VALIDATION', `invalid ${name}: expected a valid YYYY-MM-DD calendar date`);
  return ms;
}
