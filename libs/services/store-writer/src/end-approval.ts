/** The owner's own end of an approval: the export that was granted, or a word that did not come. Who asked is told either way. */
import { SessionError, asAgentId, configuredSecrets, headerIdOf, type JsonObject, type Places, type SessionConfig } from '@sessions/domain';
import { exportTrajectory, type ReaderOptions } from '@sessions/store';
import { decideSettle, type ApprovalAnswer } from './decisions/decide-approval';
import { ownContext } from './end-lost-attempt';
import type { KnownApproval } from './open-approvals';
import { commit, type OpenAgentStore } from './owned-agent';
import { withSpool } from './run-spool';
import { sessionEntry } from './handlers/stored-session';
import { workspaceIn } from './workspace/agent-workspace';

export interface ApprovalFacts {
  readonly agentId: string;
  readonly config: SessionConfig;
  readonly places: Places;
  readonly reader: ReaderOptions;
  readonly nowMs: () => number;
}

/** @throws what the store refuses with; nothing is said then, and it may be done again */
export async function carryOutExport(open: OpenAgentStore, facts: ApprovalFacts, approval: KnownApproval): Promise<void> {
  const { config, agentId, places, reader } = facts;
  const { key, sessionId, approvedAtMs = facts.nowMs() } = approval;
  const entry = await sessionEntry(open.store, { key });
  // A line that was acknowledged and has not reached its file stands in the journal, where it is read.
  const text = await exportTrajectory({
    store: reader,
    file: entry?.file ?? null,
    sessionId,
    headerId: entry === undefined ? undefined : headerIdOf(JSON.parse(entry.text) as JsonObject, sessionId),
    sessionKey: key,
    workspace: workspaceIn(config, asAgentId(agentId), places),
    makesWorkspace: true,
    name: approval.output,
    places,
    secrets: configuredSecrets(config),
    nowMs: approvedAtMs,
    resumes: { tag: approval.approvalId, sinceMs: approvedAtMs },
  }).then(
    ({ bundle, displayPath }) => `The trajectory was exported: ${displayPath} in the workspace (${String(bundle.eventCount)} events; ${bundle.files.join(', ')}). Look at it before you share it.`,
    (error: unknown) => {
      if (error instanceof SessionError) return `The trajectory was not exported: ${error.message}`;
      open.log.warn('a trajectory could not be exported', { agentId, err: error });
      return 'The trajectory was not exported: its files could not be written.';
    },
  );
  await settle(open, facts, approval, { text, isExpiry: false });
}

/** @throws what the store refuses with */
export function expireApproval(open: OpenAgentStore, facts: ApprovalFacts, approval: KnownApproval): Promise<void> {
  return settle(open, facts, approval, { text: 'The export of the trajectory was not approved in time; nothing was written.', isExpiry: true });
}

async function settle(open: OpenAgentStore, { agentId, config, places }: ApprovalFacts, { key, approvalId }: KnownApproval, how: { readonly text: string; readonly isExpiry: boolean }): Promise<void> {
  const asked = { agentId, key, approvalId, workspace: workspaceIn(config, asAgentId(agentId), places), config, ...how };
  try {
    await withSpool(open.spool, (spool) => commit<ApprovalAnswer>(open, { method: 'ResolveApproval', context: ownContext(`approval-end:${approvalId}`), plan: (view) => decideSettle({ ...asked, spool }, view) }));
  } catch (error) {
    // Reset or deleted meanwhile: there is nobody left to tell.
    if (!(error instanceof SessionError) || error.reason !== 'VALIDATION') throw error;
  }
}
