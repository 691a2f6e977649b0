/**
 * What a portable archive consists of: a tar of regular files under names of this grammar and in this
 * order, so that neither a name nor an order can surprise a reader.
 *
 *     archive.json                          what it is, of which agent, when
 *     sessions/00000001/session.json        key, session id, names and sizes of the files
 *                       entry.json          the entry's exact bytes
 *                       transcript.jsonl    whole lines, exact bytes        ┐ unless it has none, or
 *                       lines.sha256        hash of each line, in order     ┘ shares an earlier one's
 *                       trajectory.jsonl    if there is one
 *                       checkpoint-<n>.jsonl
 *                       before-<n>.jsonl      transcripts that it went on from after compactions, oldest
 *                       before-<n>.sha256     first, and the hash of each of their lines (version 2)
 *                       SHA256SUMS          of all the above, in the form of `sha256sum`
 *     sessions/00000002/…
 *     end.json                              counts, and the hash over archive.json and all SHA256SUMS
 *
 * Nothing is compressed: a size is what it says.
 */
import { SessionError, isJsonObject, isSessionId, type JsonObject } from '@sessions/domain';

export const ARCHIVE_FORMAT = 'openclaw-sessions-archive';
/** Written where no session has a transcript before its own: what earlier releases read. */
export const ARCHIVE_VERSION = 1;
/** The same with transcripts before. */
export const ARCHIVE_VERSION_BEFORE = 2;

export const ARCHIVE_MEMBER = 'archive.json';
export const END_MEMBER = 'end.json';

/** A session's own small members. */
export const SMALL_MEMBER_BYTES_MAX = 1024 * 1024;
/** One entry. */
export const ENTRY_BYTES_MAX = 8 * 1024 * 1024;
/** All members of one session together, headers included. */
export const SESSION_BYTES_MAX = 8 * 1024 ** 3;
export const SESSIONS_MAX = 1_000_000;
/** Compaction checkpoints that stand in files of their own. */
export const CHECKPOINTS_MAX = 32;
/** Transcripts that a session went on from: as many as an entry has checkpoints. */
export const BEFORE_MAX = 25;
/** 64 digits and a newline. */
export const LINE_HASH_BYTES = 65;

const FOLDER = /^sessions\/(\d{8})\/([a-z0-9.-]+|SHA256SUMS)$/;
const CHECKPOINT_NAME = /\.checkpoint\.[0-9a-f-]{36}\.jsonl$/;
const SHA256 = /^[0-9a-f]{64}$/;

export interface ArchiveHead {
  readonly agentId: string;
  readonly exportedAtMs: number;
  /** Sessions of it may have transcripts before their own. */
  readonly hasBefore: boolean;
}

/** `session.json`. */
export interface SessionHead {
  readonly key: string;
  /** Null: the entry names no session; it is carried as it is. */
  readonly sessionId: string | null;
  /** Null: there is none. */
  readonly transcript: { readonly bytes: number; readonly lines: number } | null;
  /** The transcript is that of a session earlier in the archive. */
  readonly shared?: { readonly bytes: number; readonly sha256: string };
  /** Thread of a forum topic that the transcript's name carries, as spelled there. */
  readonly topic?: string;
  readonly trajectory: { readonly bytes: number } | null;
  /** Ids of the checkpoints, and sizes. */
  readonly checkpoints: readonly { readonly id: string; readonly bytes: number }[];
  /** Transcripts that it went on from, oldest first. */
  readonly before: readonly TranscriptBefore[];
}

export interface TranscriptBefore {
  readonly sessionId: string;
  readonly bytes: number;
  readonly lines: number;
}

export interface ArchiveEnd {
  readonly sessions: number;
  readonly lines: number;
  readonly bytes: number;
  /** Over the bytes of archive.json and of all SHA256SUMS, in order. */
  readonly sha256: string;
}

export function memberName(ordinal: number, name: string): string {
  return `sessions/${String(ordinal).padStart(8, '0')}/${name}`;
}

/** @throws UNSUPPORTED for a name that no member has. */
export function parseMemberName(full: string): { readonly ordinal: number; readonly name: string } {
  const [, ordinal, name] = FOLDER.exec(full) ?? [];
  if (ordinal === undefined || name === undefined) throw new SessionError('UNSUPPORTED', 'the archive has a member of a name that no portable archive has; nothing of it is read', { facts: { nameLength: full.length } });
  return { ordinal: Number(ordinal), name };
}

/** Members of one session in their order, `session.json` first. */
export function membersOf(head: SessionHead): { readonly name: string; readonly bytes: number | undefined }[] {
  return [
    { name: 'entry.json', bytes: undefined },
    ...(head.transcript === null ? [] : [{ name: 'transcript.jsonl', bytes: head.transcript.bytes }, { name: 'lines.sha256', bytes: head.transcript.lines * LINE_HASH_BYTES }]),
    ...(head.trajectory === null ? [] : [{ name: 'trajectory.jsonl', bytes: head.trajectory.bytes }]),
    ...head.checkpoints.map(({ bytes }, index) => ({ name: `checkpoint-${String(index + 1)}.jsonl`, bytes })),
    ...head.before.flatMap(({ bytes, lines }, index) => [{ name: `before-${String(index + 1)}.jsonl`, bytes }, { name: `before-${String(index + 1)}.sha256`, bytes: lines * LINE_HASH_BYTES }]),
  ];
}

