/**
 * Keeps a message in one mutation. Two things are found out only while it is decided, and make it be
 * decided anew: that its session is stale, so that files have to be held, and that only the transcript
 * says when the session began.
 */
import { DeliverResponse } from '@sessions/contracts';
import { headerOf, parseTranscriptLine } from '@sessions/domain';
import type { HeldView, MutationOutcome, MutationView } from '@sessions/store';
import { MessageIgnored, ResetDue, ResetNotDue, decideDeliver, type DeliverAnswer, type Delivery } from '../decisions/decide-deliver';
import { StartUnknown } from '../decisions/due-reset';
import { RunsOpen } from '../decisions/session-files';
import type { Planned } from '../decisions/planned';
import type { MutationRequest, OwnedAgent } from '../owned-agent';
import { interruptRuns } from '../stop-runs';
import { holdsOf } from './session-holds';

export interface Asked {
  readonly agent: OwnedAgent;
  readonly key: string;
  readonly request: Omit<MutationRequest<DeliverAnswer>, 'plan' | 'held'>;
}

/** A session changes this often while its message waits, and no more. */
const DECISIONS_MAX = 16;

/**
 * Files are held only for a message that finds its session stale: the others never wait for them.
 * @param also what else the same mutation does
 */
export async function keep(asked: Asked, given: Delivery, also: (planned: Planned<DeliverAnswer>, view: MutationView) => Planned<DeliverAnswer> = (planned) => planned): Promise<DeliverResponse> {
  const { agent, key, request } = asked;
  let delivery = given;
  let isStale = false;
  for (let turn = 1; ; turn += 1) {
    const { resetRules } = delivery;
    try {
      if (isStale) return await withHeldSession(asked, (held, view) => also(decideDeliver({ ...delivery, held }, view), view));
      return await agent.mutate<DeliverAnswer, DeliverResponse>({ ...request, plan: (view) => also(decideDeliver(delivery, view), view) }, answerOf);
    } catch (error) {
      if (error instanceof MessageIgnored) return DeliverResponse.create({ status: 'ignored', sessionKey: key, ignoredReason: error.reason });
      if (turn >= DECISIONS_MAX) throw error;
      if (error instanceof ResetDue) isStale = true;
      else if (error instanceof RunsOpen) await interruptRuns(agent, { key, reason: 'reset', queuedToo: true });
      // Another message was first: the session is fresh by now.
      else if (error instanceof ResetNotDue) isStale = false;
      else if (error instanceof StartUnknown && resetRules !== undefined) {
        const headerTimes = new Map([...resetRules.headerTimes, [error.file, await headerTime(agent, error.file)] as const]);
        delivery = { ...delivery, resetRules: { ...resetRules, headerTimes } };
      } else throw error;
    }
  }
}

/** Bytes of a transcript that its header is looked for in. */
const HEADER_BYTES_MAX = 4096;

/** When a transcript says that it began; null where it says nothing that can be read. */
function headerTime(agent: OwnedAgent, file: string): Promise<number | null> {
  return agent.use(async ({ store }) => {
    const text = await store.files
      .readTranscript(file, async (source, bytes) => {
        const buffer = Buffer.alloc(Math.min(bytes, HEADER_BYTES_MAX));
        const { bytesRead } = await source.read(buffer, 0, buffer.length, 0);
        return buffer.toString('utf8', 0, bytesRead);
      })
      .catch(() => undefined);
    const [first] = (text ?? '').split('\n', 1);
    return first === undefined ? null : (headerOf(parseTranscriptLine(first, 1))?.atMs ?? null);
  });
}

export function withHeldSession({ agent, key, request }: Asked, plan: (held: HeldView, view: MutationView) => Planned<DeliverAnswer>): Promise<DeliverResponse> {
  return agent.mutateHeld<DeliverAnswer, DeliverResponse>(
    { files: (store) => holdsOf(store, key, 'reset'), request: (held) => ({ ...request, plan: (view) => plan(held, view) }) },
    answerOf,
  );
}

export function answerOf({ result, repeated, epoch, seq }: MutationOutcome<DeliverAnswer>): Promise<DeliverResponse> {
  const { sessionKey, sessionId, messageId, messageSeq, created, reset, reply, ignoredReason, deliveryBlocked, runId, queued, position, interruptedRunId } = result;
  // Results of an earlier release have none of the later members.
  const isKept = (messageId ?? runId ?? undefined) !== undefined;
  const first = (ignoredReason ?? undefined) !== undefined ? 'ignored' : isKept || (reply ?? undefined) === undefined ? 'accepted' : 'handled';
  return Promise.resolve(
    DeliverResponse.create({
      epoch,
      storeSeq: seq,
      status: repeated ? 'duplicate' : first,
      sessionKey,
      sessionId: sessionId ?? undefined,
      messageId: messageId ?? undefined,
      messageSeq: messageSeq ?? undefined,
      created,
      reset: reset ?? undefined,
      reply: reply ?? undefined,
      ignoredReason: ignoredReason ?? undefined,
      deliveryBlocked: deliveryBlocked === true,
      runId: runId ?? undefined,
      queued: queued === true,
      position: position ?? undefined,
      interruptedRunId: interruptedRunId ?? undefined,
    }),
  );
}
