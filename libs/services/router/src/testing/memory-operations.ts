/** Resets, deletions, archives, runs and compactions of the stores in memory: enough to test a router against. */
import { randomUUID } from 'node:crypto';
import {
  ArchiveLine, CancelRunResponse, CompactionResult, ForkSessionResponse, GetRunResponse, GetTraceCostResponse, ListArchivesResponse, ListPendingResponse, NoteTraceAgentResponse, PendingTurn, RequestCompactionResponse,
  RunState, StoreServiceAckDeliveryResponse, StoreServiceDeleteSessionResponse, StoreServiceResetSessionResponse, StoreServiceRestoreSessionResponse, StoreServiceService,
  ReadUsageResponse, TokenUsage, TruncateTranscriptResponse, UsageOfChannel, UsageOfDay, UsageOfSession,
} from '@sessions/contracts';
import type { ChangedEvent, Delivery, UsageLine } from '@sessions/contracts';
import { SessionError, channelOf } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import { sumOf } from '../handlers/usage-groups';
import type { CallContext, Handlers } from '@sessions/bus';

export interface MemorySession {
  entry: Record<string, JsonValue>;
  readonly messages: { readonly id: string; readonly role: string; readonly line: string }[];
}

/** What a store in memory keeps beside its sessions. */
export interface MemoryAside {
  readonly archives: { readonly line: ArchiveLine; readonly session: MemorySession }[];
  readonly runs: Map<string, RunState>;
  readonly deliveries: Map<string, Delivery>;
  /** Acknowledgements that took a delivery away, oldest first. */
  readonly acknowledged: { readonly deliveryId: string; readonly ok: boolean; readonly error: string | undefined }[];
  /** The usage ledger. */
  readonly usage: UsageLine[];
  /** US dollars by trace id. */
  readonly traceCosts: Map<string, number>;
  readonly traceAgents: Map<string, Set<string>>;
}

export const newAside = (): MemoryAside => ({ archives: [], runs: new Map(), deliveries: new Map(), acknowledged: [], usage: [], traceCosts: new Map(), traceAgents: new Map() });

export interface OperationParts {
  readonly nowMs: number;
  readonly find: (agentId: string, key: string) => [string, MemorySession] | undefined;
  readonly sessionsOf: (agentId: string) => Map<string, MemorySession>;
  readonly asideOf: (agentId: string) => MemoryAside;
  readonly once: <T>(agentId: string, context: CallContext, request: unknown, run: () => T) => T;
  readonly changed: (agentId: string, key: string, session: MemorySession, value: Partial<ChangedEvent>) => void;
  /** Ends a run as aborted. */
  readonly endRun: (agentId: string, runId: string) => void;
}

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');

