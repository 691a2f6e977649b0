/** The report of `sessions cleanup`: its JSON, and the measured texts of a dry run and of a run that applied. */
import { formatShortAge } from './age';
import { keyText } from './key-text';
import { renderTable } from './table';
import { visibleText } from './visible-text';
import type { CleanupReport } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue, PlanTable } from '@sessions/domain';

const ACTION_WIDTH = 16;
const KEY_WIDTH = 26;
const AGE_WIDTH = 9;
const MODEL_WIDTH = 14;

/** One store of `cleanup --json`; members in the order of the reference. */
export function cleanupDocument(report: CleanupReport): JsonObject {
  const { agentId, storePath, mode, dryRun, beforeCount, afterCount, missing, dmScopeRetired, pruned, capped, diskBudget, wouldMutate, repaired, modelRunPruned, cronRunPruned, capUnmet, exceptions, skipped, applied, appliedCount } = report;
  const artifacts = report.unreferencedArtifacts;
  return {
    agentId,
    storePath,
    mode,
    dryRun,
    beforeCount,
    afterCount,
    missing,
    dmScopeRetired,
    pruned,
    capped,
    unreferencedArtifacts: {
      scannedFiles: artifacts?.scannedFiles ?? 0,
      removedFiles: artifacts?.removedFiles ?? 0,
      freedBytes: artifacts?.freedBytes ?? 0,
      olderThanMs: artifacts?.olderThanMs ?? 0,
      archivedBytes: artifacts?.archivedBytes ?? 0,
    },
    diskBudget: diskBudget === undefined ? null : { ...diskBudget },
    wouldMutate,
    ...(applied !== undefined && { applied }),
    ...(appliedCount !== undefined && { appliedCount }),
    repaired,
    modelRunPruned,
    cronRunPruned,
    capUnmet,
    exceptions: exceptions.map(({ bound, protection, rowCount, keys }) => ({ bound, protection, rowCount, keys: [...keys] })),
    skipped: skipped.map(({ kind, key, file, reason }) => ({ kind, ...(key !== undefined && { key }), ...(file !== undefined && { file }), reason })),
  };
}

const numberOf = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);
const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
const memberOf = (document: JsonObject, name: string): JsonObject => {
  const value = document[name];
  return isJsonObject(value) ? value : {};
};

/** @param withAgent several stores are reported */
export function renderDryRun(document: JsonObject, table: PlanTable, { withAgent, widthMax }: { readonly withAgent: boolean; readonly widthMax: number }): string {
  const before = numberOf(document['beforeCount']);
  const after = numberOf(document['afterCount']);
  const artifacts = memberOf(document, 'unreferencedArtifacts');
  const budget = document['diskBudget'];
  const extra = (count: JsonValue | undefined, text: string): string[] => (numberOf(count) > 0 ? [`${text}: ${numberOf(count)}`] : []);
  return `${[
    ...(withAgent ? [`Agent: ${textOf(document['agentId'])}`] : []),
    `Session store: ${textOf(document['storePath'])}`,
    `Maintenance mode: ${textOf(document['mode'])}`,
    `Entries: ${before} -> ${after} (remove ${before - after})`,
    `Would prune missing transcripts: ${numberOf(document['missing'])}`,
    `Would retire stale direct DM sessions: ${numberOf(document['dmScopeRetired'])}`,
    `Would prune stale: ${numberOf(document['pruned'])}`,
    `Would cap overflow: ${numberOf(document['capped'])}`,
    ...extra(document['repaired'], 'Would repair transcript names'),
    ...extra(document['modelRunPruned'], 'Would prune model-run probes'),
    ...extra(document['cronRunPruned'], 'Would prune cron runs'),
    ...(document['capUnmet'] === true ? ['Cap unmet: protected sessions alone reach maxEntries'] : []),
    ...keptLines(document),
    ...(numberOf(artifacts['scannedFiles']) > 0 ? [`Would prune unreferenced artifacts: ${numberOf(artifacts['removedFiles'])}`] : []),
    ...(isJsonObject(budget) ? [`Would enforce disk budget: ${numberOf(budget['totalBytesBefore'])} -> ${numberOf(budget['totalBytesAfter'])} bytes (files ${numberOf(budget['removedFiles'])}, entries ${numberOf(budget['removedEntries'])})`] : []),
    '',
    'Planned session actions:',
    ...actionLines(table, widthMax),
    '',
    'Summary by Label:',
    ...labelLines(table),
    `Total: ${table.total.kept} kept, ${table.total.pruned} pruned`,
  ].join('\n')}\n`;
}

