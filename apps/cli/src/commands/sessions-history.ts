/** `openclaw sessions history <key>`: the newest messages of a session, from its transcript. */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseLimit } from '../flags/list-flags';
import type { ScopeFlags } from '../flags/list-flags';
import { findSession } from '../offline/find-session';
import type { HistoryPage } from '../offline/offline-store';
import { renderMessage } from '../render/history-text';
import { SessionError } from '@sessions/domain';

export interface HistoryFlags extends ScopeFlags {
  readonly key: string;
  readonly limit?: string | undefined;
  readonly before?: string | undefined;
  readonly includeTools?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export const HISTORY_LIMIT_DEFAULT = 50;

const EMPTY: HistoryPage = { messages: [], totalCount: 0, hasMore: false, nextBefore: null };

/** @throws VALIDATION */
function parseBefore(given: string | undefined): number | null {
  if (given === undefined) return null;
  const seq = /^[1-9]\d*$/u.test(given) ? Number(given) : Number.NaN;
  if (Number.isSafeInteger(seq)) return seq;
  throw new SessionError('VALIDATION', '--before must be the number of a message, for example --before 120.', { facts: { option: '--before', given } });
}

export async function runSessionsHistory(io: CliIo, flags: HistoryFlags): Promise<ExitCode> {
  const limit = parseLimit(flags.limit, HISTORY_LIMIT_DEFAULT);
  const beforeSeq = parseBefore(flags.before);
  const { store, found } = await findSession(await loadCliContext(io), flags, flags.key);
  const page = (await store.history(found, { limit, beforeSeq, includeTools: flags.includeTools === true })) ?? EMPTY;
  if (flags.json === true) {
    const sessionId = found.entry['sessionId'] ?? found.entry['uuid'] ?? null;
    const { totalCount, hasMore, nextBefore } = page;
    const document = { key: found.key, sessionId, count: page.messages.length, totalCount, hasMore, nextBefore, messages: page.messages.map(({ message }) => message) };
    io.out(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    io.out(page.messages.map(renderMessage).join(''));
    if (page.nextBefore !== null) io.err(`Older messages: openclaw sessions history ${flags.key} --before ${page.nextBefore}\n`);
  }
  return EXIT.ok;
}
