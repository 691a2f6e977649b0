/**
 * `openclaw sessions restore <key|file>`: brings an archive back, byte for byte; what is live becomes an
 * archive first, so a restore can be undone. `--list` shows what there is.
 */
import { loadCliContext } from '../cli-context';
import { COLUMNS_WITHOUT_TERMINAL, EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { editSession, isAgreed, pathsIn } from '../offline/edit-session';
import { listArchives } from '../offline/list-archives';
import type { KnownArchive } from '../offline/list-archives';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { formatShortAge } from '../render/age';
import { keyOfText, keyText } from '../render/key-text';
import { renderTable } from '../render/table';
import { visibleText } from '../render/visible-text';
import { StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { SessionError, configuredAgents, fileStamp, parseArchiveName, parseSessionKey, toRequestKey } from '@sessions/domain';
import { basename } from 'node:path';

export interface RestoreFlags extends ScopeFlags {
  /** A key, or the name of an archive; undefined only with `list`. */
  readonly key?: string | undefined;
  readonly archive?: string | undefined;
  readonly list?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

const LIST_HINT = 'See what there is: openclaw sessions restore --list';

interface Wanted {
  readonly store: StoreChoice;
  readonly key: string;
  /** File name, session id or stamp; undefined: the newest of the key. */
  readonly archive: string | undefined;
}

/** @throws ARCHIVE_NOT_FOUND, VALIDATION, DAMAGED, SESSION_LOCKED, STORE_UNREADABLE */
export async function runSessionsRestore(io: CliIo, asked: RestoreFlags): Promise<ExitCode> {
  // `--list` quotes keys with something in them that cannot be seen.
  const flags: RestoreFlags = { ...asked, ...(asked.key !== undefined && { key: keyOfText(asked.key) }) };
  refuseContradictions(flags);
  const context = loadCliContext(io);
  const store = storeOf(flags, context);
  if (flags.list === true) return list(io, flags, store);
  const wanted = await wantedOf(flags, store, io.nowMs());
  const { key, archive } = wanted;
  if (flags.dryRun === true) return preview(io, flags, wanted);
  if (!(await isAgreed(io, flags.yes, `Restore ${keyText(key)}? What is live now becomes an archive.`))) return EXIT.failed;
  const { agentId } = store;
  const done = await editSession(io, context, {
    store,
    byPath: isGiven(flags.store),
    command: `openclaw sessions restore ${key} --agent ${agentId}`,
    method: 'sessions.restore',
    params: { key, agentId, ...(archive !== undefined && { archive }) },
    ofGateway: (payload) => ({ key: typeof payload['key'] === 'string' ? payload['key'] : key, sessionId: typeof payload['sessionId'] === 'string' ? payload['sessionId'] : '', restored: pathsIn(payload['restored']), archived: pathsIn(payload['archived']) }),
    locally: async (owner) => {
      const { key: back, sessionId, restored, archived } = await owner.store.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId, key, archive }), owner.mutation());
      return { key: back, sessionId, restored, archived };
    },
  }).catch((error: unknown) => {
    throw error instanceof SessionError && error.reason === 'ARCHIVE_NOT_FOUND' && error.hint === undefined ? new SessionError('ARCHIVE_NOT_FOUND', error.message, { hint: LIST_HINT, cause: error }) : error;
  });
  if (flags.json === true) io.out(`${JSON.stringify({ ok: true, ...done }, null, 2)}\n`);
  else {
    const lines = [`Restored ${keyText(done.key)}, session ${done.sessionId}.`, ...done.restored.map((path) => `Back: ${visibleText(path)}`), ...done.archived.map((path) => `Archived: ${visibleText(path)}`)];
    io.out(`${lines.join('\n')}\n`);
  }
  return EXIT.ok;
}

