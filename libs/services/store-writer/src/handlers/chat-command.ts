/**
 * A message that is a chat command as a whole: read once, here, beside who sent it, and carried out by
 * the owner in one mutation. Messages of other sessions, hooks and cron jobs are never commands.
 */
import type { DeliverRequest } from '@sessions/contracts';
import { SessionError, chooseNewModel, commandVerdict, contextTokensFor, modelFor, parseChatCommand, type ChatIntent, type CommandSender, type JsonObject, type KnownModel, type ModelRef } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { RESET_REPLIES } from '../decisions/command-replies';
import { decideCommand, type EntryIntent } from '../decisions/decide-command';
import type { DeliverAnswer } from '../decisions/decide-deliver';
import { decideReset, type ResetSessionRequest } from '../decisions/decide-reset';
import type { NewSession } from '../decisions/new-session';
import type { Planned } from '../decisions/planned';
import { queueSettings } from '../decisions/queue-run';
import type { OwnedAgent } from '../owned-agent';

export type Command =
  /** A new session with a first message; nothing of the message is left when `prompt` is undefined. */
  | { readonly do: 'reset'; readonly reason: 'new' | 'reset' | 'clear'; readonly model: string | undefined; readonly prompt: string | undefined }
  | { readonly do: 'entry'; readonly intent: EntryIntent; readonly mayRun: boolean };

/** Origins whose senders are people. */
const BY_PEOPLE: ReadonlySet<string> = new Set(['channel', 'webchat']);

/** @returns undefined for a message that goes to the model as it is. @throws UNSUPPORTED for the command line's */
export function commandOf(request: DeliverRequest, text: string, agent: OwnedAgent): Command | undefined {
  // Carried out where the sender was judged; what is left is the answer.
  if (request.command?.reply !== undefined) return { do: 'entry', intent: { kind: 'answered', reply: request.command.reply }, mayRun: true };
  const config = agent.deps.config();
  const intent = intentOf(request, text, config.session.resetTriggers);
  if (intent === undefined) return undefined;
  const verdict = commandVerdict(intent, senderOf(request));
  if (verdict === 'refuse') throw new SessionError('UNSUPPORTED', 'chat commands are not taken from the command line; use the commands of openclaw sessions');
  if (verdict === 'text') return undefined;
  const mayRun = verdict === 'run';
  if (mayRun && intent.kind === 'clear') return { do: 'reset', reason: 'clear', model: undefined, prompt: undefined };
  if (mayRun && intent.kind === 'reset') {
    const { model, prompt } = intent.reason === 'new' ? chooseNewModel(intent.text, knownModels(agent)) : { model: undefined, prompt: intent.text };
    return { do: 'reset', reason: intent.reason, model, prompt };
  }
  // What may not run is looked at no further.
  return { do: 'entry', intent: intent.kind === 'reset' || intent.kind === 'clear' ? { kind: 'status' } : intent, mayRun };
}

/** A person wrote it, or it says so: not another session, a hook or a job. */
export function isOfPeople({ route, message, interSession, run }: DeliverRequest): boolean {
  if (interSession !== undefined || message?.bookkeeping === true || (message?.role !== 'user' && message?.role !== '')) return false;
  return BY_PEOPLE.has(route?.originKind ?? '') || run?.source === 'agent';
}

function intentOf(request: DeliverRequest, text: string, triggers: readonly string[]): ChatIntent | undefined {
  const { message, command } = request;
  if (command !== undefined) return parseChatCommand(`/${command.name} ${command.prompt ?? command.arguments}`.trim(), ['/new', '/reset']);
  if (message === undefined || !isOfPeople(request)) return undefined;
  return message.attachments.length > 0 ? undefined : parseChatCommand(text, triggers);
}

/** An operator's client is the owner; a channel's adapter says who its sender is. */
export function senderOf({ route, message, command, run }: DeliverRequest): CommandSender {
  const isCommandLine = run?.source === 'agent';
  if (command !== undefined) return { isAuthorised: true, isOwner: command.fromOwner, isCommandLine };
  const authority = message?.sender?.authority ?? (route?.originKind === 'webchat' ? 'owner' : 'allowed');
  const asksForTurns = authority === 'turns';
  return { isOwner: authority === 'owner', isAuthorised: authority !== 'other' && !asksForTurns, asksForTurns, isCommandLine };
}

/** The agent's own model first, then what the providers list. */
function knownModels(agent: OwnedAgent): KnownModel[] {
  const config = agent.deps.config();
  const own = modelFor(config, agent.agentId);
  const listed = Object.entries(config.models.providers).flatMap(([provider, { models }]) => models.map(({ id }) => ({ provider, model: id })));
  return [...(own?.provider === undefined ? [] : [{ provider: own.provider, model: own.model }]), ...listed];
}

/** The decision of a command that changes the entry at most. */
export function planEntryCommand(agent: OwnedAgent, key: string, command: Extract<Command, { do: 'entry' }>, session: NewSession, stoppedRuns = 0): (view: MutationView) => Planned<DeliverAnswer> {
  const config = agent.deps.config();
  const { agentId } = agent;
  const { intent, mayRun } = command;
  const request = { agentId, key, intent, stoppedRuns, mayRun, session, defaultModel: modelFor(config, agentId), contextTokensOf: (model: ModelRef | undefined) => contextTokensFor(config, agentId, model), queueOf: (native: JsonObject) => queueSettings(config.messages.queue, native, {}, lastChannelOf(native)) };
  return (view) => decideCommand(request, view);
}

function lastChannelOf({ lastChannel }: JsonObject): string | undefined {
  return typeof lastChannel === 'string' ? lastChannel : undefined;
}

/** The decision of a reset that no message follows. */
export function decideBareReset(request: ResetSessionRequest & { readonly reason: 'new' | 'reset' | 'clear' }, view: MutationView): Planned<DeliverAnswer> {
  const { decision, announcements } = decideReset(request, view);
  const { key, sessionId, previousSessionId } = decision.result;
  const { reason } = request;
  return {
    announcements,
    decision: {
      effects: decision.effects,
      result: {
        method: 'Deliver',
        sessionKey: key,
        sessionId,
        messageId: null,
        messageSeq: null,
        created: previousSessionId === null,
        reset: previousSessionId === null ? null : { reason, previousSessionId },
        reply: RESET_REPLIES[reason],
        ignoredReason: null,
        deliveryBlocked: false,
        runId: null,
        queued: false,
        position: null,
        interruptedRunId: null,
      },
    },
  };
}
