/**
 * The plan of one store: every reason to remove, in the stated order, over one snapshot (maintenance
 * §4). Each step sees what the earlier ones left; a row is counted once, by its first match. The plan
 * of a dry run is the plan of the real run. Nothing here removes anything.
 */
import type { SessionConfig } from '../config/parse-config';
import type { FileActionKind, MaintenanceAction, RowActionKind } from './actions';
import { exceptionsOf, type BoundException } from './exceptions';
import { assertPlannable, bytesOf, type FactFile, type FactRow, type Protection, type StoreFacts } from './facts';
import { mayUnlink, planArchives } from './plan-archives';
import { planCap } from './plan-cap';
import { planDiskBudget, type DiskBudgetReport } from './plan-disk-budget';
import { planDmScope } from './plan-dm-scope';
import { planMissing, planRepairs } from './plan-missing';
import { planOrphans } from './plan-orphans';
import { planCronRuns, planModelRuns, planPrune } from './plan-prune';

export type MaintenanceSettings = Pick<SessionConfig['session'], 'dmScope'> & {
  /** Notices come after the plan: they hold some of its actions. */
  readonly maintenance: Omit<SessionConfig['session']['maintenance'], 'removalNoticeMs'>;
  readonly cron: Pick<SessionConfig['cron'], 'sessionRetentionMs'>;
};

export interface PlanFlags {
  readonly fixMissing?: boolean;
  readonly fixDmScope?: boolean;
}

export interface PlanRequest {
  readonly agentId: string;
  readonly nowMs: number;
  readonly settings: MaintenanceSettings;
  readonly flags?: PlanFlags;
  /** `asked`: only what flags ask for, as under mode `warn`; see `stepsFor`. */
  readonly steps: 'all' | 'asked';
  /** An automatic run waits out the notice before it first unlinks an archive. */
  readonly asker: 'person' | 'automatic';
  readonly facts: StoreFacts;
}

/** Why a row stays. `unreadable`: its transcript could not be judged, so `--fix-missing` leaves it. */
export type KeepReason = `protected-${Protection}` | 'unreadable' | 'within-limits';

export interface RowVerdict {
  readonly row: FactRow;
  readonly action: RowActionKind | 'keep';
  readonly reason: MaintenanceAction['reason'] | KeepReason;
}

/** Counters of a run (cli §5); the same in dry run and real run. */
export interface PlanCounts {
  readonly beforeCount: number;
  readonly afterCount: number;
  readonly missing: number;
  readonly dmScopeRetired: number;
  readonly pruned: number;
  readonly capped: number;
  readonly repaired: number;
  readonly modelRunPruned: number;
  readonly cronRunPruned: number;
  readonly capUnmet: boolean;
  readonly unreferencedArtifacts: { readonly scannedFiles: number; readonly removedFiles: number; readonly freedBytes: number; readonly olderThanMs: number; readonly archivedBytes: number };
  readonly diskBudget: DiskBudgetReport | null;
  readonly wouldMutate: boolean;
}

export interface MaintenancePlan {
  /** In the order in which they are to be done. */
  readonly actions: readonly MaintenanceAction[];
  /** One for every row that was given. */
  readonly verdicts: readonly RowVerdict[];
  readonly counts: PlanCounts;
  /** Rows that a bound would have taken, and what kept them. */
  readonly exceptions: readonly BoundException[];
  /** Archives whose unlinking has to be announced first; undefined: nothing waits. */
  readonly announceUnlink: { readonly filesCount: number; readonly bytes: number } | undefined;
  readonly warnings: readonly string[];
}

/** Which steps a run takes: a dry run shows what enforcing would do, `warn` heeds flags only. */
export function stepsFor(mode: 'warn' | 'enforce', run: { readonly enforce?: boolean; readonly dryRun?: boolean }): 'all' | 'asked' {
  return mode === 'enforce' || run.enforce === true || run.dryRun === true ? 'all' : 'asked';
}

