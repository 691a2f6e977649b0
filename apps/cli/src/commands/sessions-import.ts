/**
 * `openclaw sessions import <archive>`: the sessions of a portable archive into an agent's store. The whole
 * archive is compared with its hashes before anything is written, and nothing that stands is overwritten.
 * One that breaks off has whole sessions in the store and no half ones; repeated, it brings the rest.
 */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { importSession, withImportTarget } from '../offline/import-archive';
import type { ImportedSession } from '../offline/import-archive';
import { readStore } from '../offline/read-store';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { errorCode } from '../error-code';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { SessionError, isJsonObject, parseSessionKey, slugAgentId, storedSpellings } from '@sessions/domain';
import { readArchive } from '@sessions/store';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';

const PROGRESS_MS = 1000;
/** Sessions that are named one by one. */
const NAMED_MAX = 20;

export interface ImportFlags extends ScopeFlags {
  readonly archive: string;
  readonly as?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** What is remembered of a session between the two looks at the archive. */
interface Planned {
  readonly key: string;
  readonly sessionId: string | null;
  readonly offset: number;
  readonly bytes: number;
}

/** @throws DAMAGED, UNSUPPORTED, TOO_LARGE for the archive; VALIDATION, ENTRY_CHANGED, SESSION_LOCKED, STORE_UNREADABLE */
export async function runSessionsImport(io: CliIo, flags: ImportFlags): Promise<ExitCode> {
  // Before anything is sent: a refusal later would leave it lying with the owner, in the way of the next import.
  if (flags.as?.trim() === '') throw new SessionError('VALIDATION', '--as needs a session key.', { facts: { option: '--as' } });
  const context = loadCliContext(io);
  const archive = await openArchive(resolve(io.cwd, flags.archive));
  try {
    const { size } = await archive.stat();
    const tell = progress(io);
    const planned: Planned[] = [];
    const { head } = await readArchive(archive, size, ({ head: { key, sessionId }, offset, bytes }, ordinal) => {
      planned.push({ key, sessionId, offset, bytes });
      tell(`comparing the archive: ${String(ordinal)} sessions, ${String(Math.round(((offset + bytes) / size) * 100))} %`);
    });
    const { as } = flags;
    if (as !== undefined && planned.length !== 1) throw new SessionError('VALIDATION', `--as names one session; the archive has ${String(planned.length)}.`, { facts: { option: '--as' } });
    const store = storeOf(flags, context, as, head.agentId);
    await refuseConflicts(store, planned, as);
    if (flags.dryRun === true) return report(io, flags, store, planned.map(({ key, sessionId }) => ({ key: as ?? key, sessionId, imported: true, lines: 0, bytes: 0 })));
    const done = await withImportTarget(context, { store, byPath: isGiven(flags.store), nowMs: () => io.nowMs() }, async (target) => {
      const imported: ImportedSession[] = [];
      for (const session of planned) {
        imported.push(await importSession(target, archive, session, as));
        tell(`importing into agent ${store.agentId}: ${String(imported.length)} of ${String(planned.length)} sessions`);
      }
      return imported;
    });
    return report(io, flags, store, done);
  } finally {
    await archive.close();
  }
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';

function progress(io: CliIo): (text: string) => void {
  let toldAtMs = performance.now();
  return (text) => {
    if (performance.now() - toldAtMs < PROGRESS_MS) return;
    toldAtMs = performance.now();
    io.err(`${text}\n`);
  };
}

async function openArchive(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new SessionError('VALIDATION', `The archive ${path} cannot be read (${errorCode(cause) ?? 'unknown error'}).`, { facts: { path }, cause });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new SessionError('VALIDATION', `The archive ${path} is no file.`, { facts: { path } });
}

/** The agent named, else that of `--as`, else the archive's. */
function storeOf(flags: ImportFlags, context: ReturnType<typeof loadCliContext>, as: string | undefined, agentId: string): StoreChoice {
  const named = as === undefined ? undefined : parseSessionKey(as).agentId;
  const scope = isGiven(flags.agent) || isGiven(flags.store) ? flags : { agent: named ?? agentId };
  const [store] = selectStores(scope, context, { mayBeAbsent: true }).stores;
  if (store === undefined) throw new SessionError('INTERNAL', 'a selection has at least one store');
  return store;
}

/**
 * All that can be known beforehand, so that an import which would end in the middle does not begin. The
 * owner decides again.
 * @throws ENTRY_CHANGED, VALIDATION
 */
async function refuseConflicts(store: StoreChoice, planned: readonly Planned[], as: string | undefined): Promise<void> {
  for (const { key } of planned) {
    const named = parseSessionKey(as ?? key).agentId;
    if (named !== undefined && slugAgentId(named) !== store.agentId) throw new SessionError('VALIDATION', `The session ${keyText(as ?? key)} belongs to agent ${named}, not to ${store.agentId}.`, { hint: 'Import it under a key of this agent: openclaw sessions import <archive> --as <key>' });
  }
  const conflicts = await readStore(store, (reader) => {
    if (reader.source === 'none') return [];
    return planned.filter(({ key, sessionId }) => {
      const found = reader.firstExisting([as ?? key, ...storedSpellings(as ?? key)]);
      if (found === undefined) return false;
      const value: unknown = JSON.parse(found.text);
      const id = isJsonObject(value) ? (value['sessionId'] ?? value['uuid']) : undefined;
      // Under a key of the caller's choice an earlier try may have given it an id of its own.
      return as === undefined && sessionId !== null && id !== sessionId;
    });
  });
  const [first] = conflicts;
  if (first === undefined) return;
  const others = conflicts.length === 1 ? '' : ` (and ${String(conflicts.length - 1)} others)`;
  throw new SessionError('ENTRY_CHANGED', `The key ${keyText(first.key)}${others} has another session here; nothing was imported.`, {
    facts: { conflicts: conflicts.length },
    hint: planned.length === 1 ? 'Import it under another key: openclaw sessions import <archive> --as <key>' : 'Clear the way with "openclaw sessions delete <key>", or export and import single sessions with --as.',
  });
}

function report(io: CliIo, flags: ImportFlags, { agentId, path }: StoreChoice, sessions: readonly ImportedSession[]): ExitCode {
  const dryRun = flags.dryRun === true;
  const fresh = sessions.filter(({ imported }) => imported);
  const sum = (of: (session: ImportedSession) => number): number => fresh.reduce((total, session) => total + of(session), 0);
  if (flags.json === true) {
    const counts = { imported: fresh.length, alreadyThere: sessions.length - fresh.length, ...(dryRun ? {} : { lines: sum(({ lines }) => lines), bytes: sum(({ bytes }) => bytes) }) };
    io.out(`${JSON.stringify({ ok: true, ...(dryRun && { dryRun }), agentId, storePath: path, ...counts, sessions: sessions.map(({ key, sessionId, imported }) => ({ key, sessionId, imported })) }, null, 2)}\n`);
    return EXIT.ok;
  }
  const said = (count: number): string => `${String(count)} ${count === 1 ? 'session' : 'sessions'}`;
  const lines = [
    dryRun ? `Would import ${said(fresh.length)} into agent ${agentId}; every hash of the archive is right.` : `Imported ${said(fresh.length)} into agent ${agentId}: ${String(sum(({ lines: count }) => count))} lines, every hash as it was.`,
    ...(sessions.length > fresh.length ? [`There already: ${said(sessions.length - fresh.length)}.`] : []),
    ...fresh.slice(0, NAMED_MAX).map(({ key, sessionId }) => `  ${visibleText(keyText(key))}${sessionId === null ? '' : `  ${sessionId}`}`),
    ...(fresh.length > NAMED_MAX ? [`  … and ${String(fresh.length - NAMED_MAX)} more`] : []),
  ];
  io.out(lines.map((line) => `${line}\n`).join(''));
  return EXIT.ok;
}
