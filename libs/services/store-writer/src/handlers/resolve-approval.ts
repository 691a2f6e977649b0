/** ResolveApproval: an operator's word, durable when it answers. What it allows is done after that (`open-approvals.ts`). */
import { ResolveApprovalResponse, type ResolveApprovalRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { decideResolve, unknownApproval, type ApprovalAnswer } from '../decisions/decide-approval';
import type { OwnedAgent } from '../owned-agent';
import { workspaceOf } from '../workspace/agent-workspace';
import { requestHash } from './request-hash';

const DECISIONS = ['allow-once', 'deny'] as const;
const NAME_LENGTH_MAX = 200;

/** @throws VALIDATION, also for an approval that nobody knows or whose time is over; IDEMPOTENCY_MISMATCH */
export async function resolveApproval(agent: OwnedAgent, request: ResolveApprovalRequest, context: CallContext): Promise<ResolveApprovalResponse> {
  const { approvalId, resolvedBy } = request;
  const decision = DECISIONS.find((each) => each === request.decision);
  if (decision === undefined) throw new SessionError('VALIDATION', `a decision is one of ${DECISIONS.join(', ')}`);
  if (!(await agent.hasStore())) throw unknownApproval();
  const known = await agent.use(async ({ work, approvals }) => {
    await work.found();
    return approvals.get(approvalId);
  });
  if (known === undefined) throw unknownApproval();
  const asked = { agentId: agent.agentId, key: known.key, approvalId, decision, resolvedBy: resolvedBy?.slice(0, NAME_LENGTH_MAX), workspace: workspaceOf(agent), config: agent.deps.config() };
  const contentHash = requestHash('ResolveApproval', [approvalId, decision]);
  return agent.mutateSpooled<ApprovalAnswer, ResolveApprovalResponse>(
    (spool) => ({ method: 'ResolveApproval', context, contentHash, plan: (view) => decideResolve({ ...asked, spool }, view) }),
    ({ result, epoch, seq }) => Promise.resolve(ResolveApprovalResponse.create({ epoch, storeSeq: seq, sessionKey: result.key })),
  );
}
