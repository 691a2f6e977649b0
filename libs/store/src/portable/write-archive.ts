/**
 * Writes a portable archive, one member after the other. Every file is read twice: its bytes, then the
 * hashes of its lines; what it has beyond the bytes that it had at the first look is left out. Memory: a
 * chunk. A file whose earlier bytes change between the looks fails the export.
 */
import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { SessionError } from '@sessions/domain';
import type { ByteSource } from '../transcript/byte-source';
import { readExactly } from '../transcript/byte-source';
import { ARCHIVE_FORMAT, ARCHIVE_MEMBER, ARCHIVE_VERSION, ARCHIVE_VERSION_BEFORE, BEFORE_MAX, CHECKPOINTS_MAX, END_MEMBER, ENTRY_BYTES_MAX, LINE_HASH_BYTES, SESSION_BYTES_MAX, jsonMember, memberName, type ArchiveHead, type SessionHead } from './archive-format';
import { LineHashes } from './line-hashes';
import { BLOCK_BYTES, encodeTarHeader, paddedBytes } from './tar-header';

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
/** Longest piece of a line that is looked through from a file's end. */
const TAIL_BYTES = 64 * 1024;

export interface SourceFile {
  readonly source: ByteSource;
  readonly bytes: number;
}

export interface ExportedSession {
  readonly key: string;
  readonly entryText: string;
  readonly sessionId: string | null;
  readonly topic?: string;
  readonly transcript?: SourceFile;
  /** Written before, for another key of the same transcript. */
  readonly shared?: { readonly bytes: number; readonly sha256: string };
  readonly trajectory?: SourceFile;
  readonly checkpoints: readonly (SourceFile & { readonly id: string })[];
  /** Transcripts that it went on from after compactions, oldest first; only in an archive that says so. */
  readonly before?: readonly (SourceFile & { readonly sessionId: string })[];
}

export interface WrittenSession {
  readonly transcript: { readonly bytes: number; readonly lines: number; readonly sha256: string } | undefined;
  /** Bytes behind the last whole line; not carried. */
  readonly leftOutBytes: number;
}

export class ArchiveWriter {
  readonly #file: FileHandle;
  readonly #atMs: number;
  readonly #sums = createHash('sha256');
  #position = 0;
  #sessions = 0;
  #lines = 0;
  #bytes = 0;

  constructor(file: FileHandle, atMs: number) {
    this.#file = file;
    this.#atMs = atMs;
  }

  get position(): number {
    return this.#position;
  }

  async begin({ agentId, exportedAtMs, hasBefore }: ArchiveHead): Promise<void> {
    const note = 'One folder a session. Each SHA256SUMS can be checked with: sha256sum -c';
    const head = jsonMember({ format: ARCHIVE_FORMAT, version: hasBefore ? ARCHIVE_VERSION_BEFORE : ARCHIVE_VERSION, agentId, exportedAt: exportedAtMs, note });
    this.#sums.update(head);
    await this.#member(ARCHIVE_MEMBER, head);
  }

