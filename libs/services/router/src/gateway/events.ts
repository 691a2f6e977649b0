/**
 * Events of the bus as the gateway's frames, to the channels of those that asked for them. The bytes
 * of a frame are made once, however many connections get it, and not at all when none does.
 */
import { SessionRow } from '@sessions/contracts';
import type { ApprovalEvent, Event, RunState } from '@sessions/contracts';
import type { JsonValue } from '@sessions/domain';
import type { Clock } from '@sessions/host';
import { eventForRestricted } from '../auth/shown-entry';
import { agentOfKey, linksOfEvent } from '../auth/shown-links';
import type { Channel } from './channel';
import { formatEvent } from './gateway-frames';
import { toClientMessage } from './messages';
import type { GatewayRows } from './rows';
import { endedRunOf } from '../run-ends';
import { RunFrames, toolPayload } from './run-frames';
import type { RunFrame } from './run-frames';
import { requestOf } from './methods/exec-approval';
import { numberedFrame, textFrame } from './shared-frame';
import type { NumberedFrame } from './shared-frame';

type Row = Record<string, JsonValue>;

export interface GatewayEventsDeps {
  readonly channels: Iterable<Channel>;
  readonly rows: GatewayRows;
  readonly clock: Clock;
  /** The state of a run at its owner. */
  readonly readRun: (agentId: string, runId: string) => Promise<RunState | undefined>;
}

/** How long a run's own last word may come behind its owner's, milliseconds. */
const LAST_WORD_MS = 1_000;

/** Passes one event on. */
export function createGatewayEvents({ channels, rows, clock, readRun }: GatewayEventsDeps): (event: Event) => void {
  const runs = new RunFrames();
  const hearing = (agentId: string): Channel[] => [...channels].filter((channel) => channel.hearsBroadcasts(agentId));
  const broadcast = (event: Event, frames: readonly RunFrame[]): void => {
    for (const { event: name, payload, isStep } of frames) {
      const hearers = hearing(event.agentId);
      if (hearers.length === 0) continue;
      const frame = numberedFrame(name, JSON.stringify(payload));
      for (const channel of hearers) channel.push(frame, isStep);
    }
  };
  /** Whoever waits for the end of a run hears of it, also when nobody ran it. */
  const tellUntold = (event: Event, runId: string): void => {
    if (runs.isOver(runId)) return;
    clock.setTimer(
      runs.isHeard(runId) ? LAST_WORD_MS : 0,
      () => {
        if (runs.isOver(runId) || hearing(event.agentId).length === 0) return;
        // A reader that learns nothing here asks `agent.wait`.
        readRun(event.agentId, runId).then((run) => run?.state === 'ended' && broadcast(event, runs.endOf(event, run)), () => undefined);
      },
      { keepsAlive: false },
    );
  };
  return (event) => {
    const { body, sessionKey } = event;
    if (body === undefined) return;
    if (body.$case === 'approval') {
      const hearers = [...channels].filter((channel) => channel.hearsApprovals(event.agentId));
      const told = hearers.length === 0 ? undefined : approvalFrame(event, body.value);
      if (told !== undefined) for (const channel of hearers) channel.push(told);
      return;
    }
    broadcast(event, runs.of(event));
    const endedRunId = body.$case === 'changed' ? endedRunOf(event) : undefined;
    if (endedRunId !== undefined) tellUntold(event, endedRunId);
    const all: Channel[] = [];
    const followers: Channel[] = [];
    for (const channel of channels) {
      if (!channel.seesAgent(event.agentId)) continue;
      if (channel.followsAll) all.push(channel);
      else if (sessionKey !== undefined && channel.follows(sessionKey)) followers.push(channel);
    }
    for (const alike of byWhatTheySee([...all, ...followers], event)) {
      const [hearAll, hearOne] = [all.filter((channel) => alike.has(channel)), followers.filter((channel) => alike.has(channel))];
      const [one] = alike;
      const frames = framesOf(one?.isRestricted === true ? eventForRestricted(event, one.scopes) : event, rows, hearAll.length > 0);
      if (frames.message !== undefined) sendTo([...hearAll, ...hearOne], frames.message);
      if (frames.changed !== undefined) sendTo(hearAll, frames.changed);
      if (frames.operation !== undefined) sendTo(hearAll, frames.operation);
      if (frames.tool !== undefined) sendTo([...hearAll, ...hearOne], frames.tool);
    }
  };
}

