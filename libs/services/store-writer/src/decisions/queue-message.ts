/**
 * A message beside runs of its session: it waits in the entry, or takes the place of a run that nobody
 * has begun. And what else a turn brings with it: its run in the entry, the notice of a reset.
 */
import { OutboundMessage } from '@sessions/contracts';
import { SessionError, severalSendersPatch, type JsonValue, type ResetReason } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { endedClaim } from './child-claims';
import type { AskedRun, Delivery, KeptMessage } from './decide-deliver';
import { deliveriesOf, deliveryMembers, openDeliveries, type OpenDelivery } from './open-delivery';
import { runMembers, runsOf, waitingContent, type OpenRun, type QueueMode } from './open-run';
import { membersAfter, rowOf, type Planned } from './planned';
import { quietFor } from './quiet-time';
import { QUEUE_FULL_TEXT, acceptRun, queueSettings, type QueueSettings } from './queue-run';
import { endRuns, maySend } from './run-end';
import { sentReason } from './sent-reason';
import type { PresentSession } from './session-of-key';
import { mergeMembers } from './touch-entry';
import { writeWaiting } from './waiting-lines';

export function settingsOf({ request, channel, config }: AskedRun, present: PresentSession | undefined): QueueSettings {
  return queueSettings(config.messages.queue, present?.native ?? {}, request, channel);
}

export function newRun(run: AskedRun, sessionId: string, nowMs: number, mode: QueueMode, messageId?: string): OpenRun {
  const { request, route, interSession, inReplyTo, senderId } = run;
  return {
    runId: request.runId,
    state: 'queued',
    acceptedAtMs: nowMs,
    sessionId,
    attempt: 1,
    request,
    mode,
    ...(route === undefined ? {} : { route }),
    ...(interSession === undefined ? {} : { interSession }),
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
    ...(senderId === undefined ? {} : { senderId }),
    ...(messageId === undefined ? {} : { messageId }),
  };
}

/**
 * A message for a session in which a run is active or queued: it waits in the entry, or takes the place
 * of a run that nobody has begun. Never a reset (decision 34).
 * @throws OVERLOADED; SpoolUnwritten
 */
