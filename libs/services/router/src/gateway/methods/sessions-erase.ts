import { EraseSessionRequest } from '@sessions/contracts';
import type { EraseReport } from '@sessions/contracts';
import { ERASE_BUDGET_MS } from '../../handlers/erase-session';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { withTime } from '../../handlers/with-time';

/** `sessions.erase`: a report of each store, in the form of `sessions erase --json`. */
export const sessionsErase: GatewayMethod = async (deps, { params, context }) => {
  const { reports } = await deps.handlers.eraseSession(
    EraseSessionRequest.create({ key: textOf(params, 'key'), peer: textOf(params, 'peer'), agentId: textOf(params, 'agentId'), dryRun: flagOf(params, 'dryRun'), confirm: flagOf(params, 'confirm') }),
    withTime(context, deps.bus.clock.nowMs(), ERASE_BUDGET_MS),
  );
  const stores = reports.map(toDocument);
  return { payload: { ok: stores.every(({ ok }) => ok), dryRun: flagOf(params, 'dryRun'), stores } };
};

function toDocument({ agentId, storePath, found, keys, sharedKeys, otherSpellings, copies, left, places, receipt, errorReason, errorMessage }: EraseReport) {
  return {
    agentId,
    storePath,
    ok: errorReason === undefined && left.length === 0,
    found,
    keys,
    sharedKeys,
    otherSpellings,
    copies,
    left,
    places,
    receipt: receipt ?? null,
    ...(errorReason !== undefined && { error: { reason: errorReason, message: errorMessage ?? '' } }),
  };
}
