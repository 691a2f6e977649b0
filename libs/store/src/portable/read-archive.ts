/**
 * Reads a portable archive that may have been made by anybody: every name, order, size and hash is
 * compared before anything of it is used. Memory: a chunk, one session's small members, never a file.
 */
import { createHash } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import { readExactly, type ByteSource } from '../transcript/byte-source';
import { LINE_BYTES_MAX } from '../types';
import {
  ARCHIVE_MEMBER, END_MEMBER, ENTRY_BYTES_MAX, LINE_HASH_BYTES, SESSIONS_MAX, SESSION_BYTES_MAX, SMALL_MEMBER_BYTES_MAX,
  jsonMember, membersOf, parseArchiveHead, parseMemberName, parseSessionHead, type ArchiveEnd, type ArchiveHead, type SessionHead, type TranscriptBefore,
} from './archive-format';
import { LineHashes } from './line-hashes';
import { BLOCK_BYTES, decodeTarHeader, paddedBytes } from './tar-header';

const CHUNK_BYTES = 1024 * 1024;
/** Zeros that may follow the two blocks that end an archive: other programs fill up records. */
const TRAILING_BYTES_MAX = 64 * 1024;

interface Member {
  readonly name: string;
  /** Of its first byte. */
  readonly offset: number;
  readonly bytes: number;
}

/** Where a file's bytes stand in the source that was read. */
export interface ArchivedBytes {
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** One session whose every hash was compared. */
export interface PortableSession {
  readonly head: SessionHead;
  readonly entryText: string;
  readonly transcript: ArchivedBytes | undefined;
  readonly trajectory: ArchivedBytes | undefined;
  readonly checkpoints: readonly (ArchivedBytes & { readonly id: string })[];
  /** Transcripts that it went on from, oldest first. */
  readonly before: readonly (ArchivedBytes & { readonly sessionId: string; readonly lines: number })[];
  /** Of its own transcript. */
  readonly lines: number;
  /** The bytes of all its members in the source: what `readPortableSession` reads. */
  readonly offset: number;
  readonly bytes: number;
  /** SHA256SUMS. */
  readonly sums: Buffer;
}

const damaged = (what: string): SessionError => new SessionError('DAMAGED', `the archive is damaged or incomplete: ${what}; nothing of it was imported`);

/**
 * Reads a whole archive and compares all of it; each session is handed out when it has been compared.
 * @throws DAMAGED, UNSUPPORTED, TOO_LARGE
 */
export async function readArchive(source: ByteSource, bytes: number, onSession: (session: PortableSession, ordinal: number) => Promise<void> | void): Promise<{ readonly head: ArchiveHead; readonly end: ArchiveEnd }> {
  const first = await memberAt(source, 0, bytes);
  if (first?.name !== ARCHIVE_MEMBER) throw damaged('it does not begin as a portable archive does');
  const headBytes = await small(source, first, SMALL_MEMBER_BYTES_MAX);
  const head = parseArchiveHead(headBytes);
  const sums = createHash('sha256').update(headBytes);
  const counted = { sessions: 0, lines: 0, bytes: 0 };
  let at = endOf(first);
  for (;;) {
    const member = await memberAt(source, at, bytes);
    if (member === undefined) throw damaged('it ends without its last member');
    if (member.name === END_MEMBER) {
      const said = await small(source, member, SMALL_MEMBER_BYTES_MAX);
      await assertEnd(source, endOf(member), bytes);
      const end: ArchiveEnd = { ...counted, sha256: sums.digest('hex') };
      if (!jsonMember(end).equals(said)) throw damaged('what it counts at its end is not what it has');
      return { head, end };
    }
    counted.sessions += 1;
    if (counted.sessions > SESSIONS_MAX) throw new SessionError('TOO_LARGE', `an archive has at most ${String(SESSIONS_MAX)} sessions`);
    const session = await readPortableSession(source, { offset: at, end: bytes, ordinal: counted.sessions });
    if (!head.hasBefore && session.before.length > 0) throw damaged('a session has transcripts that an archive of its version does not carry');
    sums.update(session.sums);
    counted.lines += session.lines;
    counted.bytes += session.transcript?.bytes ?? 0;
    await onSession(session, counted.sessions);
    at += session.bytes;
  }
}

/**
 * @param place `offset` of the first member's header; no byte at or behind `end` belongs to it. Without
 *   `ordinal` the folder may have any number.
 * @throws DAMAGED, UNSUPPORTED, TOO_LARGE
 */
export async function readPortableSession(source: ByteSource, { offset, end, ordinal }: { readonly offset: number; readonly end: number; readonly ordinal?: number }): Promise<PortableSession> {
  let at = offset;
  let folder = ordinal;
  const sums: string[] = [];
  const next = async (wanted: string, size: number | undefined, max: number): Promise<Member> => {
    const member = await memberAt(source, at, end);
    if (member === undefined) throw damaged(`${wanted} of a session is missing`);
    const { ordinal: found, name } = parseMemberName(member.name);
    folder ??= found;
    if (found !== folder || name !== wanted) throw damaged(`${wanted} of session ${String(folder)} is missing, or stands at another place`);
    if (member.bytes > max) throw new SessionError('TOO_LARGE', `${wanted} of the archive has ${String(member.bytes)} bytes, more than ${String(max)}`, { facts: { bytes: member.bytes, bytesMax: max } });
    if (size !== undefined && member.bytes !== size) throw damaged(`${wanted} has another size than announced`);
    at = endOf(member);
    if (at - offset > SESSION_BYTES_MAX) throw new SessionError('TOO_LARGE', `a session of an archive has at most ${String(SESSION_BYTES_MAX)} bytes`);
    return member;
  };
  const noted = (member: Member, sha256: string): ArchivedBytes => {
    sums.push(`${sha256}  ${member.name}\n`);
    return { offset: member.offset, bytes: member.bytes, sha256 };
  };

  const headMember = await next('session.json', undefined, SMALL_MEMBER_BYTES_MAX);
  const headBytes = await small(source, headMember, SMALL_MEMBER_BYTES_MAX);
  noted(headMember, sha256Of(headBytes));
  const head = parseSessionHead(headBytes);
  let entryText = '';
  let transcript: ArchivedBytes | undefined;
  let trajectory: ArchivedBytes | undefined;
  const checkpoints: (ArchivedBytes & { id: string })[] = [];
  const before: (ArchivedBytes & { sessionId: string; lines: number })[] = [];
  for (const { name, bytes } of membersOf(head)) {
    const member = await next(name, bytes, name === 'entry.json' ? ENTRY_BYTES_MAX : SESSION_BYTES_MAX);
    if (name === 'entry.json') {
      const entry = await small(source, member, ENTRY_BYTES_MAX);
      entryText = entry.toString('utf8');
      if (!Buffer.from(entryText).equals(entry)) throw damaged('an entry is no UTF-8');
      noted(member, sha256Of(entry));
    } else if (name.endsWith('.sha256')) {
      noted(member, await compareLines(source, (name === 'lines.sha256' ? transcript : before.at(-1)) as ArchivedBytes, member));
    } else {
      const found = noted(member, await hashOf(source, member));
      if (name === 'transcript.jsonl') transcript = found;
      else if (name === 'trajectory.jsonl') trajectory = found;
      else if (name.startsWith('before-')) before.push({ ...(head.before[before.length] as TranscriptBefore), ...found });
      else checkpoints.push({ id: head.checkpoints[checkpoints.length]?.id ?? '', ...found });
    }
  }
  const sumsMember = await next('SHA256SUMS', undefined, SMALL_MEMBER_BYTES_MAX);
  const said = await small(source, sumsMember, SMALL_MEMBER_BYTES_MAX);
  if (said.toString('utf8') !== sums.join('')) throw damaged(`the hashes of session ${String(folder)} are not those of its files`);
  return { head, entryText, transcript, trajectory, checkpoints, before, lines: head.transcript?.lines ?? 0, offset, bytes: at - offset, sums: said };
}

/** Undefined at the zeros of the end. */
async function memberAt(source: ByteSource, at: number, end: number): Promise<Member | undefined> {
  if (at + BLOCK_BYTES > end) throw damaged('it ends in the middle');
  const header = decodeTarHeader(await readExactly(source, at, BLOCK_BYTES));
  if (header === undefined) return undefined;
  const member = { ...header, offset: at + BLOCK_BYTES };
  if (endOf(member) > end) throw damaged('it ends in the middle of a file');
  return member;
}

const endOf = ({ offset, bytes }: Member): number => offset + paddedBytes(bytes);
const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function small(source: ByteSource, { name, offset, bytes }: Member, max: number): Promise<Buffer> {
  if (bytes > max) throw new SessionError('TOO_LARGE', `${name} of the archive has ${String(bytes)} bytes, more than ${String(max)}`, { facts: { bytes, bytesMax: max } });
  return readExactly(source, offset, bytes);
}

async function hashOf(source: ByteSource, { offset, bytes }: Member): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += CHUNK_BYTES) hash.update(await readExactly(source, offset + at, Math.min(CHUNK_BYTES, bytes - at)));
  return hash.digest('hex');
}

