/**
 * BeginTurn: a runner claims a turn for one attempt. Repeated by the same attempt it is the heartbeat:
 * the claim is renewed and nothing is written, unless messages are steered into the turn.
 */
import { BeginTurnResponse, InboundMessage, TurnSettings, type BeginTurnRequest } from '@sessions/contracts';
import { INTERRUPTED_RESULT_TEXT, SessionError, isJsonObject, pairTools, toolCallsOf, type JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { StoredEntry } from '@sessions/store';
import { TipMoved, decideBegin, decideSteer, type BeginAnswer, type BeginRequest } from '../decisions/decide-begin';
import { runsOf } from '../decisions/open-run';
import { newRecordId } from '../new-ids';
import { commit, type OpenAgentStore, type OwnedAgent } from '../owned-agent';
import { withSpool } from '../run-spool';
import { withoutBulky } from './entry-json';
import { endOccasion, keyOfOpenRun } from './run-occasion';
import { sessionEntry } from './stored-session';

const RUNNER_ID_LENGTH_MAX = 256;
/** Lines of a dead attempt that are looked through for calls without a result. */
const CLOSED_LINES_MAX = 200;
/** The end of the transcript is looked up this often while messages keep coming. */
const LOOKS_MAX = 20;

/** @throws VALIDATION, RUN_NOT_FOUND, RUN_STILL_ACTIVE; STALE_PLAN when another attempt or runner holds the run */
export async function beginTurn(agent: OwnedAgent, request: BeginTurnRequest, context: CallContext): Promise<BeginTurnResponse> {
  const { runId, runnerId, attempt } = request;
  if (runnerId === '' || runnerId.length > RUNNER_ID_LENGTH_MAX) throw new SessionError('VALIDATION', `a runner id has 1 to ${String(RUNNER_ID_LENGTH_MAX)} characters`);
  if (!Number.isInteger(attempt) || attempt < 1) throw new SessionError('VALIDATION', 'attempt must be at least 1');
  return agent.use(async (open) => {
    const key = await keyOfOpenRun(open, runId);
    const begin = { agentId: agent.agentId, key, runId, runnerId, attempt, session: endOccasion(agent).session };
    const claim = open.work.claimOf(runId);
    if (claim === undefined) {
      await claimTurn(open, begin, context, agent.deps.clock.nowMs());
      return answer(open, begin, []);
    }
    if (claim.runnerId !== runnerId || claim.attempt !== attempt) throw new SessionError('STALE_PLAN', 'another attempt holds the run', { facts: { attempt, holds: claim.attempt } });
    return answer(open, begin, request.takeSteered ? await steer(open, begin, context) : []);
  });
}

async function claimTurn(open: OpenAgentStore, begin: BeginRequest, context: CallContext, nowMs: number): Promise<void> {
  for (let look = 1; ; look += 1) {
    const closing = begin.attempt > 1 ? await closingOf(open, begin, nowMs) : undefined;
    const asked = closing === undefined ? begin : { ...begin, closing };
    try {
      await withSpool(open.spool, (spool) => commit<BeginAnswer>(open, { method: 'BeginTurn', context, plan: (view) => decideBegin(asked, view, spool) }));
      return;
    } catch (error) {
      if (!(error instanceof TipMoved) || look >= LOOKS_MAX) throw error;
    }
  }
}

/** There is nothing to hand over. */
class NothingSteered extends Error {}

async function steer(open: OpenAgentStore, begin: BeginRequest, context: CallContext): Promise<readonly string[]> {
  try {
    const { result } = await withSpool(open.spool, (spool) =>
      commit<BeginAnswer>(open, {
        method: 'BeginTurn',
        context,
        plan: (view) => {
          const planned = decideSteer(begin, view, spool);
          if (planned === undefined) throw new NothingSteered();
          return planned;
        },
      }),
    );
    return result.steered;
  } catch (error) {
    if (error instanceof NothingSteered) return [];
    throw error;
  }
}

async function answer(open: OpenAgentStore, { key, runId, runnerId, attempt }: BeginRequest, steered: readonly string[]): Promise<BeginTurnResponse> {
  const { store, work } = open;
  const entry = await sessionEntry(store, { key });
  const run = entry === undefined ? undefined : runsOf(membersOf(entry)).find((one) => one.runId === runId);
  if (entry === undefined || run === undefined || run.state === 'over') throw new SessionError('RUN_NOT_FOUND', `no run ${runId.slice(0, 64)} is open`);
  return BeginTurnResponse.create({
    epoch: store.epoch,
    storeSeq: open.seq,
    sessionKey: key,
    sessionId: entry.sessionId ?? '',
    tipId: entry.tail?.leafId ?? undefined,
    settings: TurnSettings.create({
      run: run.request,
      encodedRow: Buffer.from(entry.encodedRow),
      entryJson: withoutBulky(withoutWork(entry.text)),
      interSession: run.interSession,
      route: run.route,
    }),
    steerMessages: steered.map((text) => InboundMessage.create({ role: 'user', text })),
    claimEndsAtMs: work.claimed(runId, attempt, runnerId),
    cancelled: run.cancel !== undefined,
    cancelReason: run.cancel?.reason,
    messageId: run.messageId ?? '',
  });
}

/** Settings hold no messages of others that wait. */
function withoutWork(text: string): string {
  const { openRuns: _, openDeliveries: __, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(rest);
}

function membersOf({ text }: StoredEntry): JsonObject {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value as JsonObject) ? (value as JsonObject) : {};
}

/** Results for the calls that an attempt left open, to follow the tip as it is now. */
async function closingOf({ store }: Pick<OpenAgentStore, 'store'>, begin: BeginRequest, atMs: number): Promise<NonNullable<BeginRequest['closing']> | undefined> {
  const { key, runId } = begin;
  const entry = await sessionEntry(store, { key });
  if (entry?.tail === undefined || entry.tail.kind !== 'native') return undefined;
  // Begun already: its runner only takes its claim again, and answers its calls itself.
  if (runsOf(membersOf(entry)).some((run) => run.runId === runId && run.runnerId !== undefined)) return undefined;
  const page = await store.history({ key, limit: CLOSED_LINES_MAX, includeTools: true });
  const messages = (page?.records ?? []).map(({ line }) => (JSON.parse(line) as { readonly message?: JsonObject }).message);
  const { resultsOf, unanswered } = pairTools(messages);
  const open = [...unanswered].flatMap((at) => {
    const answered = new Set((resultsOf.get(at) ?? []).map((place) => messages[place]?.['toolCallId']));
    return toolCallsOf(messages[at]).filter(({ id }) => !answered.has(id));
  });
  const after = await sessionEntry(store, { key });
  const leafId = after?.tail?.leafId ?? null;
  if (leafId !== entry.tail.leafId) return closingOf({ store }, begin, atMs);
  return {
    leafId,
    lines: open.map(({ id: toolCallId, name: toolName }) => {
      const id = newRecordId();
      return (parentId: string | null) => ({
        id,
        line: JSON.stringify({
          type: 'message',
          id,
          parentId,
          timestamp: new Date(atMs).toISOString(),
          message: { role: 'toolResult', toolCallId, toolName, content: [{ type: 'text', text: INTERRUPTED_RESULT_TEXT }], isError: true, timestamp: atMs },
        }),
      });
    }),
  };
}
