/**
 * The plan of one store from the facts that its owner streams, and the report of it. The same for
 * automatic runs, for what people ask for, and for the command line without a gateway: what a dry run
 * shows is what the real run does.
 */
import { CleanupReport, MaintenanceAction as WireAction, ReadFactsRequest, type ReadFactsResponse, type SkippedAction } from '@sessions/contracts';
import {
  MODEL_RUN_MAX_AGE_MS,
  PROTECTIONS,
  SessionError,
  planMaintenance,
  stepsFor,
  type FactFile,
  type FactRow,
  type FileClass,
  type MaintenanceAction,
  type MaintenancePlan,
  type ProtectedRows,
  type SessionConfig,
  type StoreFacts,
  type StoreTotals,
  type TranscriptState,
} from '@sessions/domain';

export interface CleanupChoice {
  readonly enforce: boolean;
  readonly dryRun: boolean;
  readonly fixMissing: boolean;
  readonly fixDmScope: boolean;
  readonly activeKey: string | undefined;
}

export interface StorePlan {
  readonly agentId: string;
  readonly storePath: string;
  readonly epoch: number;
  readonly facts: StoreFacts;
  readonly plan: MaintenancePlan;
}

export interface PlanOccasion {
  readonly agentId: string;
  readonly config: SessionConfig;
  readonly choice: CleanupChoice;
  readonly nowMs: number;
  readonly asker: 'person' | 'automatic';
  /** Rows that come near their limit are looked at so long before: they are announced. */
  readonly noticeMs?: number;
}

const FILE_CLASSES: readonly FileClass[] = ['archive-reset', 'archive-deleted', 'archive-bak', 'orphan-transcript', 'orphan-checkpoint', 'orphan-trajectory', 'orphan-prompt-blob', 'stale-temp'];

const isLimit = (value: number): boolean => Number.isFinite(value) && value > 0;

/** What has to be known for a plan: candidates only, whatever the size of the store. */
export function factsRequest({ agentId, config, choice, nowMs, noticeMs = 0 }: PlanOccasion): ReadFactsRequest {
  const { maintenance } = config.session;
  const isAll = stepsFor(maintenance.mode, choice) === 'all';
  const before = (limitMs: number): number | undefined => (isAll && isLimit(limitMs) ? nowMs - limitMs : undefined);
  return ReadFactsRequest.create({
    agentId,
    nowAtMs: nowMs,
    pruneBeforeAtMs: isLimit(maintenance.pruneAfterMs) ? before(Math.max(1, maintenance.pruneAfterMs - noticeMs)) : undefined,
    overAgeBeforeAtMs: isLimit(maintenance.pruneAfterMs) ? before(maintenance.pruneAfterMs) : undefined,
    maxEntries: isAll && isLimit(maintenance.maxEntries) ? maintenance.maxEntries : undefined,
    cronRunsBeforeAtMs: before(config.cron.sessionRetentionMs),
    modelRunsBeforeAtMs: before(MODEL_RUN_MAX_AGE_MS),
    dmScopeRows: choice.fixDmScope,
    missingRows: choice.fixMissing,
    fileClasses: isAll ? [...FILE_CLASSES] : [],
    evictBytes: isAll && isLimit(maintenance.maxDiskBytes) ? Number.MAX_SAFE_INTEGER : undefined,
    activeKey: choice.activeKey,
  });
}

/** @throws STORE_UNREADABLE, VALIDATION */
export async function planStore(occasion: PlanOccasion, stream: AsyncIterable<ReadFactsResponse>): Promise<StorePlan> {
  const { agentId, config, choice, nowMs, asker } = occasion;
  const { storePath, epoch, facts } = await readStoreFacts(agentId, stream);
  const plan = planMaintenance({
    agentId,
    nowMs,
    settings: { dmScope: config.session.dmScope, maintenance: config.session.maintenance, cron: config.cron },
    flags: { fixMissing: choice.fixMissing, fixDmScope: choice.fixDmScope },
    steps: stepsFor(config.session.maintenance.mode, choice),
    asker,
    facts,
  });
  return { agentId, storePath, epoch, facts, plan };
}

