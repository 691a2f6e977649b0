/** NoteTraceAgent: a trace that began with this agent is about to reach another one; kept for a day. */
import { NoteTraceAgentResponse, type NoteTraceAgentRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { traceAgentPrefix } from '../decisions/run-end';
import type { StoredAnswer } from '../decisions/planned';
import type { OwnedAgent } from '../owned-agent';
import { assertTraceId } from './get-trace-cost';
import { requestHash } from './request-hash';

const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

type NoteAnswer = StoredAnswer<'NoteTraceAgent', { readonly reachedAgentId: string }>;

/** @throws VALIDATION, IDEMPOTENCY_MISMATCH */
export async function noteTraceAgent(agent: OwnedAgent, { traceId, reachedAgentId }: NoteTraceAgentRequest, context: CallContext): Promise<NoteTraceAgentResponse> {
  assertTraceId(traceId);
  if (!AGENT_ID.test(reachedAgentId)) throw new SessionError('VALIDATION', 'reached_agent_id must be the id of an agent');
  const note = { key: `${traceAgentPrefix(traceId)}${reachedAgentId}`, result: { agentId: reachedAgentId } };
  return agent.mutate<NoteAnswer, NoteTraceAgentResponse>(
    { method: 'NoteTraceAgent', context, contentHash: requestHash('NoteTraceAgent', [traceId, reachedAgentId]), plan: () => ({ decision: { effects: [], result: { method: 'NoteTraceAgent', reachedAgentId }, notes: [note] }, announcements: [] }) },
    ({ epoch, seq }) => Promise.resolve(NoteTraceAgentResponse.create({ epoch, storeSeq: seq })),
  );
}
