/**
 * An export that was asked for in a chat: recorded as waiting for an operator's word, granted or denied,
 * and ended with a message to who asked. Nothing here writes a bundle. Pure.
 */
import { OutboundMessage, ReplyRoute } from '@sessions/contracts';
import { SessionError, nativeView, type JsonObject, type JsonValue, type SessionConfig } from '@sessions/domain';
import { isContainedName, type Effect, type MutationView } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { decideAppend, readGivenLine } from './decide-append';
import type { DeliverAnswer } from './decide-deliver';
import { APPROVAL_MS, OPEN_APPROVALS_MAX, approvalMembers, approvalRequest, approvalsOf, isWaiting, type OpenApproval, type PrivateRoute } from './open-approval';
import { deliveriesOf, deliveryMembers, openDeliveries } from './open-delivery';
import { membersAfter, type Planned, type StoredAnswer } from './planned';
import { maySend } from './run-end';
import { findSession, readSession, type PresentSession } from './session-of-key';
import type { SpoolView } from './spool-view';

export interface ExportAsked {
  readonly agentId: string;
  readonly key: string;
  readonly output: string | undefined;
  readonly approvalId: string;
  /** Absolute; the bundle would go into it. */
  readonly workspace: string;
  /**
   * `here`: who asked is alone with the agent; `private`: others read along, and what there is to say goes
   * to `route`; `nowhere`: others read along, and nobody knows how to reach who asked alone.
   */
  readonly audience: 'here' | 'private' | 'nowhere';
  /** Where the outcome is told; undefined: in the session. */
  readonly route: PrivateRoute | undefined;
  readonly config: SessionConfig;
  readonly spool: SpoolView;
}

const SENSITIVE = 'Exports of trajectories are sensitive.';
const NO_PRIVATE_ROUTE = `${SENSITIVE} Nobody is known here to whom the request could be sent privately: ask for it in a direct chat.`;

/** @throws SpoolUnwritten */
export function decideRequestExport(asked: ExportAsked, view: MutationView): Planned<DeliverAnswer> {
  const { agentId, output, approvalId, audience, route, workspace } = asked;
  const present = findSession(view, asked.key);
  const key = present?.key ?? asked.key;
  const answer = (reply: string): DeliverAnswer => ({ method: 'Deliver', sessionKey: key, sessionId: present?.sessionId ?? null, messageId: null, messageSeq: null, created: false, reset: null, reply, ignoredReason: null, deliveryBlocked: false, runId: null, queued: false, position: null, interruptedRunId: null });
  const refuse = (reply: string): Planned<DeliverAnswer> => {
    const effects: Effect[] = present === undefined ? [] : [{ kind: 'putEntry', key, set: { lastInteractionAt: view.nowMs } }];
    return { decision: { effects, result: answer(reply) }, announcements: [] };
  };
  if (audience === 'nowhere') return refuse(NO_PRIVATE_ROUTE);
  if (present?.sessionId == null || present.file === null) return refuse('Nothing to export: nothing has been said yet.');
  if (output !== undefined && !isContainedName(output)) return refuse('Usage: /export-trajectory [name], where the name is a relative one inside the export directory.');
  const { sessionId, members } = present;
  const open = approvalsOf(members, sessionId).filter((one) => one.approvedAtMs !== undefined || isWaiting(one, view.nowMs));
  if (open.length >= OPEN_APPROVALS_MAX) return refuse(`${String(open.length)} exports of this session wait already; decide on them first.`);
  const approval: OpenApproval = { approvalId, sessionId, requestedAtMs: view.nowMs, expiresAtMs: view.nowMs + APPROVAL_MS, ...(output === undefined ? {} : { output }), ...(route === undefined ? {} : { route }) };
  const put = { set: { ...approvalMembers([...open, approval], members).set, lastInteractionAt: view.nowMs } };
  const prompt = promptOf(asked, approval, key);
  const told = audience === 'private' && route !== undefined ? tell(asked, { present, key, put, route, text: prompt, phase: 'asked', approvalId }, view) : { set: put.set, announcements: [] };
  return {
    decision: { effects: [{ kind: 'putEntry', key, set: told.set }], result: answer(audience === 'private' ? `${SENSITIVE} The request was sent to you privately.` : prompt) },
    announcements: [{ kind: 'approval', key, sessionId, approval, phase: 'requested', request: approvalRequest({ agentId, key, workspace }, approval) }, ...told.announcements],
  };
}

