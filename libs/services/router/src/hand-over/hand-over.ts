/**
 * Messages between sessions on their last way: what the owner of one session has journalled for
 * another is given to the owner of that one, and acknowledged at the first.
 *
 * The delivery's id makes the idempotency key at the target, one that no client may choose, so it counts there once however often it is
 * handed over: after a lost acknowledgement, by two routers at a time, over restarts of anybody. The
 * open delivery of the source is the truth; nothing here is kept.
 */
import { InboundMessage, ListPendingRequest, StoreServiceAckDeliveryRequest } from '@sessions/contracts';
import type { Delivery, DeliveryResult, InterSession, SessionDelivery } from '@sessions/contracts';
import { SessionError, chainEnd, parseSessionKey, slugAgentId, toRequestKey } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { deliverTo } from '../handlers/deliver-to';
import { traceSoFar } from '../handlers/trace-cost';

/** Deliveries of one store that are looked at together. */
const PENDING_MAX = 100;
/** Sessions that are handed to at a time; those of one session go in order. */
const TARGETS_AT_ONCE = 8;
/** Rounds of one hand-over; what comes faster than this is left to the next notice. */
const ROUNDS_MAX = 100;

/** Refusals that no waiting mends. */
const FOR_GOOD: ReadonlySet<string> = new Set([
  'VALIDATION', 'KEY_INVALID', 'KEY_AMBIGUOUS', 'TOO_LARGE', 'AGENT_UNKNOWN', 'AGENT_REQUIRED', 'SESSION_NOT_FOUND', 'SEND_DENIED', 'NOT_VISIBLE', 'IDEMPOTENCY_MISMATCH',
]);

export interface HandedOver {
  /** Given to their sessions, or dropped because those are gone. */
  readonly handed: number;
  /** Refused for good; their owner was told why. */
  readonly refused: number;
  /** Still open, because somebody could not be reached. */
  readonly left: number;
}

type HandOverDeps = Pick<HandlerDeps, 'stores' | 'agents' | 'clock' | 'config'> & HandlerDeps;

/**
 * Hands over what one agent's store has open for other sessions.
 * @param contextFor the router's own calls, at that distance from a person's message
 * @throws what the source's owner refuses with, when it cannot be reached
 */
export async function handOver(deps: HandOverDeps, agentId: string, contextFor: (hops: number) => CallContext): Promise<HandedOver> {
  const total = { handed: 0, refused: 0, left: 0 };
  const tried = new Set<string>();
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { deliveries } = await deps.stores.read('listPending', ListPendingRequest.create({ agentId, kinds: ['delivery'], toSessions: true, limit: PENDING_MAX }), contextFor(0));
    const fresh = deliveries.filter(({ deliveryId, toSession }) => toSession !== undefined && !tried.has(deliveryId)).sort((a, b) => a.createdAtMs - b.createdAtMs);
    if (fresh.length === 0) return total;
    for (const { deliveryId } of fresh) tried.add(deliveryId);
    const queues = byTarget(fresh);
    const next = async (): Promise<void> => {
      for (let queue = queues.shift(); queue !== undefined; queue = queues.shift()) {
        for (const [place, delivery] of queue.entries()) {
          const became = await handOne(deps, delivery, contextFor);
          total[became] += 1;
          // What comes after it must not come before it.
          if (became === 'left') total.left += queue.length - place - 1;
          if (became === 'left') break;
        }
      }
    };
    await Promise.all(Array.from({ length: TARGETS_AT_ONCE }, next));
  }
  return total;
}

/** Of each session its own, in their order. */
function byTarget(deliveries: readonly Delivery[]): Delivery[][] {
  const queues = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    const key = delivery.toSession?.sessionKey ?? '';
    queues.set(key, [...(queues.get(key) ?? []), delivery]);
  }
  return [...queues.values()];
}

async function handOne(deps: HandOverDeps, delivery: Delivery, contextFor: (hops: number) => CallContext): Promise<keyof HandedOver> {
  const { deliveryId, agentId, toSession } = delivery;
  if (toSession === undefined) return 'left';
  try {
    const refusal = await give(deps, delivery, toSession, contextFor(toSession.interSession?.hops ?? 0));
    const result: DeliveryResult = { ok: refusal === undefined, channelMessageId: undefined, error: refusal, retry: false };
    await deps.stores.mutate('ackDelivery', StoreServiceAckDeliveryRequest.create({ agentId, deliveryId, result }), contextFor(0), { idempotencyKey: `handed:${deliveryId}` });
    return refusal === undefined ? 'handed' : 'refused';
  } catch (thrown) {
    const error = toSessionError(thrown);
    // Its text may name sessions.
    deps.logger.warn('a message between sessions could not be handed over; it is tried again', { agentId, reason: error.reason });
    return 'left';
  }
}

/** @returns why the target will never take it; undefined: it has it. @throws what may pass */
async function give(deps: HandOverDeps, { deliveryId, agentId, text, attachments }: Delivery, { sessionKey, interSession, run, create }: SessionDelivery, context: CallContext): Promise<string | undefined> {
  const named = parseSessionKey(sessionKey).agentId;
  const target = named === undefined ? agentId : slugAgentId(named);
  const hasStore = await deps.agents.hasStore(target, context);
  if (!hasStore && !create) return undefined;
  if (!hasStore && (await deps.agents.find(target, context)) === undefined) return 'AGENT_UNKNOWN';
  if (interSession !== undefined && (await isOverCost(deps, interSession, context))) return 'SEND_DENIED';
  try {
    await deliverTo(
      deps,
      {
        agentId: target,
        key: storedKey(deps, target, sessionKey),
        text,
        attachments,
        message: InboundMessage.create({ role: 'user', text, attachments }),
        ...(interSession !== undefined && { interSession }),
        ...(run !== undefined && { run }),
        requireExisting: !create,
        idempotencyKey: `hand-over:${deliveryId}`,
      },
      context,
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    // The session is gone, and nobody waits for the message in it.
    if (error.reason === 'SESSION_NOT_FOUND' && !create) return undefined;
    if (!FOR_GOOD.has(error.reason)) throw error;
    return error.reason;
  }
}

/** Where all senders share one session, it is stored under another key than others name it by. */
function storedKey({ config }: HandOverDeps, agentId: string, key: string): string {
  const { scope, mainKey } = config().session;
  const asked = slugAgentId(agentId);
  return scope === 'global' ? toRequestKey({ key, agentId: asked, defaultAgentId: asked, scope, mainKey }).key : key;
}

/** Turns of an exchange cost on; results and announces are what was paid for, and always arrive. */
async function isOverCost(deps: HandOverDeps, { sourceTool, traceId, traceAgentId, hops, costUsd }: InterSession, context: CallContext): Promise<boolean> {
  if (sourceTool !== 'sessions_send') return false;
  return chainEnd({ hops, costUsd: (await traceSoFar(deps, { traceId, traceAgentId, costUsd }, context)).costUsd }, deps.config()) === 'cost';
}