/** A member of JSON, as it is written and nothing else is read. */
export function jsonMember(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** The checkpoint's id in the name of its file; undefined for other files. */
export function checkpointIdOf(file: string): string | undefined {
  return CHECKPOINT_NAME.test(file) ? file.slice(-42, -6) : undefined;
}

const invalid = (what: string): SessionError => new SessionError('DAMAGED', `the archive is damaged or none of ours: ${what}`);

export function parseJson(bytes: Buffer, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value)) throw invalid(`${what} is no JSON object`);
  return value;
}

/** @throws DAMAGED; UNSUPPORTED for a later version */
export function parseArchiveHead(bytes: Buffer): ArchiveHead {
  const { format, version, agentId, exportedAt } = parseJson(bytes, ARCHIVE_MEMBER);
  if (format !== ARCHIVE_FORMAT) throw invalid(`${ARCHIVE_MEMBER} names another format`);
  if (version !== ARCHIVE_VERSION && version !== ARCHIVE_VERSION_BEFORE) throw new SessionError('UNSUPPORTED', `the archive has version ${typeof version === 'number' ? String(version) : '?'}; this program reads versions ${String(ARCHIVE_VERSION)} and ${String(ARCHIVE_VERSION_BEFORE)}`);
  if (typeof agentId !== 'string' || typeof exportedAt !== 'number') throw invalid(`${ARCHIVE_MEMBER} lacks the agent or the time`);
  return { agentId, exportedAtMs: exportedAt, hasBefore: version === ARCHIVE_VERSION_BEFORE };
}

/** @throws DAMAGED for sizes, ids and names that no session can have */
export function parseSessionHead(bytes: Buffer): SessionHead {
  const { key, sessionId, transcript, shared, topic, trajectory, checkpoints, before } = parseJson(bytes, 'session.json');
  if (typeof key !== 'string' || key === '') throw invalid('session.json has no key');
  if (sessionId !== null && (typeof sessionId !== 'string' || !isSessionId(sessionId))) throw invalid('session.json has no usable session id');
  if (topic !== undefined && (typeof topic !== 'string' || !/^[A-Za-z0-9%._~!'()*-]{1,200}$/.test(topic))) throw invalid('session.json has no usable topic');
  const list = Array.isArray(checkpoints) ? checkpoints : [];
  if (list.length > CHECKPOINTS_MAX) throw invalid('session.json has too many checkpoints');
  const earlier = Array.isArray(before) ? before.map(transcriptBefore) : [];
  if (earlier.length > BEFORE_MAX) throw invalid('session.json has too many transcripts before its own');
  if (new Set([sessionId, ...earlier.map((one) => one.sessionId)]).size <= earlier.length) throw invalid('session.json names a transcript twice');
  if (sessionId === null && (transcript !== null || shared !== undefined || trajectory !== null || list.length > 0 || earlier.length > 0)) throw invalid('session.json has files of no session');
  return {
    key,
    sessionId,
    transcript: transcript === null ? null : { bytes: sizeOf(transcript, 'bytes'), lines: sizeOf(transcript, 'lines') },
    ...(shared === undefined ? {} : { shared: { bytes: sizeOf(shared, 'bytes'), sha256: sha256Of(shared) } }),
    ...(topic === undefined ? {} : { topic }),
    trajectory: trajectory === null ? null : { bytes: sizeOf(trajectory, 'bytes') },
    checkpoints: list.map((one) => ({ id: checkpointId(one), bytes: sizeOf(one, 'bytes') })),
    before: earlier,
  };
}

function sizeOf(value: unknown, name: string): number {
  const size = isJsonObject(value) ? value[name] : undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${name} is no size`);
  return size;
}

function transcriptBefore(value: unknown): TranscriptBefore {
  const id = isJsonObject(value) ? value['sessionId'] : undefined;
  if (typeof id !== 'string' || !isSessionId(id)) throw invalid('a transcript before has no usable session id');
  return { sessionId: id, bytes: sizeOf(value, 'bytes'), lines: sizeOf(value, 'lines') };
}

function sha256Of(value: unknown): string {
  const hash = isJsonObject(value) ? value['sha256'] : undefined;
  if (typeof hash !== 'string' || !SHA256.test(hash)) throw invalid('sha256 is no hash');
  return hash;
}

function checkpointId(value: unknown): string {
  const id = isJsonObject(value) ? value['id'] : undefined;
  if (typeof id !== 'string' || !/^[0-9a-f-]{36}$/.test(id)) throw invalid('a checkpoint has no id');
  return id;
}