/** @throws STORE_UNREADABLE, VALIDATION */
export function planMaintenance(request: PlanRequest): MaintenancePlan {
  const { facts, nowMs, settings, flags = {}, steps } = request;
  assertPlannable(facts, nowMs);
  const { maintenance, cron } = settings;
  const rows = new Remaining(facts.rows, facts.totals);
  const warnings: string[] = [];

  if (flags.fixDmScope === true && settings.dmScope !== 'main') warnings.push('--fix-dm-scope does nothing: session.dmScope is not "main"');
  if (flags.fixDmScope === true && settings.dmScope === 'main') rows.remove(planDmScope(rows.list(), request.agentId));
  if (flags.fixMissing === true) rows.remove(planMissing(rows.list()));
  if (steps === 'all') {
    rows.remove(planModelRuns(rows.list(), maintenance.maxEntries, rows.count, nowMs));
    rows.remove(planCronRuns(rows.list(), cron.sessionRetentionMs, nowMs));
    rows.remove(planPrune(rows.list(), maintenance.pruneAfterMs, nowMs));
  }
  const { neighbours = [], hasNamed } = facts.totals;
  if (hasNamed === false && request.asker === 'person') warnings.push(`no session of agent ${request.agentId} has the key of --active-key: it spares nothing here`);
  if (steps === 'all' && neighbours.length > 0) warnings.push(`files that no row names are left alone: they may be those of ${neighbours.join(', ')} in the same directory`);
  const cap = steps === 'all' ? planCap(rows.list(), maintenance.maxEntries, { rows: rows.count, protectedRows: rows.protectedCount }, nowMs) : { actions: [], capUnmet: false };
  rows.remove(cap.actions);
  const rowActions = [...rows.actions];
  const files = planFiles(request, rows);
  // Last: a row that goes anyway is not repaired first.
  const repairs = flags.fixMissing === true ? planRepairs(rows.list()) : [];

  const actions = [...repairs, ...rowActions, ...files.actions];
  return {
    actions,
    verdicts: verdictsOf(facts.rows, actions, flags),
    counts: countsOf(request, actions, { files, capUnmet: cap.capUnmet }),
    exceptions: steps === 'all' ? exceptionsOf({ protectedRows: facts.totals.protectedRows ?? [], left: rows.list(), gone: rows.goneProtected, pruneAfterMs: maintenance.pruneAfterMs, unmet: unmetBounds(cap, files.diskBudget), nowMs }) : [],
    announceUnlink: files.announceUnlink,
    warnings,
  };
}

/** The rows that are left, and what is known of those nobody gave. */
class Remaining {
  readonly actions: MaintenanceAction[] = [];
  readonly goneProtected: FactRow[] = [];
  readonly #rows: Map<string, FactRow>;
  count: number;
  protectedCount: number;
  /** Of `sessions.json`. */
  entryBytesGone = 0;
  archivedBytes = 0;

