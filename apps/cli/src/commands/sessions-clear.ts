/** `openclaw sessions clear` and `delete`: the history of one session, or the session, becomes an archive. */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { editSession, isAgreed, pathsIn } from '../offline/edit-session';
import { findSession } from '../offline/find-session';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';

export interface ChangeFlags extends ScopeFlags {
  readonly key: string;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

const textOr = (value: JsonValue | undefined): string | null => (typeof value === 'string' ? value : null);

/** @throws SESSION_NOT_FOUND, SESSION_LOCKED, STORE_UNREADABLE */
export async function runSessionsClear(io: CliIo, flags: ChangeFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const { store, key } = await findSession(context, flags, flags.key);
  if (!(await isAgreed(io, flags.yes, `Clear the history of ${keyText(key)}? It stays restorable.`))) return EXIT.failed;
  const { agentId } = store;
  const done = await editSession(io, context, {
    store,
    byPath: isGiven(flags.store),
    command: `openclaw sessions clear ${key} --agent ${agentId}`,
    method: 'sessions.reset',
    params: { key, agentId, reason: 'clear' },
    ofGateway: (payload) => ({ previousSessionId: textOr(payload['previousSessionId']), sessionId: textOr(payload['sessionId']), archived: pathsIn(payload['archived'])[0] ?? null }),
    locally: async (owner) => {
      const answer = await owner.store.resetSession(StoreServiceResetSessionRequest.create({ agentId, key, reason: 'clear' }), owner.mutation());
      return { previousSessionId: answer.previousSessionId ?? null, sessionId: answer.sessionId, archived: answer.archived[0] ?? null };
    },
  });
  if (flags.json === true) io.out(`${JSON.stringify({ ok: true, key, ...done }, null, 2)}\n`);
  else io.out(`History of ${keyText(key)} cleared.\n${archiveLines(key, done.archived === null ? [] : [done.archived])}`);
  return EXIT.ok;
}

/** @throws SESSION_NOT_FOUND, MAIN_PROTECTED, SESSION_LOCKED, STORE_UNREADABLE */
export async function runSessionsDelete(io: CliIo, flags: ChangeFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const { store, key } = await findSession(context, flags, flags.key);
  if (!(await isAgreed(io, flags.yes, `Delete the session ${keyText(key)}? It stays restorable.`))) return EXIT.failed;
  const { agentId } = store;
  const done = await editSession(io, context, {
    store,
    byPath: isGiven(flags.store),
    command: `openclaw sessions delete ${key} --agent ${agentId}`,
    method: 'sessions.delete',
    params: { key, agentId },
    ofGateway: (payload) => ({ deleted: payload['deleted'] === true, archived: pathsIn(payload['archived']) }),
    locally: async (owner) => {
      const { deleted, archived } = await owner.store.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId, key, deleteTranscript: true }), owner.mutation());
      return { deleted, archived };
    },
  });
  if (!done.deleted) throw new SessionError('SESSION_NOT_FOUND', `The session ${keyText(key)} was listed a moment ago, and whoever serves the store did not find it. Nothing was deleted.`, { facts: { key }, hint: 'Look what is there now: openclaw sessions list' });
  if (flags.json === true) io.out(`${JSON.stringify({ ok: true, key, ...done }, null, 2)}\n`);
  else io.out(`Session ${keyText(key)} deleted.\n${archiveLines(key, done.archived)}`);
  return EXIT.ok;
}

/** Every file that was set aside: of a session that went on after compactions there are several transcripts. */
function archiveLines(key: string, archived: readonly string[]): string {
  return archived.length === 0 ? '' : `${archived.map((file) => `Archived: ${visibleText(file)}\n`).join('')}Undo with: openclaw sessions restore ${keyText(key)}\n`;
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';
