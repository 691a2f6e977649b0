/** The two tables of a listing: the measured one of bare `sessions`, and that of `sessions list`. */
import { formatLongAge, formatShortAge } from './age';
import { keyText } from './key-text';
import type { ListDocument, ListedRow } from './list-document';
import { renderTable } from './table';
import type { Column } from './table';
import { formatTokens } from './tokens';

const AGENT_COLUMN: Column = { title: 'Agent', usualWidth: 10 };
const MEASURED_COLUMNS: readonly Column[] = [
  { title: 'Kind', usualWidth: 11 },
  { title: 'Key', usualWidth: 26 },
  { title: 'Age', usualWidth: 9 },
  { title: 'Model', usualWidth: 14 },
  { title: 'Runtime', usualWidth: 18 },
  { title: 'Tokens (ctx %)', usualWidth: 20 },
  { title: 'Flags' },
];
const LIST_COLUMNS: readonly Column[] = [{ title: 'KEY' }, { title: 'MESSAGES', align: 'right' }, { title: 'LAST ACTIVE' }];
const LIST_SEPARATOR = '  ';

const RUNTIME_LABELS: Readonly<Record<string, string>> = {
  auto: 'OpenClaw Default',
  pi: 'OpenClaw Default',
  codex: 'OpenAI Codex',
  'claude-cli': 'Claude CLI',
  'google-gemini-cli': 'Gemini CLI',
};

/** An instant of 0 is an unknown one: its age is unknown too. */
const ageOf = (row: ListedRow): number | null => (row.updatedAt === null || row.updatedAt === 0 ? null : row.ageMs);

function toFlags(row: ListedRow): string {
  const named = (name: string, value: string | undefined): string[] => (value === undefined || value === '' ? [] : [`${name}:${value}`]);
  return [
    ...named('think', row.thinkingLevel),
    ...named('verbose', row.verboseLevel),
    ...named('trace', row.traceLevel),
    ...named('reasoning', row.reasoningLevel),
    ...named('elev', row.elevatedLevel),
    ...named('usage', row.responseUsage),
    ...named('activation', row.groupActivation),
    ...(row.systemSent === true ? ['system'] : []),
    ...(row.abortedLastRun === true ? ['aborted'] : []),
    ...named('id', row.sessionId),
  ].join(' ');
}

const toMeasuredCells = (row: ListedRow): string[] => [
  row.kind,
  keyText(row.key),
  formatShortAge(ageOf(row)),
  row.model ?? 'unknown',
  RUNTIME_LABELS[row.agentRuntime.id] ?? row.agentRuntime.id,
  formatTokens(row.totalTokens, row.contextTokens),
  toFlags(row),
];

function hiddenLine(document: ListDocument): string[] {
  const hidden = document.totalCount - document.count;
  return document.hasMore ? [`${hidden} more ${hidden === 1 ? 'session' : 'sessions'} not shown; --limit all shows every one.`] : [];
}

const NOTHING = 'No sessions found.';

/** Text of bare `openclaw sessions`. */
export function renderMeasuredList(document: ListDocument, widthMax: number): string {
  const header = [
    document.stores === undefined
      ? `Session store: ${document.path ?? ''}`
      : `Session stores: ${document.stores.length} (${document.stores.map(({ agentId }) => agentId).join(', ')})`,
    document.hasMore
      ? `Sessions listed: ${document.count} of ${document.totalCount} (limit ${document.limitApplied ?? 'all'})`
      : `Sessions listed: ${document.count}`,
    ...(document.activeMinutes === null ? [] : [`Filtered to last ${document.activeMinutes} minute(s)`]),
  ];
  if (document.count === 0) return `${[...header, NOTHING].join('\n')}\n`;
  const withAgent = document.allAgents === true;
  const columns = withAgent ? [AGENT_COLUMN, ...MEASURED_COLUMNS] : MEASURED_COLUMNS;
  const rows = document.sessions.map((row) => (withAgent ? [row.agentId, ...toMeasuredCells(row)] : toMeasuredCells(row)));
  return `${[...header, ...renderTable(columns, rows, { widthMax }), ...hiddenLine(document)].join('\n')}\n`;
}

/** Text of `openclaw sessions list`. */
export function renderPlainList(document: ListDocument, widthMax: number): string {
  if (document.count === 0) return `${NOTHING}\n`;
  const rows = document.sessions.map((row) => [keyText(row.key), row.messageCount === undefined ? '-' : String(row.messageCount), formatLongAge(ageOf(row))]);
  return `${[...renderTable(LIST_COLUMNS, rows, { widthMax, separator: LIST_SEPARATOR }), ...hiddenLine(document)].join('\n')}\n`;
}