  constructor(rows: readonly FactRow[], totals: { readonly rowCount: number; readonly protectedRowCount: number }) {
    this.#rows = new Map(rows.map((row) => [row.key, row]));
    this.count = Math.max(totals.rowCount, this.#rows.size);
    this.protectedCount = totals.protectedRowCount;
  }

  list(): readonly FactRow[] {
    return [...this.#rows.values()];
  }

  remove(actions: readonly MaintenanceAction[]): void {
    for (const action of actions) {
      const row = action.key === undefined ? undefined : this.#rows.get(action.key);
      if (row === undefined) continue;
      this.#rows.delete(row.key);
      this.actions.push(action);
      this.count -= 1;
      if (row.protections.length > 0) {
        this.protectedCount -= 1;
        this.goneProtected.push(row);
      }
      this.entryBytesGone += bytesOf(row.entryBytes);
      this.archivedBytes += action.bytes;
    }
  }
}

interface FilePlan {
  readonly actions: readonly MaintenanceAction[];
  /** Of steps 8 and 9, without those of the budget. */
  readonly artifacts: readonly MaintenanceAction[];
  readonly diskBudget: DiskBudgetReport | null;
  readonly announceUnlink: MaintenancePlan['announceUnlink'];
}

/** Steps 8 to 10. */
function planFiles({ facts, settings, nowMs, steps, asker }: PlanRequest, rows: Remaining): FilePlan {
  if (steps === 'asked') return { actions: [], artifacts: [], diskBudget: null, announceUnlink: undefined };
  const { maintenance } = settings;
  const isAllowed = mayUnlink(asker, facts.totals.unlinkAnnouncedAtMs, nowMs);
  const expired = planArchives(facts.files, maintenance, nowMs);
  const artifacts = [...(isAllowed ? expired : []), ...planOrphans(facts.files, maintenance.pruneAfterMs, nowMs)];
  const taken = new Set(artifacts.map((action) => action.file));
  const archivedBytes = rows.archivedBytes + sumBytes(artifacts.filter(isArchiving));
  const usedBytes = Math.max(0, bytesOf(facts.totals.totalBytes) - rows.entryBytesGone - sumBytes(artifacts.filter(isUnlinking)));
  const left = facts.files.filter((file) => !taken.has(file.name));
  const budget = planDiskBudget({ ...maintenance, usedBytes, archivedBytes, files: left, rows: rows.list(), mayUnlink: isAllowed, nowMs });
  rows.remove(budget.actions);
  const held = isAllowed ? [] : heldBack(expired, left, budget.report);
  return {
    actions: [...artifacts, ...budget.actions],
    artifacts,
    diskBudget: budget.report,
    announceUnlink: held.length === 0 ? undefined : { filesCount: held.length, bytes: held.reduce((sum, bytes) => sum + bytes, 0) },
  };
}

/** Sizes of the archives that wait for the notice: those past retention, all of them above the budget. */
function heldBack(expired: readonly MaintenanceAction[], left: readonly FactFile[], report: DiskBudgetReport | null): readonly number[] {
  if (report?.overBudget === true) return left.filter((file) => file.fileClass.startsWith('archive-')).map((file) => bytesOf(file.sizeBytes));
  return expired.map((action) => action.bytes);
}

const UNLINKING: ReadonlySet<string> = new Set<FileActionKind>(['unlink-archive', 'unlink-blob', 'unlink-temp']);
const isUnlinking = (action: MaintenanceAction): boolean => UNLINKING.has(action.kind);
const isArchiving = (action: MaintenanceAction): boolean => action.kind === 'archive-orphan';
const sumBytes = (actions: readonly MaintenanceAction[]): number => actions.reduce((sum, action) => sum + action.bytes, 0);

function countsOf({ facts, settings }: PlanRequest, actions: readonly MaintenanceAction[], { files, capUnmet }: { files: FilePlan; capUnmet: boolean }): PlanCounts {
  const count = (kind: MaintenanceAction['kind']): number => actions.filter((action) => action.kind === kind).length;
  const beforeCount = Math.max(facts.totals.rowCount, facts.rows.length);
  const removed = actions.filter((action) => action.key !== undefined && action.kind !== 'repair-session-file').length;
  return {
    beforeCount,
    afterCount: beforeCount - removed,
    missing: count('prune-missing'),
    dmScopeRetired: count('retire-dm-scope'),
    pruned: count('prune-stale'),
    capped: count('cap-overflow'),
    repaired: count('repair-session-file'),
    modelRunPruned: count('prune-model-run'),
    cronRunPruned: count('prune-cron-run'),
    capUnmet,
    unreferencedArtifacts: {
      scannedFiles: facts.totals.fileCount,
      removedFiles: files.artifacts.length,
      freedBytes: sumBytes(files.artifacts.filter(isUnlinking)),
      olderThanMs: settings.maintenance.pruneAfterMs,
      archivedBytes: sumBytes(files.artifacts.filter(isArchiving)),
    },
    diskBudget: files.diskBudget,
    wouldMutate: actions.length > 0,
  };
}

function verdictsOf(rows: readonly FactRow[], actions: readonly MaintenanceAction[], flags: PlanFlags): readonly RowVerdict[] {
  const byKey = new Map(actions.flatMap((action) => (action.key === undefined ? [] : [[action.key, action] as const])));
  return rows.map((row) => {
    const action = byKey.get(row.key);
    return action === undefined ? { row, action: 'keep', reason: keepReason(row, flags) } : { row, action: action.kind as RowActionKind, reason: action.reason };
  });
}

function keepReason(row: FactRow, { fixMissing }: PlanFlags): KeepReason {
  const [first] = row.protections;
  if (first !== undefined) return `protected-${first}`;
  return fixMissing === true && row.transcriptState === 'unreadable' ? 'unreadable' : 'within-limits';
}

/** The budget is unmet when what is left in use is larger, once all that waits for its hour is gone. */
function unmetBounds({ capUnmet }: { readonly capUnmet: boolean }, budget: DiskBudgetReport | null): ReadonlySet<'count' | 'size'> {
  const isTooLarge = budget !== null && budget.totalBytesAfter - budget.pendingBytes > budget.maxBytes;
  return new Set([...(capUnmet ? (['count'] as const) : []), ...(isTooLarge ? (['size'] as const) : [])]);
}
