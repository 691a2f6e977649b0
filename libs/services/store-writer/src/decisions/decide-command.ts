/**
 * A chat command that begins no new session: a setting on the entry, or an answer. Pure.
 *
 * A command of somebody who may not give it changes nothing but the time of interaction. Settings live
 * on the session's entry, never in the configuration.
 */
import { SessionError, chatTypeOf, type ChatIntent, type EntryPatch, type JsonObject, type JsonValue } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { contextReply, modelReply, statusReply, type ReplyFacts } from './command-replies';
import type { DeliverAnswer } from './decide-deliver';
import { fieldChange, type FieldPatch } from './field-patch';
import { newEntryMembers, type NewSession } from './new-session';
import { membersAfter, rowOf, type Planned } from './planned';
import { findSession, type PresentSession } from './session-of-key';
import type { QueueSettings } from './queue-run';
import { EXEC_USAGE, QUEUE_USAGE, execReply, hasOwnQueue, queueReply, readExecWords, readQueueWords } from './setting-words';

/** `compact` and `export-trajectory` are requests of their own; here they stand for those that may not be made. */
export type EntryIntent = Exclude<ChatIntent, { kind: 'reset' | 'clear' }> | { readonly kind: 'answered'; readonly reply: string };

export interface CommandRequest extends Omit<ReplyFacts, 'native'> {
  readonly agentId: string;
  readonly key: string;
  readonly intent: EntryIntent;
  /** What holds for the queue of a session with these members. */
  readonly queueOf: (native: JsonObject) => QueueSettings;
  /** Of `/stop`: runs that were stopped before this is decided. */
  readonly stoppedRuns?: number;
  /** False: the sender may not; nothing happens. */
  readonly mayRun: boolean;
  readonly session: NewSession;
}

interface Outcome {
  readonly reply: string;
  readonly fields?: FieldPatch;
}

/** Field of the entry behind a toggle of one word. */
const TOGGLE_FIELDS = { think: 'thinkingLevel', verbose: 'verboseLevel', reasoning: 'reasoningLevel', elevated: 'elevatedLevel' } as const;

const NO_CHANGE: EntryPatch = { set: {}, clear: [] };

/** @throws DAMAGED */
export function decideCommand(request: CommandRequest, view: MutationView): Planned<DeliverAnswer> {
  const { agentId, mayRun, session } = request;
  const present = findSession(view, request.key);
  const key = present?.key ?? request.key;
  const { reply, change } = mayRun ? carriedOut(outcomeOf(request, key, present), request, { key, present, view }) : { reply: null, change: NO_CHANGE };
  const isChange = Object.keys(change.set).length > 0 || change.clear.length > 0;
  const answer = (sessionId: string | null): DeliverAnswer => ({
    method: 'Deliver',
    sessionKey: key,
    sessionId,
    messageId: null,
    messageSeq: null,
    created: present === undefined && isChange,
    reset: null,
    reply,
    ignoredReason: mayRun ? null : 'unauthorised_command',
    deliveryBlocked: false,
    runId: null,
    queued: false,
    position: null,
    interruptedRunId: null,
  });
  if (present === undefined) {
    if (!isChange) return { decision: { effects: [], result: answer(null) }, announcements: [] };
    const set = newEntryMembers(session, view.nowMs, { ...change.set, lastInteractionAt: view.nowMs });
    return {
      decision: { effects: [{ kind: 'putEntry', key, set }], result: answer(session.sessionId) },
      announcements: [{ kind: 'changed', key, sessionId: session.sessionId, reason: 'create', row: rowOf(agentId, key, set) }],
    };
  }
  const set: Record<string, JsonValue> = { ...change.set, lastInteractionAt: view.nowMs, ...(isChange ? { updatedAt: view.nowMs } : {}) };
  const clear = change.clear.filter((name) => name in present.members);
  return {
    decision: { effects: [{ kind: 'putEntry', key, set, clear }], result: answer(present.sessionId) },
    announcements: isChange ? [{ kind: 'changed', key, sessionId: present.sessionId ?? undefined, reason: 'patch', row: rowOf(agentId, key, membersAfter(present.members, { set, clear })) }] : [],
  };
}

interface Present {
  readonly key: string;
  readonly present: PresentSession | undefined;
  readonly view: MutationView;
}

