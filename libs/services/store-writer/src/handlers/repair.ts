/** Repair: what a verify finds and can be mended without losing anything is mended. */
import { RepairResponse, type RepairRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { repairStore, type Finding, type RepairAction } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { toDeed, toFinding, toTotals } from './findings';

/** @throws UNSUPPORTED for a choice among findings, SESSION_LOCKED, READ_ONLY, DISK_FULL */
export async function repair(agent: OwnedAgent, request: RepairRequest): Promise<RepairResponse> {
  if (request.findingIds.length > 0) {
    throw new SessionError('UNSUPPORTED', 'single findings cannot be chosen for repair: name none to repair all that can be');
  }
  if (!(await agent.hasStore())) return RepairResponse.create({});
  // The engine opens the store itself, to do what an owner's ordinary opening does not.
  const report = await agent.deps.stores.whileClosed(agent.agentId, () => repairStore(agent.deps.openOptions()));
  const { epoch, storeSeq } = await agent.use(({ store, seq }) => Promise.resolve({ epoch: store.epoch, storeSeq: seq }));
  return RepairResponse.create({
    epoch,
    storeSeq,
    repaired: report.before.findings.filter((finding) => isMended(finding, report.done)).map(toFinding),
    remaining: report.after.findings.map(toFinding),
    deeds: report.done.map(toDeed),
    totals: toTotals(report.after, { epoch, storeSeq }),
  });
}

/** Quarantine is part of writing the sessions file again. */
function isMended({ repair, file }: Finding, done: readonly RepairAction[]): boolean {
  return done.some((action) => action.do === repair && (!('file' in action) || action.file === file));
}