/** Users who see all, and of those who see some agents those together to whom the event looks the same. */
function byWhatTheySee(channels: readonly Channel[], event: Event): readonly ReadonlySet<Channel>[] {
  const groups = new Map<string, Set<Channel>>();
  let agentIds: readonly string[] | undefined;
  for (const channel of channels) {
    let seen = 'all';
    if (channel.isRestricted) {
      agentIds ??= [...new Set(linksOfEvent(event).map((key) => agentOfKey(key, event.agentId)))];
      seen = agentIds.filter((agentId) => channel.seesAgent(agentId)).join(' ');
    }
    const group = groups.get(seen) ?? new Set();
    groups.set(seen, group.add(channel));
  }
  return [...groups.values()];
}

/** None for one whose time is over: it is asked for no more. */
function approvalFrame(event: Event, { approvalId: id, phase, decision, resolvedBy, requestedAtMs, expiresAtMs, requestJson }: ApprovalEvent): NumberedFrame | undefined {
  const request = requestOf(requestJson);
  if (phase === 'requested') return numberedFrame('exec.approval.requested', JSON.stringify({ id, request, createdAtMs: requestedAtMs, expiresAtMs }));
  if (phase !== 'resolved') return undefined;
  return numberedFrame('exec.approval.resolved', JSON.stringify({ id, decision: decision ?? null, resolvedBy: resolvedBy ?? null, ts: event.atMs, request }));
}

function sendTo(channels: readonly Channel[], text: string): void {
  const frame = textFrame(text);
  for (const channel of channels) channel.push(frame);
}

interface Frames {
  readonly message?: string;
  readonly changed?: string;
  readonly operation?: string;
  readonly tool?: string;
}

/** @param toAll whether somebody follows all sessions, and not one alone */
function framesOf(event: Event, rows: GatewayRows, toAll: boolean): Frames {
  const { body } = event;
  switch (body?.$case) {
    case 'message':
      return messageFrames(event, body.value, rows, toAll);
    case 'changed':
      return { changed: formatEvent('sessions.changed', changedPayloadOf(event, rows)) };
    case 'operation': {
      const { operationId, operation, phase, completed, reason } = body.value;
      const more = { ...(completed !== undefined && { completed }), ...(reason !== undefined && { reason }) };
      return { operation: formatEvent('session.operation', { operationId, operation, phase, sessionKey: event.sessionKey, ...more, ts: event.atMs }) };
    }
    case 'tool':
      return { tool: formatEvent('session.tool', toolPayload(event, body.value)) };
    default:
      return {};
  }
}

function messageFrames(event: Event, value: Extract<NonNullable<Event['body']>, { $case: 'message' }>['value'], rows: GatewayRows, toAll: boolean): Frames {
  const { messageId, messageSeq, lineJson, encodedRow } = value;
  const row = rowOf(encodedRow, rows);
  const message = lineJson === undefined ? undefined : toClientMessage({ lineJson, recordId: messageId, messageSeq });
  const payload = {
    ...row,
    sessionKey: event.sessionKey,
    agentId: event.agentId,
    // A line above the size of an event is left out: its id says what to read.
    message: message ?? null,
    messageId,
    ...(messageSeq !== undefined && { messageSeq }),
    ...(row !== undefined && { session: row }),
  };
  return { message: formatEvent('session.message', payload), ...(toAll && { changed: formatEvent('sessions.changed', messageChange(event, value.runId, row)) }) };
}

function changedPayload(event: Event, what: Record<string, JsonValue>, row: Row | undefined, withSession: boolean): Record<string, JsonValue> {
  return {
    ...row,
    ...(event.sessionKey !== undefined && { sessionKey: event.sessionKey }),
    agentId: event.agentId,
    ts: event.atMs,
    ...what,
    ...(withSession && row !== undefined && { session: row }),
  };
}

const messageChange = (event: Event, runId: string | undefined, row: Row | undefined): Record<string, JsonValue> =>
  changedPayload(event, { phase: 'message', ...(runId !== undefined && { runId }) }, row, true);

/** The `sessions.changed` payload of an event; undefined for events that change no row. */
export function changedPayloadOf(event: Event, rows: GatewayRows): Record<string, JsonValue> | undefined {
  const { body } = event;
  if (body?.$case === 'message') {
    return messageChange(event, body.value.runId, rowOf(body.value.encodedRow, rows));
  }
  if (body?.$case !== 'changed') return undefined;
  const { reason, phase, runId, encodedRow, previousSessionId } = body.value;
  const what = {
    ...(reason !== undefined && { reason }),
    ...(phase !== undefined && { phase }),
    ...(runId !== undefined && { runId }),
    ...(previousSessionId !== undefined && { previousSessionId }),
  };
  return changedPayload(event, what, rowOf(encodedRow, rows), phase !== undefined);
}

function rowOf(encodedRow: Uint8Array | undefined, rows: GatewayRows): Row | undefined {
  return encodedRow === undefined ? undefined : rows.toJson(SessionRow.decode(encodedRow), {});
}
