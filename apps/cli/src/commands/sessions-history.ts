/** `openclaw sessions history <key>`: the newest messages of a session, from its transcript. */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseLimit } from '../flags/list-flags';
import type { ScopeFlags } from '../flags/list-flags';
import { findSession } from '../offline/find-session';
import { formatPosition, parsePosition } from '../offline/history-position';
import type { HistoryPosition } from '../offline/history-position';
import { readHistory } from '../offline/read-history';
import { renderMessage } from '../render/history-text';
import { visibleText } from '../render/visible-text';
import { SessionError } from '@sessions/domain';

export interface HistoryFlags extends ScopeFlags {
  readonly key: string;
  readonly limit?: string | undefined;
  readonly before?: string | undefined;
  readonly includeTools?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export const HISTORY_LIMIT_DEFAULT = 50;

/** @throws VALIDATION */
function parseBefore(given: string | undefined): number | HistoryPosition | null {
  if (given === undefined) return null;
  const position = parsePosition(given);
  if (position !== undefined) return position;
  const seq = /^[1-9]\d*$/u.test(given) ? Number(given) : Number.NaN;
  if (Number.isSafeInteger(seq)) return seq;
  throw new SessionError('VALIDATION', '--before must be the number of a message, for example --before 120, or the nextBefore of the last page.', { facts: { option: '--before', given } });
}

export async function runSessionsHistory(io: CliIo, flags: HistoryFlags): Promise<ExitCode> {
  const limit = parseLimit(flags.limit, HISTORY_LIMIT_DEFAULT);
  const before = parseBefore(flags.before);
  const found = await findSession(loadCliContext(io), flags, flags.key);
  const page = await readHistory(found, { limit, before, includeTools: flags.includeTools === true });
  const nextBefore = page.nextBefore === null || typeof page.nextBefore === 'number' ? page.nextBefore : formatPosition(page.nextBefore);
  if (flags.json === true) {
    const sessionId = found.entry['sessionId'] ?? found.entry['uuid'] ?? null;
    const { totalCount, hasMore } = page;
    const warnings = found.warning === undefined ? {} : { warnings: [found.warning] };
    const document = { key: found.key, sessionId, count: page.messages.length, totalCount, hasMore, nextBefore, messages: page.messages.map(({ message }) => message), ...warnings };
    io.out(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    io.out(page.messages.map(renderMessage).join(''));
    if (found.warning !== undefined) io.err(`warning: ${visibleText(found.warning)}\n`);
    if (nextBefore !== null) io.err(`Older messages: openclaw sessions history ${flags.key} --before ${nextBefore}\n`);
  }
  return EXIT.ok;
}