export function acceptInto(delivery: Delivery, run: AskedRun, present: PresentSession, deliveryBlocked: boolean, view: MutationView): Planned<KeptMessage> {
  const { agentId, content, idempotencyKey, provenance, bookkeeping, origin, recordId } = delivery;
  const { config, spool } = run;
  const { key, members, file } = present;
  const sessionId = present.sessionId ?? '';
  const before = runsOf(members);
  if (before.some(({ runId }) => runId === run.request.runId)) throw new SessionError('IDEMPOTENCY_MISMATCH', 'the run id is that of an open run of another message', { facts: { runIdLength: run.request.runId.length } });
  const settings = settingsOf(run, present);
  const message = {
    recordId,
    ...waitingContent(key, content, spool),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(provenance === undefined ? {} : { provenance }),
  };
  const waiting: OpenRun = { ...newRun(run, sessionId, view.nowMs, settings.mode), ...quietFor(run, settings), message };
  const accepted = acceptRun(before, waiting, settings, run.interrupts, view.nowMs);
  const tail = file === null ? undefined : view.transcript(file);
  // What was interrupted before its message was written stands before the one that interrupts.
  const due = accepted.beginsNow ? accepted.runs.slice(0, accepted.runs.findIndex(({ runId }) => runId === waiting.runId) + 1).filter(({ runId, state }) => state === 'over' || runId === waiting.runId) : [];
  const written = due.length === 0 || file === null || tail === undefined ? undefined : writeWaiting(due, { key, sessionId, file, tail, session: delivery.session, nowMs: view.nowMs }, spool);
  const messageId = written?.ids.get(waiting.runId);
  const cancelled = endRuns(
    accepted.cancelled.map(({ run: one, why }) => ({ run: one, ending: { outcome: 'cancelled', stopReason: why, ...(why === 'queue full' ? { errorMessage: QUEUE_FULL_TEXT } : {}) }, messageId: written?.ids.get(one.runId) ?? one.messageId ?? one.message?.recordId })),
    { agentId, key, sessionId, native: present.native, deliveries: deliveriesOf(members), config, nowMs: view.nowMs, transcriptPath: undefined },
    spool,
  );
  const { message: _, ...placed } = waiting;
  const left = accepted.runs.filter((one) => written === undefined || one.state !== 'over' || !due.includes(one));
  const runs = left.map((one) => (one.runId === waiting.runId && messageId !== undefined ? { ...placed, messageId } : one));
  const touched = mergeMembers(members, { ...origin, ...severalSendersPatch(members, origin) });
  const claims = endedClaim(members, provenance);
  const put = {
    set: {
      ...touched.set,
      ...claims.set,
      ...runMembers(runs, members).set,
      ...(bookkeeping ? {} : { lastInteractionAt: view.nowMs }),
      ...(written !== undefined && typeof members['messageCount'] === 'number' ? { messageCount: written.exchanges } : {}),
      updatedAt: view.nowMs,
    } as Record<string, JsonValue>,
    clear: [...touched.clear, ...claims.clear],
  };
  const row = rowOf(agentId, key, membersAfter(members, put), written?.exchanges);
  const answer: KeptMessage = {
    method: 'Deliver',
    sessionKey: key,
    sessionId,
    messageId: messageId ?? null,
    messageSeq: messageId === undefined || tail === undefined ? null : tail.messages + (written?.ids.size ?? 0),
    created: false,
    reset: null,
    reply: null,
    ignoredReason: null,
    deliveryBlocked,
    runId: waiting.runId,
    queued: !accepted.beginsNow,
    position: accepted.position,
    interruptedRunId: accepted.interruptedRunId,
  };
  const sent = sentReason(delivery);
  const ended = cancelled.ended.map(({ runId, stopReason }): Announcement => ({ kind: 'run', key, sessionId, runId, data: { phase: 'end', aborted: true, outcome: 'cancelled', stopReason: stopReason ?? '', endedAt: view.nowMs } }));
  return {
    decision: { effects: [{ kind: 'putEntry', key, ...put }, ...(written?.append === undefined ? [] : [written.append])], result: answer, notes: cancelled.notes },
    announcements: [...(written === undefined || sent !== undefined ? [{ kind: 'changed', key, sessionId, reason: sent ?? 'send', row } as const] : []), ...(written?.announcements(row) ?? []), ...ended],
  };
}

/** A reset that came by itself is told to the people of a channel, once (lifecycle §3). */
export function noticeOf(
  { agentId, run, recordId }: Delivery,
  { key, sessionId }: { readonly key: string; readonly sessionId: string },
  present: PresentSession | undefined,
  reason: ResetReason | undefined,
  nowMs: number,
): { readonly set: Record<string, JsonValue>; readonly announcements: readonly Announcement[] } | undefined {
  const route = run?.route?.replyRoute;
  if (run === undefined || present === undefined || (reason !== 'daily' && reason !== 'idle') || route === undefined || !run.config.session.resetNotice) return undefined;
  const { config, spool } = run;
  if (!maySend(config, key, present.native)) return undefined;
  const text = `A new session was started (${reason === 'daily' ? 'daily reset' : 'the last one was idle'}). The conversation before it can be brought back: openclaw sessions restore ${key}`;
  const { deliveries, opened, givenUp } = openDeliveries(deliveriesOf(present.members), [OutboundMessage.create({ route, text })], { key, source: `${agentId}\nnotice\n${recordId}`, nowMs }, spool);
  const told = (state: string) => ({ deliveryId, channel = '', accountId }: OpenDelivery): Announcement => ({ kind: 'delivery', key, sessionId, deliveryId, state, channel, accountId });
  return { set: deliveryMembers(deliveries, present.members).set, announcements: [...opened.map(told('open')), ...givenUp.map(told('expired'))] };
}