/** @returns the hash of the hashes. @throws DAMAGED, TOO_LARGE for a line that no transcript has */
async function compareLines(source: ByteSource, transcript: ArchivedBytes, member: Member): Promise<string> {
  const whole = createHash('sha256');
  const hashes = new LineHashes();
  let compared = 0;
  for (let at = 0; at < transcript.bytes; at += CHUNK_BYTES) {
    const found = hashes.push(await readExactly(source, transcript.offset + at, Math.min(CHUNK_BYTES, transcript.bytes - at)));
    if (hashes.longestBytes >= LINE_BYTES_MAX) throw new SessionError('TOO_LARGE', `a line of the archive is longer than ${String(LINE_BYTES_MAX)} bytes`, { facts: { bytesMax: LINE_BYTES_MAX } });
    if ((compared + found.length) * LINE_HASH_BYTES > member.bytes) throw damaged('a transcript has more lines than announced');
    const said = await readExactly(source, member.offset + compared * LINE_HASH_BYTES, found.length * LINE_HASH_BYTES);
    whole.update(said);
    for (const [index, hash] of found.entries()) {
      if (said.toString('latin1', index * LINE_HASH_BYTES, (index + 1) * LINE_HASH_BYTES) !== `${hash}\n`) throw damaged(`line ${String(compared + index + 1)} of a transcript is not what it was`);
    }
    compared += found.length;
  }
  if (compared * LINE_HASH_BYTES !== member.bytes) throw damaged('a transcript has fewer lines than announced');
  return whole.digest('hex');
}

async function assertEnd(source: ByteSource, at: number, end: number): Promise<void> {
  const rest = end - at;
  if (rest < 2 * BLOCK_BYTES || rest > TRAILING_BYTES_MAX) throw damaged('it does not end as an archive does');
  if ((await readExactly(source, at, rest)).some((byte) => byte !== 0)) throw damaged('bytes follow its end');
}