export function operationHandlers(parts: OperationParts): Partial<Handlers<typeof StoreServiceService>> {
  const { nowMs, find, sessionsOf, asideOf, once, changed, endRun } = parts;
  const archive = (agentId: string, key: string, session: MemorySession, kind: string, reason: string): string => {
    const sessionId = String(session.entry.sessionId);
    const file = `${sessionId}.jsonl.${kind}.2026-06-01T00-00-00.000Z`;
    const copy = { entry: { ...session.entry }, messages: [...session.messages] };
    const line = ArchiveLine.create({ key, sessionId, archiveKind: kind, reason, archivedAtMs: nowMs, file, bytes: 1, restorable: true });
    asideOf(agentId).archives.unshift({ line, session: copy });
    return `/state/agents/${agentId}/sessions/${file}`;
  };
  const sessionOf = (agentId: string, key: string): [string, MemorySession] => {
    const found = find(agentId, key);
    if (found === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
    return found;
  };

  return {
    resetSession: async (request, context) =>
      once(request.agentId, context, request, () => {
        const { agentId, reason } = request;
        const [key, session] = find(agentId, request.key) ?? [request.key, { entry: {}, messages: [] }];
        const previous = session.entry.sessionId;
        const archived = previous === undefined ? [] : [archive(agentId, key, session, 'reset', reason)];
        const sessionId = randomUUID();
        session.entry = { ...session.entry, sessionId, updatedAt: nowMs };
        session.messages.length = 0;
        sessionsOf(agentId).set(key, session);
        const previousSessionId = previous === undefined ? undefined : String(previous);
        changed(agentId, key, session, { reason, previousSessionId });
        return StoreServiceResetSessionResponse.create({ key, sessionId, previousSessionId, entryJson: bytes(session.entry), archived });
      }),
    deleteSession: async (request, context) =>
      once(request.agentId, context, request, () => {
        const { agentId, deleteTranscript } = request;
        const found = find(agentId, request.key);
        if (found === undefined) return StoreServiceDeleteSessionResponse.create({ deleted: false });
        const [key, session] = found;
        const archived = deleteTranscript ? [archive(agentId, key, session, 'deleted', 'delete')] : [];
        sessionsOf(agentId).delete(key);
        changed(agentId, key, session, { reason: 'delete', encodedRow: undefined });
        return StoreServiceDeleteSessionResponse.create({ deleted: true, archived, sessionId: String(session.entry.sessionId) });
      }),
    restoreSession: async (request, context) =>
      once(request.agentId, context, request, () => {
        const { agentId, key, checkpointId } = request;
        const { archives } = asideOf(agentId);
        const found = archives.find(({ line }) => line.key === key && (request.archive === undefined || line.file === request.archive || line.sessionId === request.archive));
        if (found === undefined && checkpointId === undefined) throw new SessionError('ARCHIVE_NOT_FOUND', `No archive found for ${key}`);
        const live = find(agentId, key)?.[1];
        const archived = live === undefined ? [] : [archive(agentId, key, live, 'reset', 'restore')];
        const session = found?.session ?? { entry: { ...live?.entry, sessionId: randomUUID() }, messages: live?.messages ?? [] };
        sessionsOf(agentId).set(key, session);
        changed(agentId, key, session, { reason: 'restore' });
        const restored = found === undefined ? [] : [`/state/${found.line.file}`];
        return StoreServiceRestoreSessionResponse.create({ key, sessionId: String(session.entry.sessionId), restored, archived, entryJson: bytes(session.entry) });
      }),
    forkSession: async (request, context) =>
      once(request.agentId, context, request, () => {
        const [, source] = sessionOf(request.agentId, request.sourceKey);
        const key = request.targetKey ?? `agent:${request.agentId}:dashboard:${randomUUID()}`;
        const session = { entry: { sessionId: randomUUID(), updatedAt: nowMs, label: 'Checkpoint branch', parentSessionKey: request.sourceKey }, messages: [...source.messages] };
        sessionsOf(request.agentId).set(key, session);
        return ForkSessionResponse.create({ key, sessionId: session.entry.sessionId, entryJson: bytes(session.entry), forked: true });
      }),
    truncateTranscript: async (request, context) =>
      once(request.agentId, context, request, () => {
        const [key, session] = sessionOf(request.agentId, request.key);
        const lines = session.messages.length + 1;
        if (lines <= request.maxLines) return TruncateTranscriptResponse.create({ result: CompactionResult.create({ ok: true, keptLines: lines, reason: 'below limit' }) });
        const archivedPath = archive(request.agentId, key, session, 'bak', 'compact');
        session.messages.splice(0, lines - request.maxLines);
        changed(request.agentId, key, session, { reason: 'compact' });
        return TruncateTranscriptResponse.create({ result: CompactionResult.create({ ok: true, compacted: true, archivedPath, keptLines: request.maxLines }) });
      }),
    requestCompaction: async (request, context) =>
      once(request.agentId, context, request, () => {
        const [, { messages }] = sessionOf(request.agentId, request.key);
        if (messages.length === 0) return RequestCompactionResponse.create({ result: CompactionResult.create({ ok: true, reason: 'nothing to summarise' }) });
        return RequestCompactionResponse.create({ operationId: randomUUID() });
      }),
    listArchives: async ({ agentId, key }) =>
      ListArchivesResponse.create({ archives: asideOf(agentId).archives.map(({ line }) => line).filter((line) => key === undefined || line.key === key) }),
    getTraceCost: async ({ agentId, traceId }) => GetTraceCostResponse.create({ costUsd: asideOf(agentId).traceCosts.get(traceId), agentIds: [...(asideOf(agentId).traceAgents.get(traceId) ?? [])] }),
    noteTraceAgent: async ({ agentId, traceId, reachedAgentId }) => {
      const { traceAgents } = asideOf(agentId);
      traceAgents.set(traceId, (traceAgents.get(traceId) ?? new Set()).add(reachedAgentId));
      return NoteTraceAgentResponse.create({});
    },
    getRun: async ({ agentId, runId }) => GetRunResponse.create({ run: asideOf(agentId).runs.get(runId) }),
    cancelRun: async (request, context) =>
      once(request.agentId, context, request, () => {
        const { by } = request;
        const open = [...asideOf(request.agentId).runs.values()].filter((run) => run.state !== 'ended' && (by?.$case === 'runId' ? run.runId === by.value : run.sessionKey === by?.value));
        const active = open.find(({ state }) => state === 'running');
        // Those that wait first: none of them may begin when the active one ends.
        for (const run of [...open.filter((waiting) => waiting !== active), ...(active === undefined ? [] : [active])]) endRun(request.agentId, run.runId);
        return CancelRunResponse.create({ state: open.length === 0 ? 'idle' : 'stopped', activeRunId: active?.runId, cancelledRunIds: open.filter((run) => run !== active).map(({ runId }) => runId) });
      }),
    listPending: async ({ agentId, channel, key, kinds, toSessions }) => {
      const { deliveries, runs } = asideOf(agentId);
      const wants = (kind: string): boolean => kinds.length === 0 || kinds.includes(kind);
      return ListPendingResponse.create({
        deliveries: wants('delivery') ? [...deliveries.values()].filter(({ route, toSession }) => (channel === undefined || route?.channel === channel) && (!toSessions || toSession !== undefined)) : [],
        turns: wants('turn') ? [...runs.values()].filter(({ state, sessionKey }) => state !== 'ended' && (key === undefined || sessionKey === key)).map((run) => PendingTurn.create({ run })) : [],
      });
    },
    ackDelivery: async ({ agentId, deliveryId, result }) => {
      const { deliveries, acknowledged } = asideOf(agentId);
      if (!deliveries.delete(deliveryId)) return StoreServiceAckDeliveryResponse.create({ state: 'unknown' });
      acknowledged.push({ deliveryId, ok: result?.ok ?? false, error: result?.error });
      return StoreServiceAckDeliveryResponse.create({ state: result?.ok === false ? 'failed' : 'delivered' });
    },
    readUsage: async ({ agentId, keys, fromAtMs = 0, untilAtMs = Number.MAX_SAFE_INTEGER, view, limit = 1000 }) => {
      const lines = asideOf(agentId).usage.filter((line) => (keys.length === 0 || keys.includes(line.key)) && line.atMs >= fromAtMs && line.atMs < untilAtMs);
      if (view === 'lines') return ReadUsageResponse.create({ lines: lines.slice(-limit) });
      const newest = [...new Set([...lines].reverse().map(({ key }) => key))].slice(0, limit);
      const sessions = newest.map((key) => UsageOfSession.create({ key, sessionIds: [...new Set(lines.filter((line) => line.key === key).map(({ sessionId }) => sessionId))], usage: sumOfLines(lines.filter((line) => line.key === key)), lastAtMs: lines.findLast((line) => line.key === key)?.atMs ?? 0 }));
      const models = [...new Set(lines.map(({ usage }) => usage?.model))].map((model) => sumOfLines(lines.filter(({ usage }) => usage?.model === model)));
      const dayOf = (line: UsageLine): number => Math.floor(line.atMs / DAY_MS) * DAY_MS;
      const days = [...new Set(lines.map(dayOf))].sort((a, b) => a - b).map((dayAtMs) => UsageOfDay.create({ dayAtMs, usage: sumOfLines(lines.filter((line) => dayOf(line) === dayAtMs)) }));
      const modelDays = days.flatMap(({ dayAtMs }) => [...new Set(lines.map(({ usage }) => usage?.model))].flatMap((model) => {
        const own = lines.filter((line) => dayOf(line) === dayAtMs && line.usage?.model === model);
        return own.length === 0 ? [] : [UsageOfDay.create({ dayAtMs, usage: sumOfLines(own) })];
      }));
      const channels = [...new Set(lines.flatMap(({ key }) => channelOf({ key }) ?? []))].map((channel) => UsageOfChannel.create({ channel, usage: sumOfLines(lines.filter(({ key }) => channelOf({ key }) === channel)) }));
      return ReadUsageResponse.create({ sessions, models, days, modelDays, channels, totals: lines.length === 0 ? undefined : sumOfLines(lines) });
    },
  };
}

/** A run that a test pretends is there. */
export function memoryRun(run: Partial<RunState>): RunState {
  return RunState.create({ state: 'running', acceptedAtMs: 1, ...run });
}

const DAY_MS = 24 * 60 * 60 * 1000;

function sumOfLines(lines: readonly UsageLine[]): TokenUsage {
  const usages = lines.map(({ usage }) => TokenUsage.create({ ...usage, runCount: 1, unpricedCount: usage?.costUsd === undefined ? 1 : 0 }));
  return { ...sumOf(usages), model: usages.at(-1)?.model, modelProvider: usages.at(-1)?.modelProvider };
}
