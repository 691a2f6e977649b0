/**
 * Outbound messages of one channel login, and their acknowledgement. The owners of the stores decide
 * what is open and when it is offered again; here it is only read and passed on.
 */
import { AckDeliveryResponse, ListPendingRequest, StoreServiceAckDeliveryRequest, StreamDeliveriesResponse } from '@sessions/contracts';
import type { AckDeliveryRequest, Delivery, StreamDeliveriesRequest } from '@sessions/contracts';
import { DEFAULT_ACCOUNT_ID, SessionError, slugAccountId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import type { FanOut } from '../fan-out';
import { agentsToRead } from './resolve-address';

/** Open deliveries of one store that are looked at together. */
const PENDING_MAX = 1000;
/** A delivery that is due again is found at the latest after this. */
const LOOK_AGAIN_MS = 5_000;
/** States of a delivery that an adapter is to be told of. */
const OFFERING: ReadonlySet<string> = new Set(['open', 'offered']);

/** @throws VALIDATION without a channel */
export async function* streamDeliveries(deps: HandlerDeps, fanOut: FanOut, request: StreamDeliveriesRequest, context: CallContext): AsyncIterable<StreamDeliveriesResponse> {
  const { channel, accountId = DEFAULT_ACCOUNT_ID } = request;
  if (channel === '') throw new SessionError('VALIDATION', 'channel required');
  /** Offers that were made on this stream: a delivery is given again only with another attempt. */
  let offered = new Map<string, number>();
  let isDue = true;
  let wake: () => void = () => undefined;
  const look = (): void => {
    isDue = true;
    wake();
  };
  const account = slugAccountId(accountId);
  const end = fanOut.add(({ body }) => {
    // What was opened or offered for this login; that one is closed gives this stream nothing to say.
    if (body?.$case !== 'delivery' || body.value.channel !== channel || !OFFERING.has(body.value.state)) return;
    if (slugAccountId(body.value.accountId ?? DEFAULT_ACCOUNT_ID) === account) look();
  });
  context.signal.addEventListener('abort', look, { once: true });
  try {
    while (!context.signal.aborted) {
      isDue = false;
      const open = await openDeliveries(deps, channel, accountId, context);
      for (const delivery of open) if (offered.get(delivery.deliveryId) !== delivery.attempt) yield StreamDeliveriesResponse.create({ delivery });
      offered = new Map(open.map(({ deliveryId, attempt }) => [deliveryId, attempt]));
      const timer = deps.clock.setTimer(LOOK_AGAIN_MS, look, { keepsAlive: false });
      while (!isDue) await new Promise<void>((resolve) => (wake = resolve));
      timer.cancel();
    }
    throw context.signal.reason;
  } finally {
    context.signal.removeEventListener('abort', look);
    end();
  }
}

/** What is open for one channel login, oldest first. */
export async function openDeliveries(deps: HandlerDeps, channel: string, accountId: string, context: CallContext): Promise<Delivery[]> {
  const open: Delivery[] = [];
  for (const { agentId } of await agentsToRead(deps, { agentId: undefined, all: true, discover: true }, context)) {
    const request = ListPendingRequest.create({ agentId, kinds: ['delivery'], channel, accountId, limit: PENDING_MAX });
    open.push(...(await deps.stores.read('listPending', request, context)).deliveries);
  }
  return open.sort((a, b) => a.createdAtMs - b.createdAtMs);
}

/** Without an agent every store is asked; the id is one store's only. */
export async function ackDelivery(deps: HandlerDeps, request: AckDeliveryRequest, context: CallContext): Promise<AckDeliveryResponse> {
  const { deliveryId, result } = request;
  if (deliveryId === '' || result === undefined) throw new SessionError('VALIDATION', 'deliveryId and result required');
  for (const { agentId } of await agentsToRead(deps, { agentId: request.agentId, all: true, discover: true }, context)) {
    const { state } = await deps.stores.mutate('ackDelivery', StoreServiceAckDeliveryRequest.create({ agentId, deliveryId, result }), context, { part: agentId });
    if (state !== 'unknown') return AckDeliveryResponse.create({ state });
  }
  return AckDeliveryResponse.create({ state: 'unknown' });
}