function promptOf({ workspace }: ExportAsked, { approvalId, output }: OpenApproval, key: string): string {
  return [
    'The export of a trajectory waits for approval. It can hold prompts, answers, results of tools and local paths: treat it like a secret.',
    `Session: ${key}`,
    `Workspace: ${workspace}`,
    `Output: ${output ?? '(default)'}`,
    `Approval: ${approvalId}, for ${String(APPROVAL_MS / 60_000)} minutes; decisions: allow-once, deny`,
    `openclaw gateway call exec.approval.resolve --params '${JSON.stringify({ id: approvalId, decision: 'allow-once' })}'`,
  ].join('\n');
}

export interface Resolution {
  readonly agentId: string;
  readonly key: string;
  readonly approvalId: string;
  readonly decision: 'allow-once' | 'deny';
  readonly resolvedBy: string | undefined;
  readonly workspace: string;
  readonly config: SessionConfig;
  readonly spool: SpoolView;
}

export type ApprovalAnswer = StoredAnswer<'ResolveApproval', { readonly key: string }>;

export const unknownApproval = (): SessionError => new SessionError('VALIDATION', 'unknown or expired approval id', { facts: { reason: 'APPROVAL_NOT_FOUND' } });

/** @throws VALIDATION for an approval that is not waiting; SpoolUnwritten */
export function decideResolve(asked: Resolution, view: MutationView): Planned<ApprovalAnswer> {
  const { agentId, key, decision, resolvedBy, workspace } = asked;
  const { present, sessionId, approval, others } = openApproval(asked, view);
  const result = { method: 'ResolveApproval', key } as const;
  if (approval.approvedAtMs !== undefined) {
    if (decision === 'allow-once') return { decision: { effects: [], result }, announcements: [] };
    throw new SessionError('VALIDATION', 'approval already resolved', { facts: { reason: 'APPROVAL_ALREADY_RESOLVED' } });
  }
  if (!isWaiting(approval, view.nowMs)) throw unknownApproval();
  const announcement: Announcement = { kind: 'approval', key, sessionId, approval, phase: 'resolved', decision, ...(resolvedBy === undefined ? {} : { resolvedBy }), request: approvalRequest({ agentId, key, workspace }, approval) };
  if (decision === 'deny') {
    const ended = endWith(asked, { present, key, sessionId, approval, others, text: 'The export of the trajectory was denied; nothing was written.' }, view);
    return { decision: { effects: ended.effects, result }, announcements: [announcement, ...ended.announcements] };
  }
  const granted: OpenApproval = { ...approval, approvedAtMs: view.nowMs, ...(resolvedBy === undefined ? {} : { approvedBy: resolvedBy }) };
  const { set } = approvalMembers([...others, granted], present.members);
  return { decision: { effects: [{ kind: 'putEntry', key, set }], result }, announcements: [announcement] };
}

export interface Settlement extends Omit<Resolution, 'decision' | 'resolvedBy'> {
  /** What who asked is told. */
  readonly text: string;
  /** It was not granted in time. */
  readonly isExpiry: boolean;
}

/** The end of an approval that was granted and carried out, or never granted. @throws VALIDATION when it has ended; SpoolUnwritten */
export function decideSettle(asked: Settlement, view: MutationView): Planned<ApprovalAnswer> {
  const { agentId, key, text, isExpiry, workspace } = asked;
  const { present, sessionId, approval, others } = openApproval(asked, view);
  if (isExpiry && (approval.approvedAtMs !== undefined || isWaiting(approval, view.nowMs))) throw unknownApproval();
  const ended = endWith(asked, { present, key, sessionId, approval, others, text }, view);
  const told: Announcement[] = isExpiry ? [{ kind: 'approval', key, sessionId, approval, phase: 'expired', request: approvalRequest({ agentId, key, workspace }, approval) }] : [];
  return { decision: { effects: ended.effects, result: { method: 'ResolveApproval', key } }, announcements: [...told, ...ended.announcements] };
}

