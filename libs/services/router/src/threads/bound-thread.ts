/** Threads that are bound to spawned sessions: where a message of such a thread goes, bound and unbound. */
import { FieldChange, PatchEntryRequest } from '@sessions/contracts';
import type { ReplyRoute } from '@sessions/contracts';
import { BOUND_SESSION_MEMBER, THREAD_BINDING_MEMBER, asAgentId, bindingHolds, boundSessionMember, boundSessionOf, isBoundTo, isJsonObject, isSameKey, parseSessionKey, sessionTimes } from '@sessions/domain';
import type { BoundSession, JsonObject, JsonValue, SessionConfig } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { ownAddress } from '../auth/sight';
import type { SeenAddress } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { readEntry } from '../handlers/describe-session';
import { readRun } from '../handlers/find-run';
import { ownChildren } from '../handlers/sub-agents';

/** Channels whose threads can be bound. */
const THREAD_CHANNELS: ReadonlySet<string> = new Set(['discord']);

export const hasBoundThreads = (channel: string): boolean => THREAD_CHANNELS.has(channel);

/** What holds for a channel's threads. */
export const threadSettings = (config: SessionConfig): SessionConfig['session']['threadBindings'] => config.channels.discord.threadBindings;

export interface ThreadMessage {
  /** Where it goes by its origin alone. */
  readonly address: SeenAddress;
  readonly channel: string;
  readonly place: ReplyRoute | undefined;
  /** That its turn would have: the same wherever it goes. */
  readonly runId: string;
}

/** The session that a message of a bound thread goes to; undefined: that of the thread. */
export async function boundSession(deps: HandlerDeps, { address, channel, place, runId }: ThreadMessage, context: CallContext): Promise<SeenAddress | undefined> {
  if (!isThread(address.key, channel) || place === undefined || !threadSettings(deps.config()).enabled) return undefined;
  const bound = await readBinding(deps, address, context);
  if (bound === undefined) return undefined;
  const target = ownAddress(deps, bound.sessionKey);
  const entry = await readMembers(deps, target, context);
  const holds = entry !== undefined && isBoundTo(entry, place) && bindingHolds(bound, sessionTimes(entry).lastInteractionAtMs, deps.clock.nowMs());
  const [chosen, other] = holds ? [target, address] : [address, target];
  // A message that comes again goes where it went first, whatever the thread is bound to by now.
  const wentTo = other.agentId !== chosen.agentId && entry !== undefined && (await readRun(deps, other.agentId, runId, context)) !== undefined ? other : chosen;
  return wentTo === target ? target : undefined;
}

/** Binds the thread of `address` anew, or ends what it is bound to. */
export async function bindThread(deps: HandlerDeps, address: SeenAddress, bound: BoundSession, part: string, context: CallContext): Promise<void> {
  const change = FieldChange.create({ name: BOUND_SESSION_MEMBER, valueJson: Buffer.from(JSON.stringify(boundSessionMember(bound))) });
  await deps.stores.mutate('patchEntry', PatchEntryRequest.create({ ...address, changes: [change], touch: false, create: false }), context, { part });
}

/**
 * `/focus`: messages of the thread go to a sub-agent of the thread's own session from now on. To no
 * other session: whoever speaks in the thread would read and write what was said elsewhere.
 * @param asked key, session id or label of the sub-agent; empty: only says what it is bound to @returns what the sender is told
 */
export async function focusThread(deps: HandlerDeps, { address, channel, place, asked }: { readonly address: SeenAddress; readonly channel: string; readonly place: ReplyRoute | undefined; readonly asked: string }, context: CallContext): Promise<string> {
  const { enabled, idleHours, maxAgeHours } = threadSettings(deps.config());
  if (!isThread(address.key, channel) || place === undefined || !enabled) return 'This conversation is no thread that could be bound to a session.';
  if (asked === '') {
    const bound = await readBinding(deps, address, context);
    return bound === undefined || bound.endedAtMs !== undefined ? 'This thread is bound to no session. Usage: /focus <key, id or label of a sub-agent>' : `This thread is bound to ${bound.sessionKey}.`;
  }
  const children = await ownChildren({ deps, caller: { agentId: asAgentId(address.agentId), key: address.key }, context });
  const child = children.find(({ key, sessionId }) => isSameKey(key, asked) || sessionId === asked) ?? children.find(({ label }) => label === asked);
  if (child === undefined) return 'No sub-agent of this thread was found by that key, id or label.';
  const boundAtMs = deps.clock.nowMs();
  const { channel: name, to, accountId, threadId } = place;
  const member = { channel: name, to, ...(accountId !== undefined && { accountId }), ...(threadId !== undefined && { threadId }), boundAt: boundAtMs };
  const change = FieldChange.create({ name: THREAD_BINDING_MEMBER, valueJson: Buffer.from(JSON.stringify(member)) });
  await deps.stores.mutate('patchEntry', PatchEntryRequest.create({ agentId: child.agentId, key: child.key, changes: [change], touch: false, create: false }), context, { part: 'focus' });
  await bindThread(deps, address, { sessionKey: child.key, boundAtMs, idleHours, maxAgeHours }, 'bind', context);
  return `This thread is bound to ${child.key}.`;
}

/** `/unfocus`: messages of the thread go to the thread's own session again. @returns what the sender is told */
export async function unbindThread(deps: HandlerDeps, address: SeenAddress, channel: string, context: CallContext): Promise<string> {
  const bound = isThread(address.key, channel) ? await readBinding(deps, address, context) : undefined;
  if (bound === undefined || bound.endedAtMs !== undefined) return 'This conversation is bound to no session.';
  await bindThread(deps, address, { ...bound, endedAtMs: deps.clock.nowMs() }, 'unbind', context);
  return `This thread is no longer bound to ${bound.sessionKey}.`;
}

/** `/session idle|max-age`: @param hours 0: never */
export async function limitThread(deps: HandlerDeps, address: SeenAddress, channel: string, limit: { readonly name: 'idle' | 'max-age'; readonly hours: number }, context: CallContext): Promise<string> {
  const bound = isThread(address.key, channel) ? await readBinding(deps, address, context) : undefined;
  if (bound === undefined || bound.endedAtMs !== undefined) return 'This conversation is bound to no session.';
  await bindThread(deps, address, { ...bound, ...(limit.name === 'idle' ? { idleHours: limit.hours } : { maxAgeHours: limit.hours }) }, 'limit', context);
  return limit.hours === 0 ? `The thread stays bound, whatever its ${limit.name === 'idle' ? 'silence' : 'age'}.` : `The thread is unbound ${limit.name === 'idle' ? 'after a silence of' : 'at an age of'} ${String(limit.hours)} h.`;
}

const isThread = (key: string, channel: string): boolean => hasBoundThreads(channel) && parseSessionKey(key).suffix !== undefined;

async function readBinding(deps: HandlerDeps, address: SeenAddress, context: CallContext): Promise<BoundSession | undefined> {
  const entry = await readMembers(deps, address, context);
  return entry === undefined ? undefined : boundSessionOf(entry);
}

async function readMembers(deps: HandlerDeps, address: SeenAddress, context: CallContext): Promise<JsonObject | undefined> {
  const found = await readEntry(deps, address, context, { withoutChildren: true });
  const entry = found === undefined ? undefined : (JSON.parse(found.entryJson.toString('utf8')) as JsonValue);
  return isJsonObject(entry) ? entry : undefined;
}
