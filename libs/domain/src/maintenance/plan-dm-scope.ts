import { parseSessionKey } from '../keys/session-key';
import { rowAction, type MaintenanceAction } from './actions';
import type { FactRow } from './facts';
import { isFreeToFix } from './protection';

/** True for `direct:<peer>` rows of this agent, with or without channel and account, `dm` likewise. */
export function isRetiredDmRow(key: string, agentId: string): boolean {
  const parsed = parseSessionKey(key);
  return parsed.form === 'direct' && parsed.suffix === undefined && parsed.agentId?.toLowerCase() === agentId.toLowerCase();
}

/** Rows of direct messages that a store with `dmScope: "main"` no longer uses (maintenance §7). */
export function planDmScope(rows: readonly FactRow[], agentId: string): readonly MaintenanceAction[] {
  return rows.filter((row) => isFreeToFix(row) && isRetiredDmRow(row.key, agentId)).map((row) => rowAction('retire-dm-scope', 'dm-scope-main', row));
}
