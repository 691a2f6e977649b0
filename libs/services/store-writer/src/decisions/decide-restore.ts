/**
 * A session brought back from an archive. What is live under the key becomes an archive first, in the
 * same mutation, so a restore can be undone like everything else.
 */
import { SessionError, isJsonObject, restoredEntry, type ArchiveKind, type JsonObject, type JsonValue } from '@sessions/domain';
import type { ArchivedFile, Effect, HeldView, MutationView, StagedTranscript, TranscriptTail } from '@sessions/store';
import { deliveriesOf, deliveryMembers } from './open-delivery';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { FilesMoved, entryTextOf, refuseOpenRuns, refuseRunning, setAside } from './session-files';
import { findSession, type PresentSession } from './session-of-key';

/** The archive that was chosen, as the manifest or its name tells. */
export interface ChosenArchive {
  /** As its row was stored; null: nothing tells. */
  readonly key: string | null;
  readonly kind: ArchiveKind;
  /** The transcript's archive first, then those of its sidecars; none: only the entry was removed. Hash empty: no line of the manifest names it. */
  readonly files: readonly ArchivedFile[];
  readonly sessionId: string;
  readonly atMs: number;
  /** As it stood; undefined: the manifest has none. */
  readonly entry: JsonValue | undefined;
}

export interface RestoreRequest {
  readonly agentId: string;
  readonly key: string;
  /** Undefined: there is none. */
  readonly archive: ChosenArchive | undefined;
  readonly held: HeldView;
  /** Of a truncation: the original and the lines since. */
  readonly staged: StagedTranscript | undefined;
  /** That stand in what is brought back. */
  readonly messages: number;
  readonly actor: string;
}

export type RestoreAnswer = StoredAnswer<
  'RestoreSession',
  {
    readonly key: string;
    readonly sessionId: string;
    readonly previousSessionId: string | null;
    readonly restored: readonly string[];
    readonly archived: readonly string[];
  }
>;

/** For a key that has nothing to bring back. */
export function noArchive(key: string): SessionError {
  return new SessionError('ARCHIVE_NOT_FOUND', `No archive found: ${key}`, { hint: 'See what there is: openclaw sessions restore --list' });
}

/** @throws ARCHIVE_NOT_FOUND, DAMAGED for an archive that is not what was set aside, ENTRY_CHANGED; FilesMoved, RunsOpen */
export function decideRestore(request: RestoreRequest, view: MutationView): Planned<RestoreAnswer> {
  const { archive, held, agentId } = request;
  const present = findSession(view, request.key);
  // Whatever spelling was asked for: the row comes back as it stood.
  const key = present?.key ?? archive?.key ?? request.key;
  if (archive?.kind === 'bak') refuseRunning(present);
  else refuseOpenRuns(present);
  if (archive === undefined) throw noArchive(request.key);
  const [main] = archive.files;
  const isThere = main === undefined ? isJsonObject(archive.entry) && present === undefined : held.get(main.to).found !== undefined;
  if (!isThere) throw noArchive(request.key);
  for (const file of archive.files) refuseDamaged(held, file);
  const restored = archive.kind === 'bak' ? undoTruncation(request, archive, present, view.nowMs) : bringBack(request, archive, present, view);
  const previousSessionId = present?.sessionId ?? null;
  const { clear } = restored;
  // What is on its way out goes on, whatever row takes the place.
  const set = restored.replacesEntry && present !== undefined ? { ...restored.set, ...deliveryMembers(deliveriesOf(present.members), {}).set } : restored.set;
  const before = restored.replacesEntry ? {} : (present?.members ?? {});
  return {
    decision: {
      effects: [
        ...restored.effects,
        { kind: 'recordArchive', reason: 'restore', key, sessionId: restored.archived.length > 0 ? previousSessionId : archive.sessionId, ...entryTextOf(view, key), actor: request.actor },
        ...(restored.replacesEntry && present !== undefined ? [{ kind: 'removeEntry' as const, key }] : []),
        { kind: 'putEntry', key, set, clear },
      ],
      result: { method: 'RestoreSession', key, sessionId: archive.sessionId, previousSessionId, restored: archive.files.map(({ from }) => from), archived: restored.archived },
    },
    announcements: [
      {
        kind: 'changed',
        key,
        sessionId: archive.sessionId,
        reason: 'restore',
        row: rowOf(agentId, key, membersAfter(before, { set, clear })),
        ...(previousSessionId === null || previousSessionId === archive.sessionId ? {} : { previousSessionId }),
        ...(main === undefined ? {} : { messageSeq: request.messages }),
      },
    ],
  };
}

