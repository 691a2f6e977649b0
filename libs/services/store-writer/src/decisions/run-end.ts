/**
 * The end of runs: once each, with a stated outcome that stays to be asked for, and with everything
 * that follows from it opened in the same mutation. Pure.
 */
import { TokenUsage, type OutboundMessage } from '@sessions/contracts';
import { contextTokensFor, costSoFar, enforceSendPolicy, followUpsOf, isJsonObject, namedKey, subagentArchiveAtMs, type AgentId, type JsonObject, type JsonValue, type RunOutcome, type SessionConfig } from '@sessions/domain';
import type { ResultNote } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { openDeliveries, type OpenDelivery } from './open-delivery';
import type { OpenRun } from './open-run';
import type { SpoolView } from './spool-view';

/** Text of an answer that stands in its run's state; a longer one stands in a file. Bytes. */
const ANSWER_INLINE_BYTES_MAX = 8 * 1024;
const ERROR_CHARS_MAX = 1_000;
/** Models whose usage one run reports. */
export const USAGE_MAX = 20;

/** How a run ended. */
export interface RunEnding {
  readonly outcome: RunOutcome;
  readonly text?: string | undefined;
  readonly stopReason?: string | undefined;
  readonly errorMessage?: string | undefined;
  readonly usage?: readonly TokenUsage[];
  /** Of the run that ended without a text. */
  readonly lastToolResultText?: string | undefined;
  /** Opened beside what follows by itself. */
  readonly deliveries?: readonly OutboundMessage[];
}

/** What a run's end leaves to be asked for, under `runEndKey`. */
export interface EndedRun extends JsonObject {
  readonly runId: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly outcome: RunOutcome;
  readonly text?: string;
  readonly textSpool?: string;
  readonly stopReason?: string;
  readonly errorMessage?: string;
  readonly acceptedAt: number;
  readonly startedAt?: number;
  readonly endedAt: number;
  readonly attempt: number;
  readonly runnerId?: string;
  readonly messageId?: string;
  readonly usage: readonly JsonValue[];
  readonly deliveryIds: readonly string[];
}

export function runEndKey(runId: string): string {
  return `run-end:${runId}`;
}

export function readEndedRun(value: JsonValue | undefined): EndedRun | undefined {
  return isJsonObject(value) && typeof value['runId'] === 'string' && typeof value['outcome'] === 'string' ? (value as unknown as EndedRun) : undefined;
}

/** Of the notes about what the runs of one trace cost; the run that a person's message started has none beside its end. */
export function traceCostPrefix(traceId: string): string {
  return `trace-cost:${encodeURIComponent(traceId)}:`;
}

/** Of the notes about which agents a trace that began here has reached. */
export function traceAgentPrefix(traceId: string): string {
  return `trace-agent:${encodeURIComponent(traceId)}:`;
}

function traceCost({ runId, interSession }: OpenRun, usage: readonly TokenUsage[]): ResultNote[] {
  const costUsd = costSoFar(usage);
  if (interSession?.traceId === undefined || costUsd === undefined) return [];
  return [{ key: `${traceCostPrefix(interSession.traceId)}${runId}`, result: { costUsd } }];
}

/** The session that runs end in. */
export interface EndingSession {
  readonly agentId: string;
  readonly key: string;
  readonly sessionId: string;
  /** Members with native names. */
  readonly native: JsonObject;
  readonly deliveries: readonly OpenDelivery[];
  readonly config: SessionConfig;
  /** One for all decisions of the request, so that what is written does not change from one to the next. */
  readonly nowMs: number;
  readonly transcriptPath: string | undefined;
}

export interface EndedRuns {
  readonly notes: readonly ResultNote[];
  readonly deliveries: readonly OpenDelivery[];
  readonly ended: readonly EndedRun[];
  /** Of the deliveries; those of the runs come from whoever ends them. */
  readonly announcements: readonly Announcement[];
}

/** @throws SpoolUnwritten */
export function endRuns(endings: readonly { readonly run: OpenRun; readonly ending: RunEnding; readonly messageId?: string | undefined }[], session: EndingSession, spool: SpoolView): EndedRuns {
  const notes: ResultNote[] = [];
  const ended: EndedRun[] = [];
  const announcements: Announcement[] = [];
  let { deliveries } = session;
  for (const { run, ending, messageId = run.messageId } of endings) {
    const { outcome, text, stopReason, errorMessage, usage = [] } = ending;
    const follow = run.joins === undefined && run.toldBy === undefined ? followUpsOf(runEnd(run, ending, session), session.config) : [];
    const opening = { key: session.key, source: `${session.agentId}\n${run.runId}`, runId: run.runId, nowMs: session.nowMs, ...(run.inReplyTo === undefined ? {} : { inReplyTo: run.inReplyTo }) };
    const routed = (ending.deliveries ?? []).map((one) => (one.route === undefined && one.toSession === undefined ? { ...one, route: run.request.replyRoute } : one));
    const outbound = openDeliveries(deliveries, [...routed, ...follow], opening, spool);
    deliveries = outbound.deliveries;
    const textSpool = text === undefined ? undefined : spool.keep(session.key, text, ANSWER_INLINE_BYTES_MAX);
    const state: EndedRun = {
      runId: run.runId,
      sessionKey: session.key,
      sessionId: session.sessionId,
      outcome,
      ...(text === undefined ? {} : textSpool === undefined ? { text } : { textSpool }),
      ...(stopReason === undefined ? {} : { stopReason: stopReason.slice(0, ERROR_CHARS_MAX) }),
      ...(errorMessage === undefined ? {} : { errorMessage: errorMessage.slice(0, ERROR_CHARS_MAX) }),
      acceptedAt: run.acceptedAtMs,
      ...(run.startedAtMs === undefined ? {} : { startedAt: run.startedAtMs }),
      endedAt: session.nowMs,
      attempt: run.attempt,
      ...(run.runnerId === undefined ? {} : { runnerId: run.runnerId }),
      ...(messageId === undefined ? {} : { messageId }),
      usage: usage.slice(0, USAGE_MAX).map((one) => TokenUsage.toJSON(one) as JsonValue),
      deliveryIds: outbound.opened.map(({ deliveryId }) => deliveryId),
    };
    ended.push(state);
    notes.push({ key: runEndKey(run.runId), result: state as unknown as JsonValue }, ...traceCost(run, usage));
    const told = (state: string) => (one: OpenDelivery): Announcement => ({ kind: 'delivery', key: session.key, sessionId: session.sessionId, deliveryId: one.deliveryId, state, channel: one.channel ?? '', accountId: one.accountId });
    announcements.push(...outbound.opened.map(told('open')), ...outbound.givenUp.map(told('expired')));
  }
  return { notes, deliveries, ended, announcements };
}