/** A value that the setting does not take is answered where it was said: a refusal would reach the adapter alone. */
function carriedOut({ reply, fields = {} }: Outcome, { defaultModel }: CommandRequest, { key, present, view }: Present): { readonly reply: string; readonly change: EntryPatch } {
  try {
    return { reply, change: fieldChange(fields, { key, present: present?.native ?? {}, view, defaultModel }) };
  } catch (error) {
    if (!(error instanceof SessionError) || error.reason !== 'VALIDATION') throw error;
    return { reply: `Nothing was changed: ${error.message}.`, change: NO_CHANGE };
  }
}

function outcomeOf(request: CommandRequest, key: string, present: PresentSession | undefined): Outcome {
  const { intent } = request;
  const facts: ReplyFacts = { ...request, native: present?.native };
  switch (intent.kind) {
    case 'model':
      if (intent.action === 'show') return { reply: modelReply(facts) };
      if (intent.action === 'default') return { reply: 'Model: back to the default.', fields: { model: null } };
      return 'name' in intent ? { reply: `Model set to ${intent.name}.`, fields: { model: intent.name } } : { reply: modelReply(facts) };
    case 'activation':
      return isGroup(key, present) ? { reply: `Activation: ${intent.mode}.`, fields: { groupActivation: intent.mode } } : { reply: '/activation works in groups only.' };
    case 'send':
      return { reply: `Send policy: ${intent.policy}.`, fields: { sendPolicy: intent.policy === 'inherit' ? null : intent.policy } };
    case 'status':
      return { reply: statusReply(facts) };
    case 'context':
      return { reply: contextReply(facts, intent.view) };
    case 'toggle':
      return toggled(intent, present, request.queueOf);
    case 'answered':
      return { reply: intent.reply };
    case 'stop':
      return { reply: stopReply(request.stoppedRuns ?? 0) };
    case 'usage':
      return { reply: `Usage: ${intent.usage}` };
    case 'focus':
    case 'unfocus':
    case 'thread':
      return { reply: `/${intent.kind === 'thread' ? 'session' : intent.kind} works in the threads of a channel only.` };
    case 'kill':
    case 'subagents':
      return { reply: `/${intent.kind} is not carried out for a message that comes this way; say it in the chat.` };
    case 'compact':
    case 'export-trajectory':
      return { reply: `/${intent.kind} was not carried out.` };
  }
}

function stopReply(count: number): string {
  if (count === 0) return 'Stopped 0 runs: none was active or queued.';
  return count === 1 ? 'Stopped 1 run.' : `Stopped ${String(count)} runs.`;
}

function toggled({ name, value }: Extract<ChatIntent, { kind: 'toggle' }>, present: PresentSession | undefined, queueOf: CommandRequest['queueOf']): Outcome {
  const native = present?.native ?? {};
  if (name === 'queue') return settingOutcome(value, native, { read: readQueueWords, replyOf: (now) => queueReply(queueOf(now), hasOwnQueue(now)), usage: QUEUE_USAGE });
  if (name === 'exec') return settingOutcome(value, native, { read: readExecWords, replyOf: execReply, usage: EXEC_USAGE });
  const field = TOGGLE_FIELDS[name];
  const stored = native[field];
  if (value === undefined) return { reply: `${name}: ${typeof stored === 'string' ? stored : 'default'}` };
  return { reply: `${name}: ${value}.`, fields: { [field]: value === 'default' || value === 'inherit' ? null : value } };
}

interface Setting {
  readonly read: (words: string) => FieldPatch | undefined;
  /** From the members as they are afterwards. */
  readonly replyOf: (native: JsonObject) => string;
  readonly usage: string;
}

function settingOutcome(words: string | undefined, native: JsonObject, { read, replyOf, usage }: Setting): Outcome {
  if (words === undefined) return { reply: replyOf(native) };
  const fields = read(words);
  return fields === undefined ? { reply: `Usage: ${usage}` } : { reply: replyOf({ ...native, ...(fields as JsonObject) }), fields };
}

/** By its key, or by what its messages said. */
function isGroup(key: string, present: PresentSession | undefined): boolean {
  const stored = present?.native['chatType'];
  return [chatTypeOf(key, {}), stored].some((type) => type === 'group' || type === 'channel');
}