interface Restored {
  readonly effects: readonly Effect[];
  readonly archived: readonly string[];
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
  /** The entry is the archived one, whatever stands there now. */
  readonly replacesEntry: boolean;
}

/** Not a summary alone either: it stands for a conversation. */
function isEmptyTail({ messages, leafId }: TranscriptTail): boolean {
  return messages === 0 && leafId === null;
}

function refuseDamaged(held: HeldView, { to, bytes, sha256 }: ArchivedFile): void {
  const { found } = held.get(to);
  if (found === undefined || sha256 === '' || (found.bytes === bytes && found.sha256 === sha256)) return;
  throw new SessionError('DAMAGED', `the archive ${to} is not what was set aside`, { facts: { bytes: found.bytes, expectedBytes: bytes }, hint: 'run: openclaw sessions verify' });
}

function undoTruncation({ held, staged }: RestoreRequest, archive: ChosenArchive, present: PresentSession | undefined, nowMs: number): Restored {
  const file = archive.files[0]?.from ?? '';
  if (present?.file !== file) {
    throw new SessionError('ENTRY_CHANGED', 'the key has another transcript by now: bring that session back first', { facts: { sessionId: present?.sessionId ?? null, archivedSessionId: archive.sessionId } });
  }
  if (staged === undefined || !held.has(file)) throw new FilesMoved();
  const live = held.get(file);
  return {
    effects: [{ kind: 'replaceTranscript', file, staged }],
    archived: live.found === undefined ? [] : [live.asideAs],
    ...restoredEntry({ kind: 'bak', sessionId: archive.sessionId, sessionFile: file, nowMs, current: present.native }),
    replacesEntry: false,
  };
}

function bringBack({ held }: RestoreRequest, archive: ChosenArchive, present: PresentSession | undefined, view: MutationView): Restored {
  const isDeletion = archive.kind === 'deleted';
  const live = present === undefined ? { effects: [], archived: [] } : setAside({ held, present, withSidecars: isDeletion }, view);
  // A header alone is no conversation: it stays where it is, and nobody misses it.
  const isEmpty = !isDeletion && present?.file !== null && present?.file !== undefined && isEmptyTail(held.get(present.file).tail) && present.file !== archive.files[0]?.from;
  const aside = isEmpty ? { effects: [], archived: [] } : live;
  const taken = archive.files.filter(({ from }) => held.get(from).found !== undefined && !aside.effects.some((effect) => effect.kind === 'setAside' && effect.file === from));
  const there = archive.files.filter(({ to }) => held.get(to).found !== undefined);
  const effects: Effect[] = [
    ...aside.effects,
    ...taken.map(({ from }): Effect => ({ kind: 'setAside', file: from })),
    ...there.map(({ to, from }): Effect => ({ kind: 'bringBack', archive: to, file: from })),
  ];
  const archived = [...aside.archived, ...taken.map(({ from }) => held.get(from).asideAs)];
  const sessionFile = archive.files[0]?.from;
  const back = { sessionId: archive.sessionId, sessionFile: sessionFile ?? '', nowMs: view.nowMs, current: present?.native };
  if (isDeletion || present === undefined) {
    const entry: JsonObject = isJsonObject(archive.entry) ? archive.entry : { sessionStartedAt: archive.atMs };
    return { effects, archived, set: membersBack(entry, restoredEntry({ kind: 'deleted', ...back, archived: entry }).set, sessionFile, view.nowMs), clear: [], replacesEntry: true };
  }
  return { effects, archived, ...restoredEntry({ kind: 'reset', ...back }), replacesEntry: false };
}

/** A row whose files never left keeps the name that it had for them; one of the tutorial's format keeps its own names. */
function membersBack(entry: JsonObject, restored: Readonly<Record<string, JsonValue>>, sessionFile: string | undefined, nowMs: number): Record<string, JsonValue> {
  const there = Object.entries(entry).filter((member): member is [string, JsonValue] => member[1] !== undefined);
  // It named no session that can be used, and goes on naming none: the next message begins one.
  if (restored['sessionId'] === '') return { ...Object.fromEntries(there), updatedAt: nowMs };
  if (entry['sessionId'] === undefined && typeof entry['uuid'] === 'string') return { ...Object.fromEntries(there), lastActive: new Date(nowMs).toISOString() };
  const { sessionFile: _, ...rest } = restored;
  const file = sessionFile ?? entry['sessionFile'];
  return file === undefined ? rest : { ...rest, sessionFile: file };
}