function runEnd(run: OpenRun, { outcome, text, errorMessage, usage = [], lastToolResultText }: RunEnding, session: EndingSession): Parameters<typeof followUpsOf>[0] {
  const { native, key, sessionId, config, nowMs, transcriptPath } = session;
  return {
    run: run.request,
    sessionKey: namedKey(session.agentId, key),
    sessionId,
    outcome,
    endedAtMs: nowMs,
    usage,
    sendAllowed: maySend(config, key, native),
    ...(text === undefined ? {} : { text }),
    ...(errorMessage === undefined ? {} : { errorMessage }),
    ...(run.startedAtMs === undefined ? {} : { startedAtMs: run.startedAtMs }),
    ...(lastToolResultText === undefined ? {} : { lastToolResultText }),
    ...(run.interSession === undefined ? {} : { interSession: run.interSession }),
    ...(transcriptPath === undefined ? {} : { transcriptPath }),
  };
}

/** Whether answers may leave the session, as its entry is now. */
export function maySend(config: SessionConfig, key: string, native: JsonObject): boolean {
  const { sendPolicy: override, lastChannel: channel, chatType } = native;
  const verdict = enforceSendPolicy('auto-reply', config.session.sendPolicy, {
    key,
    ...(override === 'allow' || override === 'deny' ? { override } : {}),
    ...(typeof channel === 'string' ? { channel } : {}),
    ...(typeof chatType === 'string' ? { chatType } : {}),
  });
  return verdict === 'proceed';
}

const STATUS: Readonly<Record<RunOutcome, string>> = { ok: 'done', error: 'failed', timeout: 'timeout', aborted: 'killed', cancelled: 'killed' };

/** Members that say how the run that had begun has ended. */
export function endedMembers({ startedAtMs }: Pick<OpenRun, 'startedAtMs'>, { outcome, usage = [] }: RunEnding, { native, config, agentId, nowMs }: Pick<EndingSession, 'native' | 'config' | 'agentId' | 'nowMs'>): Record<string, JsonValue> {
  const archiveAt = archiveAtMs(native, config, nowMs);
  return {
    status: STATUS[outcome],
    endedAt: nowMs,
    ...(startedAtMs === undefined ? {} : { runtimeMs: Math.max(0, nowMs - startedAtMs) }),
    abortedLastRun: outcome === 'aborted' || outcome === 'cancelled',
    ...(typeof native['compactionCount'] === 'number' ? {} : { compactionCount: 0 }),
    ...usageMembers(usage, config, agentId as AgentId),
    ...(archiveAt === undefined ? {} : { archiveAt }),
    updatedAt: nowMs,
  };
}

/** Tokens of this run; what it cost is the ledger's to say. */
function usageMembers(usage: readonly TokenUsage[], config: SessionConfig, agentId: AgentId): Record<string, JsonValue> {
  const last = usage.at(-1);
  if (last === undefined) return {};
  const sum = (member: 'inputTokens' | 'outputTokens' | 'cacheReadTokens' | 'cacheWriteTokens'): number => usage.reduce((total, one) => total + Math.max(0, one[member]), 0);
  const [inputTokens, outputTokens, cacheRead, cacheWrite] = [sum('inputTokens'), sum('outputTokens'), sum('cacheReadTokens'), sum('cacheWriteTokens')];
  const { modelProvider, model } = last;
  return {
    inputTokens,
    outputTokens,
    cacheRead,
    cacheWrite,
    totalTokens: last.totalTokens ?? inputTokens + outputTokens + cacheRead + cacheWrite,
    totalTokensFresh: true,
    ...(modelProvider === undefined ? {} : { modelProvider }),
    ...(model === undefined ? {} : { model, contextTokens: contextTokensFor(config, agentId, { provider: modelProvider, model }) }),
  };
}

/** When an ended child goes into the archive by itself; undefined: it does not, or is none. */
function archiveAtMs(native: JsonObject, config: SessionConfig, nowMs: number): number | undefined {
  if (typeof native['spawnedBy'] !== 'string') return undefined;
  const { cleanup } = native;
  return subagentArchiveAtMs({ ...(cleanup === 'keep' || cleanup === 'delete' ? { cleanup } : {}), isPersistentChild: native['spawnMode'] === 'session' }, nowMs, config.agents.defaults.subagents);
}