/** @throws VALIDATION: what is listed is not chosen from, and an empty choice is none. */
function refuseContradictions({ list, archive, dryRun }: RestoreFlags): void {
  if (archive === '') throw new SessionError('VALIDATION', '--archive must name an archive; it is empty.', { facts: { option: '--archive' }, hint: 'Leave it out to restore the newest one.' });
  const other = archive !== undefined ? '--archive' : dryRun === true ? '--dry-run' : undefined;
  if (list === true && other !== undefined) throw new SessionError('VALIDATION', `--list and ${other} cannot be used together`);
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';

/** A key names its agent; other words are looked for with the default agent. */
function storeOf(flags: RestoreFlags, context: ReturnType<typeof loadCliContext>): StoreChoice {
  const named = flags.key === undefined ? undefined : parseSessionKey(flags.key).agentId;
  const isKnown = named !== undefined && configuredAgents(context.config).ids.some((id) => id === named);
  const scope = isGiven(flags.agent) || isGiven(flags.store) || !isKnown ? flags : { agent: named };
  const [store] = selectStores(scope, context).stores;
  if (store === undefined) throw new SessionError('INTERNAL', 'a selection has at least one store');
  return store;
}

/** @throws VALIDATION, ARCHIVE_NOT_FOUND */
async function wantedOf({ key: given, archive }: RestoreFlags, store: StoreChoice, nowMs: number): Promise<Wanted> {
  if (given === undefined || given === '') throw new SessionError('VALIDATION', 'Name a session key or an archive, or pass --list to see what there is.');
  const file = basename(given);
  if (parseArchiveName(file) === undefined) {
    const named = await keyOf(given, store, nowMs);
    return { store, key: named.key, archive: archive ?? named.archive };
  }
  const found = (await listArchives(store, undefined, nowMs)).find((one) => basename(one.file) === file);
  if (found === undefined) throw new SessionError('ARCHIVE_NOT_FOUND', `No archive found: ${given}`, { hint: LIST_HINT });
  if (found.key === null) throw new SessionError('VALIDATION', `Nothing says which session ${file} belongs to.`, { hint: `Name the key: openclaw sessions restore <key> --archive ${file}` });
  return { store, key: found.key, archive: found.file };
}

/**
 * The key as its row was stored, where an archive has it in these letters. One that no request can spell, for
 * blanks at its ends, is named together with its newest archive.
 */
async function keyOf(given: string, store: StoreChoice, nowMs: number): Promise<Pick<Wanted, 'key'> & { readonly archive?: string }> {
  const { key } = toRequestKey({ key: given, defaultAgentId: store.agentId });
  const ofKey = await listArchives(store, key, nowMs);
  const exact = ofKey.filter((one) => one.key === given);
  const newest = exact.find(({ restorable, file }) => restorable && file !== '');
  return { key: exact.length > 0 ? given : key, ...(given !== given.trim() && newest !== undefined && { archive: newest.file }) };
}

async function list(io: CliIo, flags: RestoreFlags, store: StoreChoice): Promise<ExitCode> {
  const key = isGiven(flags.key) ? toRequestKey({ key: flags.key ?? '', defaultAgentId: store.agentId }).key : undefined;
  const archives = await listArchives(store, key, io.nowMs());
  if (flags.json === true) {
    io.out(`${JSON.stringify({ ok: true, archives: archives.map(({ atMs, ...rest }) => ({ ...rest, at: atMs })) }, null, 2)}\n`);
    return EXIT.ok;
  }
  if (archives.length === 0) {
    io.out('Nothing to restore.\n');
    return EXIT.ok;
  }
  const rows = archives.map(({ key: of, reason, atMs, bytes, file, restorable }) => [formatShortAge(io.nowMs() - atMs), reason, bytes === null ? '-' : String(bytes), of === null ? '-' : keyText(of), restorable ? file : `${file} (gone)`]);
  const columns = [{ title: 'AGE' }, { title: 'REASON' }, { title: 'BYTES', align: 'right' as const }, { title: 'KEY' }, { title: 'ARCHIVE' }];
  io.out(`${renderTable(columns, rows, { widthMax: io.columns() ?? COLUMNS_WITHOUT_TERMINAL, separator: '  ' }).join('\n')}\n`);
  return EXIT.ok;
}

/** What the restore would bring back; writes nothing. @throws ARCHIVE_NOT_FOUND */
async function preview(io: CliIo, flags: RestoreFlags, { store, key, archive }: Wanted): Promise<ExitCode> {
  const isMeant = (one: KnownArchive): boolean => one.restorable && (archive === undefined || [one.file, basename(one.file), one.sessionId, fileStamp(one.atMs)].includes(archive));
  const found = (await listArchives(store, key, io.nowMs())).find(isMeant);
  if (found === undefined) throw new SessionError('ARCHIVE_NOT_FOUND', `No archive found: ${key}`, { hint: LIST_HINT });
  const { sessionId, file, reason, bytes } = found;
  if (flags.json === true) io.out(`${JSON.stringify({ ok: true, dryRun: true, key, sessionId, archive: file, reason, bytes }, null, 2)}\n`);
  else io.out(`Would restore ${keyText(key)} from ${visibleText(file)} (${reason}).\n`);
  return EXIT.ok;
}
