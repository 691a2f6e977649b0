/** Verify: everything a store consists of compared with each other; findings, then the totals. */
import { VerifyTotals, type VerifyResponse } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import { verifyStore, type AgentStore, type StoreReport } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { toFinding, toTotals } from './findings';

interface Look {
  readonly report: StoreReport;
  readonly epoch: number;
  readonly storeSeq: number;
}

export async function* verify(agent: OwnedAgent, { signal }: CallContext): AsyncGenerator<VerifyResponse> {
  const look = await agent.read<Look | undefined>(
    async (store, open) => ({ ...(await lookAt(agent, store, signal)), storeSeq: open.seq }),
    () => undefined,
  );
  for (const finding of look?.report.findings ?? []) yield { item: { $case: 'finding', value: toFinding(finding) } };
  const totals = look === undefined ? VerifyTotals.create({ path: agent.deps.sessionsFile(), ok: true }) : toTotals(look.report, look);
  yield { item: { $case: 'totals', value: totals } };
}

async function lookAt(agent: OwnedAgent, store: AgentStore, signal: AbortSignal): Promise<Omit<Look, 'storeSeq'>> {
  // What is acknowledged but not yet in the sessions file would look like a difference.
  if (store.writable && store.isCheckpointDue) await store.checkpoint();
  const { nativeBinding } = agent.deps.openOptions();
  const report = await verifyStore(agent.agentId, store.layout.sessionsFile, {
    nowMs: () => agent.deps.clock.nowMs(),
    live: true,
    signal,
    ...(nativeBinding === undefined ? {} : { nativeBinding }),
  });
  return { report, epoch: store.epoch };
}
