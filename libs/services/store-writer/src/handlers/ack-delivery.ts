/** AckDelivery: what became of a delivery. A failure that may be tried again leaves it open. */
import { StoreServiceAckDeliveryResponse, type StoreServiceAckDeliveryRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { decideAck, deliveryEndKey, readDeliveryEnd, type AckAnswer } from '../decisions/decide-ack';
import { archiveChild, dropChildFiles, endingChildOf } from '../end-child';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';

/** It has ended already, or never was. */
class NotOpen extends Error {}

/** @throws VALIDATION */
export async function ackDelivery(agent: OwnedAgent, request: StoreServiceAckDeliveryRequest, context: CallContext): Promise<StoreServiceAckDeliveryResponse> {
  const { deliveryId, result } = request;
  if (result === undefined || deliveryId === '') throw new SessionError('VALIDATION', 'an acknowledgement names its delivery and a result');
  const { ok, retry, channelMessageId, error } = result;
  return agent.read(
    async (store, open) => {
      const answer = (state: string): StoreServiceAckDeliveryResponse => StoreServiceAckDeliveryResponse.create({ epoch: store.epoch, storeSeq: open.seq, state });
      const key = await open.work.keyOfDelivery(deliveryId);
      if (key === undefined) return answer(await endOf(open, deliveryId));
      if (!ok && retry) return answer('open');
      const child = await endingChildOf(open, deliveryId, key, agent.deps.config());
      const isWithoutFiles = child !== undefined && (await dropChildFiles(agent, child));
      try {
        const answered = await agent.mutate<AckAnswer, StoreServiceAckDeliveryResponse>(
          {
            method: 'AckDelivery',
            context,
            plan: (view) => {
              const planned = decideAck({ key, deliveryId, ok, channelMessageId, error, isWithoutFiles }, view);
              if (planned === undefined) throw new NotOpen();
              return planned;
            },
          },
          (outcome) => Promise.resolve(answer(outcome.result.state)),
        );
        if (child !== undefined) await archiveChild(agent, child);
        return answered;
      } catch (failure) {
        if (failure instanceof NotOpen) return answer(await endOf(open, deliveryId));
        throw failure;
      }
    },
    () => StoreServiceAckDeliveryResponse.create({ state: 'unknown' }),
  );
}

async function endOf({ store }: OpenAgentStore, deliveryId: string): Promise<string> {
  return readDeliveryEnd(await store.storedResult(deliveryEndKey(deliveryId))) ?? 'unknown';
}