const SETTING_OF: Readonly<Record<string, string>> = { age: 'pruneAfter', count: 'maxEntries', size: 'maxDiskBytes' };
const WORD_OF: Readonly<Record<string, string>> = {
  running: 'running or queued',
  undelivered: 'undelivered',
  held: 'held by another program',
  recent: 'used in the last 5 minutes',
  named: 'named',
  main: 'main',
  pointer: 'group, channel or thread',
};

/** One line for each limit that does not reach everything, with what it does not reach. */
function keptLines(document: JsonObject): string[] {
  const given = document['exceptions'];
  const exceptions = (Array.isArray(given) ? given : []).filter((one): one is JsonObject => isJsonObject(one));
  return [...new Set(exceptions.map((one) => textOf(one['bound'])))].map((bound) => {
    const parts = exceptions.filter((one) => one['bound'] === bound);
    const all = parts.reduce((sum, one) => sum + numberOf(one['rowCount']), 0);
    const why = parts.map((one) => `${numberOf(one['rowCount'])} ${visibleText(WORD_OF[textOf(one['protection'])] ?? textOf(one['protection']))}`).join('; ');
    return `Kept over ${visibleText(SETTING_OF[bound] ?? bound)}: ${all} protected (${why})`;
  });
}

function actionLines(table: PlanTable, widthMax: number): string[] {
  const columns = [{ title: 'Action', usualWidth: ACTION_WIDTH }, { title: 'Key', usualWidth: KEY_WIDTH }, { title: 'Age', usualWidth: AGE_WIDTH }, { title: 'Model', usualWidth: MODEL_WIDTH }, { title: 'Flags' }];
  const rows = table.rows.map(({ action, key, ageMs, model, flags, reason }) => {
    const why = action === 'keep' && reason === 'unreadable' ? ['unreadable'] : action === 'keep' ? [] : [reason];
    return [action, keyText(key), formatShortAge(ageMs ?? null), model ?? '-', [...new Set([...why, ...flags])].join(',')];
  });
  return renderTable(columns, rows, { widthMax });
}

/** Labels are of equal width, so that the counts stand below each other. */
function labelLines({ labels }: PlanTable): string[] {
  return renderTable([{ title: '' }, { title: '' }], labels.map(({ label, kept, pruned }) => [label, `${kept} kept, ${pruned} pruned`]), { widthMax: Number.MAX_SAFE_INTEGER, separator: '  ' }).slice(1);
}

export function renderApplied(document: JsonObject, withAgent: boolean): string {
  const removed = numberOf(memberOf(document, 'unreferencedArtifacts')['removedFiles']);
  const skipped = document['skipped'];
  const skips = Array.isArray(skipped) ? skipped.length : 0;
  return `${[
    ...(withAgent ? [`Agent: ${textOf(document['agentId'])}`] : []),
    `Session store: ${visibleText(textOf(document['storePath']))}`,
    document['applied'] === true ? `Applied maintenance. Current entries: ${numberOf(document['appliedCount'])}` : 'Nothing applied (mode warn); use --enforce',
    ...(document['applied'] === true && removed > 0 ? [`Pruned unreferenced artifacts: ${removed}`] : []),
    ...keptLines(document),
    ...(skips > 0 ? [`Skipped, changed meanwhile or protected: ${skips}`] : []),
  ].join('\n')}\n`;
}