interface Open {
  readonly present: PresentSession;
  readonly sessionId: string;
  readonly approval: OpenApproval;
  readonly others: readonly OpenApproval[];
}

/** @throws VALIDATION when there is none, of the present transcript */
function openApproval({ key, approvalId }: Pick<Resolution, 'key' | 'approvalId'>, view: Pick<MutationView, 'entry'>): Open {
  const snapshot = view.entry(key);
  const present = snapshot === undefined ? undefined : readSession(snapshot);
  const sessionId = present?.sessionId ?? null;
  const all = present === undefined ? [] : approvalsOf(present.members, sessionId);
  const approval = all.find((one) => one.approvalId === approvalId);
  if (present === undefined || sessionId === null || approval === undefined) throw unknownApproval();
  return { present, sessionId, approval, others: all.filter((one) => one !== approval) };
}

interface Ending extends Open {
  readonly key: string;
  readonly text: string;
}

/** Takes the approval out of its entry and tells who asked: where the request came from, or in the session. */
function endWith(asked: Pick<Resolution, 'agentId' | 'config' | 'spool' | 'workspace'>, { present, key, sessionId, approval, others, text }: Ending, view: MutationView): { readonly effects: readonly Effect[]; readonly announcements: readonly Announcement[] } {
  const { agentId, workspace } = asked;
  const { set, clear } = approvalMembers(others, present.members);
  if (approval.route !== undefined) {
    const told = tell(asked, { present, key, put: { set, clear }, route: approval.route, text, phase: 'ended', approvalId: approval.approvalId }, view);
    return { effects: [{ kind: 'putEntry', key, set: told.set, clear }], announcements: told.announcements };
  }
  if (present.file === null) return { effects: [{ kind: 'putEntry', key, set, clear }], announcements: [] };
  const line = { type: 'message', message: { role: 'assistant', content: [{ type: 'text', text }], api: 'openclaw', provider: 'openclaw', model: 'approval', stopReason: 'stop', timestamp: view.nowMs } };
  const appended = decideAppend({ agentId, key, sessionId, lines: [readGivenLine(Buffer.from(JSON.stringify(line)), approval.approvalId.slice(approval.approvalId.lastIndexOf('.') + 1))], session: { cwd: workspace } }, view);
  const effects = appended.decision.effects.map((effect): Effect => (effect.kind === 'putEntry' && effect.key === key ? { ...effect, set: { ...effect.set, ...set }, clear } : effect));
  return { effects, announcements: appended.announcements };
}

interface Telling {
  readonly present: PresentSession;
  readonly key: string;
  readonly put: { readonly set: Record<string, JsonValue>; readonly clear?: readonly string[] };
  readonly route: PrivateRoute;
  readonly text: string;
  readonly phase: string;
  readonly approvalId: string;
}

/** The same change with a message on its way; without, where the session may not send. */
function tell({ agentId, config, spool }: Pick<Resolution, 'agentId' | 'config' | 'spool'>, { present, key, put, route, text, phase, approvalId }: Telling, view: MutationView): { readonly set: Record<string, JsonValue>; readonly announcements: readonly Announcement[] } {
  const after: JsonObject = membersAfter(present.members, put);
  if (!maySend(config, key, nativeView(after))) return { set: put.set, announcements: [] };
  const { deliveries, opened } = openDeliveries(deliveriesOf(after), [OutboundMessage.create({ route: ReplyRoute.create(route), text })], { key, source: `${agentId}\napproval\n${approvalId}\n${phase}`, nowMs: view.nowMs }, spool);
  return {
    set: { ...put.set, ...deliveryMembers(deliveries, after).set },
    announcements: opened.map(({ deliveryId, channel = '', accountId }): Announcement => ({ kind: 'delivery', key, sessionId: present.sessionId ?? '', deliveryId, state: 'open', channel, accountId })),
  };
}