  /** @throws TOO_LARGE; DAMAGED when a file changes while it is read */
  async add(session: ExportedSession): Promise<WrittenSession> {
    const { key, sessionId, topic, shared, checkpoints, before = [] } = session;
    const entry = Buffer.from(session.entryText);
    if (entry.length > ENTRY_BYTES_MAX) throw tooLarge('an entry', entry.length, ENTRY_BYTES_MAX);
    if (checkpoints.length > CHECKPOINTS_MAX) throw tooLarge('checkpoints', checkpoints.length, CHECKPOINTS_MAX);
    if (before.length > BEFORE_MAX) throw tooLarge('transcripts before', before.length, BEFORE_MAX);
    const transcript = await wholeLines(session.transcript);
    const trajectory = await wholeLines(session.trajectory);
    const marks = await Promise.all(checkpoints.map(async ({ id, ...file }) => ({ id, ...((await wholeLines(file)) as SourceFile) })));
    const lines = transcript === undefined ? 0 : await countLines(transcript);
    const earlier = await Promise.all(before.map(async ({ sessionId: id, ...file }) => withLines(id, (await wholeLines(file)) as SourceFile)));
    const bytes = [entry.length, transcript?.bytes ?? 0, lines * LINE_HASH_BYTES, trajectory?.bytes ?? 0, ...marks.map((mark) => mark.bytes), ...earlier.flatMap((one) => [one.bytes, one.lines * LINE_HASH_BYTES])].reduce((sum, each) => sum + paddedBytes(each) + BLOCK_BYTES, 0);
    if (bytes > SESSION_BYTES_MAX) throw tooLarge('a session', bytes, SESSION_BYTES_MAX);
    this.#sessions += 1;
    const head: SessionHead = {
      key,
      sessionId,
      transcript: transcript === undefined ? null : { bytes: transcript.bytes, lines },
      ...(shared === undefined ? {} : { shared }),
      ...(topic === undefined ? {} : { topic }),
      trajectory: trajectory === undefined ? null : { bytes: trajectory.bytes },
      checkpoints: marks.map(({ id, bytes: size }) => ({ id, bytes: size })),
      before: earlier.map(({ sessionId: id, bytes: size, lines: count }) => ({ sessionId: id, bytes: size, lines: count })),
    };
    const sums: string[] = [];
    const put = async (name: string, content: Buffer | SourceFile): Promise<string> => {
      const full = memberName(this.#sessions, name);
      const sha256 = Buffer.isBuffer(content) ? await this.#member(full, content) : await this.#copied(full, content);
      sums.push(`${sha256}  ${full}\n`);
      return sha256;
    };
    const putLines = async (name: string, { lines: count, sha256: whole, ...file }: SourceFile & { readonly lines: number; readonly sha256: string }): Promise<void> => {
      const full = memberName(this.#sessions, name);
      sums.push(`${await this.#lineHashes(full, file, count, whole)}  ${full}\n`);
    };
    await put('session.json', jsonMember(before.length === 0 ? withoutBefore(head) : head));
    await put('entry.json', entry);
    let sha256 = '';
    if (transcript !== undefined) {
      sha256 = await put('transcript.jsonl', transcript);
      await putLines('lines.sha256', { ...transcript, lines, sha256 });
    }
    if (trajectory !== undefined) await put('trajectory.jsonl', trajectory);
    for (const [index, mark] of marks.entries()) await put(`checkpoint-${String(index + 1)}.jsonl`, mark);
    for (const [index, one] of earlier.entries()) {
      const name = `before-${String(index + 1)}`;
      await putLines(`${name}.sha256`, { ...one, sha256: await put(`${name}.jsonl`, one) });
    }
    const all = Buffer.from(sums.join(''));
    this.#sums.update(all);
    await this.#member(memberName(this.#sessions, 'SHA256SUMS'), all);
    this.#lines += lines;
    this.#bytes += transcript?.bytes ?? 0;
    return { transcript: transcript === undefined ? undefined : { bytes: transcript.bytes, lines, sha256 }, leftOutBytes: (session.transcript?.bytes ?? 0) - (transcript?.bytes ?? 0) };
  }

  /** Ends the archive and syncs it. */
  async end(): Promise<{ readonly sessions: number; readonly lines: number; readonly bytes: number; readonly sha256: string }> {
    const end = { sessions: this.#sessions, lines: this.#lines, bytes: this.#bytes, sha256: this.#sums.digest('hex') };
    await this.#member(END_MEMBER, jsonMember(end));
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    await this.#file.sync();
    return end;
  }

  async #member(name: string, content: Buffer): Promise<string> {
    await this.#write(encodeTarHeader({ name, bytes: content.length }, this.#atMs));
    await this.#write(content);
    await this.#pad(content.length);
    return createHash('sha256').update(content).digest('hex');
  }

  async #copied(name: string, file: SourceFile): Promise<string> {
    await this.#write(encodeTarHeader({ name, bytes: file.bytes }, this.#atMs));
    const hash = createHash('sha256');
    await eachChunk(file, async (chunk) => {
      hash.update(chunk);
      await this.#write(chunk);
    });
    await this.#pad(file.bytes);
    return hash.digest('hex');
  }

  async #lineHashes(name: string, file: SourceFile, lines: number, sha256: string): Promise<string> {
    await this.#write(encodeTarHeader({ name, bytes: lines * LINE_HASH_BYTES }, this.#atMs));
    const [whole, own] = [createHash('sha256'), createHash('sha256')];
    const hashes = new LineHashes();
    let seen = 0;
    await eachChunk(file, async (chunk) => {
      whole.update(chunk);
      const found = hashes.push(chunk);
      seen += found.length;
      const text = Buffer.from(found.map((each) => `${each}\n`).join(''));
      own.update(text);
      await this.#write(text);
    });
    if (seen !== lines || digest(whole) !== sha256) throw new SessionError('DAMAGED', 'a transcript was changed while it was exported; export it again');
    await this.#pad(lines * LINE_HASH_BYTES);
    return own.digest('hex');
  }

  async #pad(bytes: number): Promise<void> {
    await this.#write(Buffer.alloc(paddedBytes(bytes) - bytes));
  }

  async #write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#position);
      done += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}

/** As earlier releases write it. */
function withoutBefore({ before: _before, ...head }: SessionHead): Omit<SessionHead, 'before'> {
  return head;
}

async function withLines(sessionId: string, file: SourceFile): Promise<SourceFile & { readonly sessionId: string; readonly lines: number }> {
  return { sessionId, ...file, lines: await countLines(file) };
}

const digest = (hash: Hash): string => hash.digest('hex');

function tooLarge(what: string, size: number, max: number): SessionError {
  return new SessionError('TOO_LARGE', `${what} of ${String(size)} is more than the ${String(max)} that an archive carries`, { facts: { size, max } });
}

async function eachChunk({ source, bytes }: SourceFile, use: (chunk: Buffer) => Promise<void> | void): Promise<void> {
  for (let at = 0; at < bytes; at += CHUNK_BYTES) await use(await readExactly(source, at, Math.min(CHUNK_BYTES, bytes - at)));
}

async function countLines(file: SourceFile): Promise<number> {
  let lines = 0;
  await eachChunk(file, (chunk) => {
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines += 1;
  });
  return lines;
}

/** A file up to its last newline. */
async function wholeLines(file: SourceFile | undefined): Promise<SourceFile | undefined> {
  if (file === undefined) return undefined;
  for (let end = file.bytes; end > 0; ) {
    const start = Math.max(0, end - TAIL_BYTES);
    const last = (await readExactly(file.source, start, end - start)).lastIndexOf(NEWLINE);
    if (last !== -1) return { source: file.source, bytes: start + last + 1 };
    end = start;
  }
  return { source: file.source, bytes: 0 };
}
