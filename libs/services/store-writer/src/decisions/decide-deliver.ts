/**
 * What an inbound message does to its session: found or begun, touched, and the message's line at
 * the end of its transcript, all in one mutation. Pure: ids and time come in.
 */
import {
  SessionError,
  cronRunEntry,
  enforceSendPolicy,
  injectedMessageLine,
  severalSendersPatch,
  simpleMessageLine,
  userMessageLine,
  type JsonObject,
  type JsonValue,
  type MessageContent,
  type ModelRef,
  type ResetReason,
  type SendPoint,
  type SessionConfig,
} from '@sessions/domain';
import type { AppendEffect, Effect, HeldView, MutationView, TranscriptTail } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { endedClaim } from './child-claims';
import { planReset, type PlannedReset } from './decide-reset';
import { dueReset, headerTimeOf, type ResetRules } from './due-reset';
import { liveRuns, runMembers, type OpenRun } from './open-run';
import { acceptInto, newRun, noticeOf, settingsOf, sentReason } from './queue-message';
import type { SpoolView } from './spool-view';
import { firstMembers, headerLine, newEntryMembers, newTranscriptFile, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { refuseOpenRuns } from './session-files';
import { findSession, type PresentSession } from './session-of-key';
import { mergeMembers } from './touch-entry';

export interface Delivery {
  readonly agentId: string;
  /** Canonical key that the message was routed to. */
  readonly key: string;
  readonly role: 'user' | 'assistant';
  readonly content: MessageContent;
  /** Label of an injected message. */
  readonly label?: string;
  readonly idempotencyKey?: string;
  /** Mark of text that another session sent. */
  readonly provenance?: JsonObject;
  /** Of no person: it changes neither the time of interaction nor where the session was last heard from. */
  readonly bookkeeping: boolean;
  /** Members that the message leaves on the entry; null removes. */
  readonly origin: JsonObject;
  readonly requireExisting: boolean;
  /** False: a message in a group that speaks to somebody else; heard only where the activation is `always`. */
  readonly mentioned: boolean;
  /** Each message begins a session of its own under the key: an isolated run of a cron job. */
  readonly beginsSession: boolean;
  /** A second key whose row shall point at the same session. */
  readonly runRowKey?: (sessionId: string) => string;
  readonly session: NewSession;
  /** Id of the message's line. */
  readonly recordId: string;
  /** When a session is stale; absent: it never is. */
  readonly resetRules?: ResetRules;
  /** A reset that the message itself asks for. */
  readonly asksReset?: { readonly reason: ResetReason; readonly model: string | undefined; readonly defaultModel: ModelRef | undefined };
  /** Where the send policy is asked, and the policy; absent: it is not asked. */
  readonly sendCheck?: { readonly point: SendPoint; readonly policy: SessionConfig['session']['sendPolicy'] };
  /** The files of a session that is to be reset; absent: none are held. */
  readonly held?: HeldView;
  /** Who asked, for the manifest. */
  readonly actor?: string;
  /** The turn that it asks for; absent: it is kept, and no turn runs. */
  readonly run?: AskedRun;
  /** What a spawned session is from its first moment; its row must not be there yet. */
  readonly child?: ChildMembers;
  /** Session that this very request has made for the child, with its parent's branch. */
  readonly forkedSessionId?: string;
}

export interface AskedRun extends Pick<OpenRun, 'request' | 'route' | 'interSession' | 'inReplyTo'> {
  /** Of the message, for the queue's settings. */
  readonly channel: string | undefined;
  /** Stop the active run and go first. */
  readonly interrupts: boolean;
  /** A model is configured; else only one of the session's own lets a turn run. */
  readonly hasModel: boolean;
  readonly config: SessionConfig;
  /** Texts too long for the entry. */
  readonly spool: SpoolView;
}

export type ChildMembers = Readonly<Record<string, JsonValue>>;

export type DeliverAnswer = StoredAnswer<
  'Deliver',
  {
    readonly sessionKey: string;
    readonly sessionId: string | null;
    readonly messageId: string | null;
    readonly messageSeq: number | null;
    readonly created: boolean;
    readonly reset: { readonly reason: string; readonly previousSessionId: string } | null;
    /** Of a command that was carried out instead of a message being kept, or stood inside one that was. */
    readonly reply: string | null;
    /** Why nothing was kept; null: something was. */
    readonly ignoredReason: string | null;
    /** The send policy lets no answer out. */
    readonly deliveryBlocked: boolean;
    /** Null: no turn runs. */
    readonly runId: string | null;
    readonly queued: boolean;
    readonly position: number | null;
    readonly interruptedRunId: string | null;
  }
>;

/** The answer to a message that was kept. */
export type KeptMessage = DeliverAnswer & { readonly sessionId: string };

/** Members of the base row that an isolated run does not take over from the run before. */
const NOT_CARRIED_OVER = [
  'origin', 'route', 'deliveryContext', 'lastChannel', 'lastTo', 'lastAccountId', 'lastThreadId', 'sendPolicy', 'queueMode',
  'queueDebounceMs', 'queueCap', 'queueDrop', 'elevatedLevel', 'acp', 'status', 'startedAt', 'endedAt', 'runtimeMs', 'skillsSnapshot',
  'systemPromptReport',
] as const;

/** Not an error: the message is none of ours, and nothing is written. */
export class MessageIgnored extends Error {
  readonly reason = 'not_mentioned';
}

/** The session has to be reset first: hold its files and decide anew. */
export class ResetDue extends Error {}

/** Files are held for a reset that nobody needs any more: let them go and decide anew. */
export class ResetNotDue extends Error {}

/** @throws SESSION_NOT_FOUND, SEND_DENIED, DAMAGED; MessageIgnored, ResetDue, ResetNotDue, StartUnknown, FilesMoved */
export function decideDeliver(delivery: Delivery, view: MutationView): Planned<KeptMessage> {
  const present = findSession(view, delivery.key);
  if (present === undefined && delivery.requireExisting) throw new SessionError('SESSION_NOT_FOUND', `session not found: ${delivery.key}`);
  if (!delivery.mentioned && present?.native['groupActivation'] !== 'always') throw new MessageIgnored();
  if (sendVerdict(delivery, present?.key ?? delivery.key, present) === 'refuse') throw new SessionError('SEND_DENIED', 'send blocked by session policy');
  if (delivery.child !== undefined && (present !== undefined || view.entry(delivery.key) !== undefined) && (present?.sessionId ?? null) !== (delivery.forkedSessionId ?? '')) {
    throw new SessionError('ENTRY_CHANGED', 'the key of the child has a row already', { facts: { key: delivery.key } });
  }
  const run = runOf(delivery, present);
  if (run !== undefined && present !== undefined && delivery.asksReset === undefined && !delivery.beginsSession && liveRuns(present.members).length > 0) {
    if (delivery.held !== undefined) throw new ResetNotDue();
    return acceptInto(delivery, run, present, sendVerdict(delivery, present.key, present) === 'run-without-delivery', view);
  }
  const reset = resetOf(delivery, present, view);
  const place = placeOf(delivery, present, reset);
  const tail = view.transcript(place.file);
  const line = messageLine(delivery, tail, view.nowMs);
  const append = appendOf(delivery, place, tail, line, view.nowMs);
  const put = putOf(delivery, place, { present, reset, tail }, view);
  const messageSeq = tail.messages + 1;
  const answer: KeptMessage = {
    method: 'Deliver',
    sessionKey: place.key,
    sessionId: place.sessionId,
    messageId: recordIdOf(delivery, tail, messageSeq),
    messageSeq,
    created: present === undefined,
    reset: reset === undefined || reset.previousSessionId === null ? null : { reason: reset.reason, previousSessionId: reset.previousSessionId },
    reply: null,
    ignoredReason: null,
    deliveryBlocked: sendVerdict(delivery, place.key, present) === 'run-without-delivery',
    runId: run?.request.runId ?? null,
    queued: false,
    position: null,
    interruptedRunId: null,
  };
  const begun = run === undefined ? undefined : newRun(run, place.sessionId, view.nowMs, settingsOf(run, present).mode, answer.messageId ?? undefined);
  const runRow = runRowOf(delivery, place, present, begun, view.nowMs);
  // A run of its own row goes there: runs of one job never wait for each other.
  if (begun !== undefined && runRow === undefined) Object.assign(put.set, runMembers([begun], {}).set);
  const notice = noticeOf(delivery, { key: place.key, sessionId: place.sessionId }, present, reset?.reason, view.nowMs);
  Object.assign(put.set, notice?.set);
  const row = rowOf(delivery.agentId, place.key, membersAfter(present?.members ?? {}, put), tail.exchanges + 1);
  const effects: Effect[] = [...(reset?.effects ?? []), { kind: 'putEntry', key: place.key, ...put }, ...(runRow === undefined ? [] : [runRow]), append];
  return {
    decision: { effects, result: answer },
    announcements: [...announcementsOf(delivery, { place, present, reset, tail, answer, line, row }), ...(notice?.announcements ?? [])],
  };
}

function sendVerdict({ sendCheck }: Delivery, key: string, present: PresentSession | undefined): ReturnType<typeof enforceSendPolicy> {
  if (sendCheck === undefined) return 'proceed';
  const { sendPolicy: override, lastChannel: channel, chatType } = present?.native ?? {};
  return enforceSendPolicy(sendCheck.point, sendCheck.policy, {
    key,
    ...(override === 'allow' || override === 'deny' ? { override } : {}),
    ...(typeof channel === 'string' ? { channel } : {}),
    ...(typeof chatType === 'string' ? { chatType } : {}),
  });
}

type Reset = PlannedReset & { readonly reason: ResetReason };

/** The reset that comes before the message. @throws ResetDue, ResetNotDue, FilesMoved */
function resetOf(delivery: Delivery, present: PresentSession | undefined, view: MutationView): Reset | undefined {
  const { asksReset, resetRules, held, agentId, session, actor = 'unknown' } = delivery;
  const stale = present === undefined || resetRules === undefined || delivery.beginsSession ? undefined : dueReset(present, resetRules, view.nowMs);
  const reason = asksReset?.reason ?? stale;
  if (reason !== undefined) refuseOpenRuns(present);
  if (reason === undefined) {
    if (held !== undefined) throw new ResetNotDue();
    return undefined;
  }
  if (held === undefined) throw new ResetDue();
  const planned = planReset({ agentId, key: delivery.key, reason, session, held, actor, defaultModel: asksReset?.defaultModel, model: asksReset?.model }, present, view);
  return { ...planned, reason };
}

interface Place {
  readonly key: string;
  readonly sessionId: string;
  readonly file: string;
  /** The entry does not yet name this session or this file. */
  readonly isNew: boolean;
}

function placeOf(delivery: Delivery, present: PresentSession | undefined, reset: Reset | undefined): Place {
  const key = present?.key ?? delivery.key;
  if (present === undefined || delivery.beginsSession || reset !== undefined) {
    return { key, sessionId: delivery.session.sessionId, file: newTranscriptFile(delivery.session), isNew: true };
  }
  if (present.sessionId !== null && present.file !== null) return { key, sessionId: present.sessionId, file: present.file, isNew: false };
  // An entry without a session, or whose id can name no file, begins one under a name of ours.
  return { key, sessionId: delivery.session.sessionId, file: newTranscriptFile(delivery.session), isNew: true };
}

function messageLine(delivery: Delivery, tail: TranscriptTail, nowMs: number): string {
  const { role, content, label, idempotencyKey, provenance } = delivery;
  if (tail.kind === 'simple') return simpleMessageLine(role, content, nowMs);
  const fields = {
    id: delivery.recordId,
    parentId: tail.leafId,
    nowMs,
    content,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(provenance === undefined ? {} : { provenance }),
  };
  return role === 'user' ? userMessageLine(fields) : injectedMessageLine({ ...fields, ...(label === undefined ? {} : { label }) });
}

/** Lines of the tutorial's format have no ids; readers name them by their number. */
function recordIdOf(delivery: Delivery, tail: TranscriptTail, messageSeq: number): string {
  return tail.kind === 'simple' ? `L${String(messageSeq)}` : delivery.recordId;
}

function appendOf(delivery: Delivery, place: Place, tail: TranscriptTail, line: string, nowMs: number): AppendEffect {
  const begins = tail.kind === 'none' || tail.kind === 'empty';
  const header = begins ? [headerLine(delivery.session, place.sessionId, place.key, nowMs)] : [];
  return {
    kind: 'append',
    file: place.file,
    lines: [...header, line],
    messages: 1,
    exchanges: 1,
    leafId: tail.kind === 'simple' ? null : delivery.recordId,
  };
}

interface Before {
  readonly present: PresentSession | undefined;
  readonly reset: Reset | undefined;
  readonly tail: TranscriptTail;
}

function putOf(delivery: Delivery, place: Place, { present, reset, tail }: Before, view: MutationView): { set: Record<string, JsonValue>; clear: readonly string[] } {
  const { session, bookkeeping, origin } = delivery;
  const { nowMs } = view;
  if (present === undefined) {
    const given = { ...firstMembers(session, nowMs, mergeMembers({}, origin).set, bookkeeping), ...childMembers(delivery, view) };
    const set = newEntryMembers(session, nowMs, given);
    return { set: { ...(set['messageCount'] === undefined ? set : { ...set, messageCount: tail.exchanges + 1 }), ...(reset === undefined ? {} : overridesOf(reset)) }, clear: [] };
  }
  const dropped = delivery.beginsSession ? NOT_CARRIED_OVER.filter((name) => name in present.members) : [];
  const begun = reset ?? { set: {}, clear: [] };
  const kept = membersAfter(present.members, { set: begun.set, clear: [...dropped, ...begun.clear] });
  const touched = mergeMembers(kept, { ...origin, ...severalSendersPatch(kept, origin) });
  const claims = endedClaim(kept, delivery.provenance);
  // Looked up once: from here on the entry says it itself.
  const startedAtMs = delivery.resetRules === undefined || place.isNew ? undefined : headerTimeOf(present, delivery.resetRules);
  const set: Record<string, JsonValue> = {
    ...begun.set,
    ...touched.set,
    ...claims.set,
    ...childMembers(delivery, view),
    ...(startedAtMs === undefined ? {} : { sessionStartedAt: startedAtMs }),
    ...(place.isNew ? { sessionId: place.sessionId, sessionFile: place.file, sessionStartedAt: nowMs } : {}),
    ...(delivery.beginsSession && present.sessionId !== null ? { previousSessionId: present.sessionId, lastResetAt: nowMs, lastResetReason: 'cron-run' } : {}),
    ...(bookkeeping ? {} : { lastInteractionAt: nowMs }),
    ...(typeof present.members['messageCount'] === 'number' ? { messageCount: tail.exchanges + 1 } : {}),
    updatedAt: nowMs,
  };
  const clear = [...new Set([...dropped, ...begun.clear, ...touched.clear, ...claims.clear])].filter((name) => !(name in set));
  return { set, clear };
}

/** A label is one of its kind: the child of a name that is taken has it for its display alone. */
function childMembers({ child }: Delivery, view: MutationView): Record<string, JsonValue> {
  const { label, ...rest } = child ?? {};
  if (typeof label !== 'string') return rest;
  return view.keyOfLabel(label) === undefined ? { ...rest, label } : { ...rest, displayName: label };
}

const MODEL_CHOICE = ['providerOverride', 'modelOverride', 'modelOverrideSource'];

/** A first message that asks for a new session with a model: nothing is reset, the choice holds. */
function overridesOf({ set }: Reset): Record<string, JsonValue> {
  return Object.fromEntries(MODEL_CHOICE.flatMap((name) => (set[name] === undefined ? [] : [[name, set[name]] as const])));
}

function runRowOf(delivery: Delivery, place: Place, present: PresentSession | undefined, begun: OpenRun | undefined, nowMs: number): Effect | undefined {
  const key = delivery.runRowKey?.(place.sessionId);
  if (key === undefined || key === place.key) return undefined;
  const { sessionId, file: sessionFile } = place;
  const set = { sessionId, sessionFile, updatedAt: nowMs };
  if (begun === undefined || !delivery.beginsSession) return { kind: 'putEntry', key, set };
  return { kind: 'putEntry', key, set: { ...cronRunEntry(present?.native, { sessionId, sessionFile, nowMs }), ...set, ...runMembers([begun], {}).set } };
}

/** The turn that may run: with a model, and for what people and other sessions say. */
function runOf(delivery: Delivery, present: PresentSession | undefined): AskedRun | undefined {
  const { run, role } = delivery;
  if (run === undefined || role !== 'user') return undefined;
  const chosen = present?.native['modelOverride'];
  return run.hasModel || (typeof chosen === 'string' && chosen !== '') || typeof delivery.child?.['modelOverride'] === 'string' ? run : undefined;
}

interface Delivered {
  readonly place: Place;
  readonly present: PresentSession | undefined;
  readonly reset: Reset | undefined;
  readonly tail: TranscriptTail;
  readonly answer: KeptMessage;
  readonly line: string;
  readonly row: Uint8Array | undefined;
}

function announcementsOf(delivery: Delivery, { place, present, reset, tail, answer, line, row }: Delivered): Announcement[] {
  const changed = (reason: string): Announcement => ({ kind: 'changed', key: place.key, sessionId: place.sessionId, reason, row });
  const lost = present !== undefined && !place.isNew && tail.kind === 'none' && present.native['lastInteractionAt'] !== undefined;
  const before = answer.reset?.previousSessionId;
  const sent = sentReason(delivery.run);
  const began = reset === undefined ? (delivery.beginsSession ? 'cron-run' : undefined) : reset.reason;
  return [
    ...(present === undefined ? [changed('create')] : began === undefined ? [] : [{ ...changed(began), ...(before === undefined ? {} : { previousSessionId: before }) }]),
    ...(lost ? [{ kind: 'store', storeKind: 'damage', facts: { problem: 'transcript-missing', sessionId: place.sessionId } } as const] : []),
    { kind: 'message', key: place.key, sessionId: place.sessionId, messageId: answer.messageId ?? '', messageSeq: answer.messageSeq ?? 0, line, row },
    ...(sent === undefined ? [] : [changed(sent)]),
  ];
}