/** @throws INTERNAL for a stream without totals. */
export async function readStoreFacts(agentId: string, stream: AsyncIterable<ReadFactsResponse>): Promise<Pick<StorePlan, 'storePath' | 'epoch' | 'facts'>> {
  let head: { storePath: string; epoch: number; totals: StoreTotals } | undefined;
  const rows: FactRow[] = [];
  const files: FactFile[] = [];
  for await (const { item } of stream) {
    if (item?.$case === 'rows') rows.push(...item.value.rows.map(toFactRow));
    else if (item?.$case === 'files') files.push(...item.value.files.map((file) => defined<FactFile>({ ...file, fileClass: file.fileClass as FileClass })));
    else if (item?.$case === 'totals') {
      const { storePath, epoch, rowCount, protectedRowCount, totalBytes, fileCount, unlinkAnnouncedAtMs, refusal, neighbours, hasNamed, boundsAnnouncedAtMs, removedBefore } = item.value;
      const protectedRows = item.value.protectedRows.flatMap(({ protection: name, ...counts }): ProtectedRows[] => PROTECTIONS.filter((known) => known === name).map((protection) => ({ protection, ...counts })));
      head = { storePath, epoch, totals: defined<StoreTotals>({ rowCount, protectedRowCount, protectedRows, totalBytes, fileCount, unlinkAnnouncedAtMs, refusal, neighbours, hasNamed, boundsAnnouncedAtMs, removedBefore }) };
    }
  }
  if (head === undefined) throw new SessionError('INTERNAL', `the owner of the store of agent ${agentId} gave no totals`, { facts: { agentId } });
  return { storePath: head.storePath, epoch: head.epoch, facts: { totals: head.totals, rows, files } };
}

type WireRow = Extract<NonNullable<ReadFactsResponse['item']>, { $case: 'rows' }>['value']['rows'][number];

function toFactRow({ key, sessionId, updatedAtMs, protections, transcriptState, bytes, entryBytes, foundFile, archiveAtMs, cleanup, persistentChild, removalAnnouncedAtMs, label, model }: WireRow): FactRow {
  return defined<FactRow>({
    key,
    sessionId,
    updatedAtMs,
    protections: PROTECTIONS.filter((name) => protections.includes(name)),
    transcriptState: transcriptState as TranscriptState | undefined,
    bytes,
    entryBytes,
    foundFile,
    archiveAtMs,
    cleanup: cleanup === 'keep' || cleanup === 'delete' ? cleanup : undefined,
    isPersistentChild: persistentChild,
    removalAnnouncedAtMs,
    label,
    model,
    flags: protections,
  });
}

/** Without members that are undefined. */
function defined<T extends object>(members: { readonly [Name in keyof T]: T[Name] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

export function toWireAction({ kind, key, file, expectedSessionId, expectedUpdatedAtMs, expectedSizeBytes, expectedMtimeMs, bytes, notBeforeMs, filesCount, sessionsCount }: MaintenanceAction): WireAction {
  return WireAction.create({ kind, key, file, expectedSessionId, expectedUpdatedAtMs, expectedSizeBytes, expectedMtimeMs, bytes, notBeforeMs, filesCount, sessionsCount });
}

/** What became of a plan that was carried out. */
export interface Carried {
  readonly skipped: readonly SkippedAction[];
  readonly rowCount: number;
}

/**
 * The report of a plan.
 * @param carried undefined: nothing was carried out. Actions that were skipped are not counted.
 */
export function reportOf({ agentId, storePath, plan }: StorePlan, config: SessionConfig, choice: CleanupChoice, carried: Carried | undefined): CleanupReport {
  const { counts, warnings } = plan;
  const skipped = carried?.skipped ?? [];
  const skips = (kind: string): number => skipped.filter((action) => action.kind === kind).length;
  const rowSkips = skipped.filter(({ key, kind }) => key !== undefined && kind !== 'repair-session-file').length;
  const { mode } = config.session.maintenance;
  const applied = choice.dryRun ? undefined : mode === 'enforce' || choice.enforce || choice.fixMissing || choice.fixDmScope;
  return CleanupReport.create({
    agentId,
    storePath,
    mode: choice.enforce ? 'enforce' : mode,
    dryRun: choice.dryRun,
    beforeCount: counts.beforeCount,
    afterCount: counts.afterCount + rowSkips,
    missing: counts.missing - skips('prune-missing'),
    dmScopeRetired: counts.dmScopeRetired - skips('retire-dm-scope'),
    pruned: counts.pruned - skips('prune-stale'),
    capped: counts.capped - skips('cap-overflow'),
    unreferencedArtifacts: counts.unreferencedArtifacts,
    diskBudget: counts.diskBudget ?? undefined,
    wouldMutate: counts.wouldMutate,
    repaired: counts.repaired - skips('repair-session-file'),
    modelRunPruned: counts.modelRunPruned - skips('prune-model-run'),
    cronRunPruned: counts.cronRunPruned - skips('prune-cron-run'),
    capUnmet: counts.capUnmet,
    skipped: [...skipped],
    applied,
    appliedCount: applied === true ? (carried?.rowCount ?? counts.beforeCount) : undefined,
    warnings: [...warnings],
    exceptions: plan.exceptions.map(({ keys, ...rest }) => ({ ...rest, keys: [...keys] })),
  });
}
