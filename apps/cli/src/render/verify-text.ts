/** The report of `sessions verify` for people: notices and damage apart, what mends each. */
import { keyText } from './key-text';
import { renderTable } from './table';
import { visibleText } from './visible-text';
import { FINDING_RULES } from '@sessions/store';
import type { Finding, RepairAction, StoreReport } from '@sessions/store';

const REMEDIES: Readonly<Record<Finding['repair'], string>> = {
  quarantine: '--repair sets it aside',
  'restore-sessions-file': '--repair writes the file again',
  'rebuild-index': '--repair makes the index again',
  'cut-torn-tail': '--repair cuts it off, keeping the bytes',
  'fix-missing': 'nothing is lost by it; the row stays',
  cleanup: 'openclaw sessions cleanup',
  manual: 'somebody has to look',
  none: '',
};

const DONE: Readonly<Record<RepairAction['do'], string>> = {
  quarantine: 'Set aside',
  'rebuild-index': 'Made again: the session index',
  'restore-sessions-file': 'Written again: the sessions file',
  'cut-torn-tail': 'Cut an unfinished line off',
};

const isWrong = ({ kind }: Finding): boolean => FINDING_RULES[kind].wrong;
const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;

function findingLines(findings: readonly Finding[], widthMax: number): string[] {
  const rows = findings.map(({ kind, key, file, repair }) => [kind, key === undefined ? (file ?? '-') : keyText(key), REMEDIES[repair]]);
  const table = renderTable([{ title: 'FINDING' }, { title: 'WHERE' }, { title: 'REMEDY' }], rows, { widthMax, separator: '  ' });
  // The sentence stands below its row: it is as long as it needs to be, and cut nowhere.
  return table.flatMap((line, index) => {
    const detail = findings[index - 1]?.detail;
    return detail === undefined ? [`  ${line}`] : [`  ${line}`, `    ${visibleText(detail)}`];
  });
}

/** @param done what a repair did; undefined when none ran here */
export function renderStoreReport({ agentId, path, findings, totals }: StoreReport, done: readonly RepairAction[] | undefined, widthMax: number): string {
  const wrong = findings.filter(isWrong);
  const notices = findings.filter((finding) => !isWrong(finding));
  const omitted = totals.findingsOmitted === 0 ? [] : [`${count(totals.findingsOmitted, 'further finding')} not listed.`];
  const lines = [
    `Agent: ${agentId}`,
    `Session store: ${path}`,
    `${count(totals.entries, 'entry').replace('entrys', 'entries')}, ${count(totals.transcripts, 'transcript')}, ${count(totals.lines, 'line')}, ${count(totals.messages, 'message')}, ${totals.sessionsFileBytes + totals.transcriptBytes} bytes`,
    ...(done ?? []).map((action) => ('file' in action ? `${DONE[action.do]}: ${visibleText(action.file)}` : `${DONE[action.do]}`)),
    ...(wrong.length === 0 ? [] : [`${count(wrong.length, 'thing')} wrong:`, ...findingLines(wrong, widthMax)]),
    ...(notices.length === 0 ? [] : [`${count(notices.length, 'notice')}:`, ...findingLines(notices, widthMax)]),
    ...omitted,
    ...(wrong.length === 0 && totals.findingsOmitted === 0 ? ['Everything agrees.'] : []),
  ];
  return `${lines.join('\n')}\n`;
}
