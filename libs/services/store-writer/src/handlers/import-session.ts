/**
 * ImportSession: one session of a portable archive, uploaded before. All of it is compared with its
 * hashes, its files are written aside and synced, and one mutation gives them their names together with
 * the entry: it is there whole or not at all. Nothing is overwritten; what is there already with all that
 * the archive has counts as imported, so that an import which broke off is finished by repeating it.
 */
import { ImportSessionResponse, type ImportSessionRequest } from '@sessions/contracts';
import { assertCreatableKey, parseSessionKey, slugAgentId, SessionError, transcriptFileName, type TranscriptHere } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { hasSameStart, readPortableSession, type AgentStore, type ArchivedBytes, type ByteSource, type HeldFiles, type HoldRequest, type PortableSession, type StagedTranscript } from '@sessions/store';
import { decideImport, type ImportAnswer, type ImportedFile } from '../decisions/decide-import';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import type { Uploads } from '../uploads';
import { requestHash } from './request-hash';
import { entryOfKey } from './stored-session';

/** @throws DAMAGED, UNSUPPORTED, TOO_LARGE for the archive; ENTRY_CHANGED where something else stands; KEY_INVALID, VALIDATION, IDEMPOTENCY_MISMATCH */
export async function importSession(agent: OwnedAgent, uploads: Uploads, request: ImportSessionRequest, context: CallContext): Promise<ImportSessionResponse> {
  return uploads.take(agent.agentId, request.uploadId, async (source, bytes) => {
    const session = await readPortableSession(source, { offset: 0, end: bytes });
    if (session.bytes !== bytes) throw new SessionError('DAMAGED', 'the upload has bytes behind the session of the archive');
    const key = request.key ?? session.head.key;
    assertKeyOf(agent.agentId, key, request.key === undefined);
    let place: Place = placeOf(session, session.head.sessionId);
    const contentHash = requestHash('ImportSession', [key, session.sums.toString('utf8')]);
    return agent.mutateHeld<ImportAnswer, ImportSessionResponse>(
      {
        files: async (store) => {
          place = await choosePlace(agent, store, session, { key, isOwnKey: request.key === undefined });
          return holdsOf(place);
        },
        request: async (held) => {
          const { staged, isThere } = await stage(held, source, session, place);
          const { sessionId, file, before } = place;
          const asked = { agentId: agent.agentId, key, entryText: session.entryText, sessionId, file, before, isShared: session.head.shared !== undefined, staged, isThere, held };
          return { method: 'ImportSession', context, contentHash, plan: (view) => decideImport(asked, view) };
        },
      },
      ({ result, epoch, seq }) =>
        Promise.resolve(ImportSessionResponse.create({ epoch, storeSeq: seq, key: result.key, sessionId: result.sessionId ?? undefined, imported: result.imported, lines: session.lines, bytes: session.transcript?.bytes ?? 0 })),
    );
  });
}

/** @throws KEY_INVALID; VALIDATION for a key of another agent */
function assertKeyOf(agentId: string, key: string, isOwn: boolean): void {
  assertCreatableKey(key);
  const named = parseSessionKey(key).agentId;
  if (named === undefined || slugAgentId(named) === agentId) return;
  throw new SessionError('VALIDATION', `the session key belongs to agent ${named.slice(0, 64)}, not to ${agentId}`, { hint: isOwn ? 'Name a key of this agent: openclaw sessions import <file> --as <key>' : 'Name a key of this agent.' });
}

interface Place {
  readonly sessionId: string | null;
  /** Transcript's name; null: the entry has none. */
  readonly file: string | null;
  readonly trajectory: string | null;
  /** In the order of the archive. */
  readonly checkpoints: readonly string[];
  /** Transcripts before it. */
  readonly before: readonly TranscriptHere[];
}

function placeOf({ head }: PortableSession, sessionId: string | null): Place {
  if (sessionId === null) return { sessionId, file: null, trajectory: null, checkpoints: [], before: [] };
  const topic = head.topic === undefined ? undefined : decodeURIComponent(head.topic);
  const file = transcriptFileName(sessionId, topic);
  return {
    sessionId,
    file,
    trajectory: head.trajectory === null ? null : `${file.slice(0, -'.jsonl'.length)}.trajectory.jsonl`,
    checkpoints: head.checkpoints.map(({ id }) => `${sessionId}.checkpoint.${id}.jsonl`),
    before: head.before.map(({ sessionId: id }) => ({ idThere: id, sessionId: id, file: transcriptFileName(id) })),
  };
}

/**
 * Transcripts before get new ids where theirs are taken: two sessions that had one of them would both lose it
 * with either. Under a key of the caller's choice a session whose id is taken gets a new one.
 */
async function choosePlace(agent: OwnedAgent, store: AgentStore, session: PortableSession, { key, isOwnKey }: { readonly key: string; readonly isOwnKey: boolean }): Promise<Place> {
  const { sessionId } = session.head;
  const place = placeOf(session, sessionId);
  if (sessionId === null || session.head.shared !== undefined) return place;
  const isTaken = async (id: string, file: string): Promise<boolean> => (await store.entry({ sessionId: id })) !== undefined || (await store.files.readTranscript(file, () => Promise.resolve(true))) === true;
  const newId = (): string => uuidV7(agent.deps.clock.nowMs());
  const before = await Promise.all(
    place.before.map(async (one) => {
      if (!(await isTaken(one.sessionId, one.file))) return one;
      const id = newId();
      return { ...one, sessionId: id, file: transcriptFileName(id) };
    }),
  );
  if (isOwnKey) return { ...place, before };
  const there = await entryOfKey(store, key);
  // An earlier try may have given it an id.
  if (typeof there?.sessionId === 'string') return { ...placeOf(session, there.sessionId), before };
  return (await isTaken(sessionId, place.file ?? '')) ? { ...placeOf(session, newId()), before } : { ...place, before };
}

function holdsOf({ file, trajectory, checkpoints, before }: Place): HoldRequest[] {
  return [file, trajectory, ...checkpoints, ...before.map((one) => one.file)].flatMap((name) => (name === null ? [] : [{ file: name, kind: 'bak' as const }]));
}

/** What is to get its name, written aside; or that the transcript there has all of it. */
async function stage(held: HeldFiles, source: ByteSource, session: PortableSession, place: Place): Promise<{ readonly staged: readonly ImportedFile[]; readonly isThere: boolean }> {
  const { head, transcript, trajectory, checkpoints } = session;
  const { file } = place;
  const wanted = head.shared ?? transcript;
  const isThere = file !== null && wanted !== undefined && held.get(file).found !== undefined && (await held.read(file, (there, bytes) => hasSameStart(there, bytes, wanted)));
  if (isThere || file === null) return { staged: [], isThere };
  const files: readonly (readonly [string, ArchivedBytes | undefined])[] = [[file, transcript], [place.trajectory ?? '', trajectory], ...place.checkpoints.map((name, index) => [name, checkpoints[index]] as const), ...place.before.map((one, index) => [one.file, session.before[index]] as const)];
  const staged: ImportedFile[] = [];
  for (const [name, bytes] of files) {
    // What has a name already refuses the import; nothing need be written for it.
    if (bytes !== undefined && held.get(name).found === undefined) staged.push({ file: name, staged: await stageOne(held, source, bytes) });
  }
  return { staged, isThere };
}

function stageOne(held: HeldFiles, source: ByteSource, { offset, bytes }: ArchivedBytes): Promise<StagedTranscript> {
  return held.stage([{ source, offset, bytes }]);
}
