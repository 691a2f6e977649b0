/**
 * Requests too large for one bus message, put together from their pieces.
 *
 * Each upload is one file `.store/uploads/<id>` of its agent; pieces come in order. Nothing here is
 * promised: an upload that was not used for a while is dropped, and so is everything found at start
 * up. What lasts is made from it by a mutation.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { SESSION_BYTES_MAX } from '@sessions/store';
import type { Clock } from '@sessions/host';
import { tellingOfDisk } from './disk-refusal';

/** Size of one upload. */
export const UPLOAD_BYTES_MAX = 32 * 1024 * 1024;
/** Size of one session of a portable archive. */
export const PORTABLE_BYTES_MAX = SESSION_BYTES_MAX;
/** Of those, at a time. */
export const PORTABLE_UPLOADS_MAX = 1;
/** Uploads of one agent at a time. */
export const UPLOADS_MAX = 64;
/** An upload that was not used for this long is dropped. */
export const UPLOAD_IDLE_MS = 10 * 60_000;
/** One piece. */
export const CHUNK_BYTES_MAX = 768 * 1024;

const UPLOAD_ID = /^[A-Za-z0-9_-]{1,128}$/;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export interface Chunk {
  readonly uploadId: string;
  /** From 0, in order. */
  readonly index: number;
  readonly data: Uint8Array;
  readonly last: boolean;
  /** Of the whole upload, lower-case hexadecimal; only judged with the last piece. */
  readonly sha256?: string | undefined;
  /** One session of a portable archive; its hashes are inside. */
  readonly portable?: boolean | undefined;
}

interface Upload {
  readonly file: string;
  bytes: number;
  pieces: number;
  complete: boolean;
  readonly portable: boolean;
  usedAtMs: number;
  /** Ends when the piece before has been written. */
  writing: Promise<unknown>;
}

interface AgentUploads {
  readonly uploads: Map<string, Upload>;
  /** Ends when what an earlier process left is gone. */
  readonly ready: Promise<void>;
}

export interface UploadsDeps {
  readonly clock: Clock;
  /** Directory of the uploads of an agent; made when needed. */
  readonly directory: (agentId: string) => string;
}

export class Uploads {
  readonly #deps: UploadsDeps;
  readonly #byAgent = new Map<string, AgentUploads>();

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  /**
   * Adds a piece; one that is already there counts as added.
   * @returns bytes received so far.
   * @throws VALIDATION for a piece out of order or a wrong hash, TOO_LARGE, OVERLOADED, DISK_FULL, READ_ONLY
   */
  async put(agentId: string, chunk: Chunk): Promise<number> {
    if (!UPLOAD_ID.test(chunk.uploadId)) throw new SessionError('VALIDATION', 'an upload id has 1 to 128 letters, digits, "_" or "-"');
    if (chunk.data.length > CHUNK_BYTES_MAX) throw tooLarge('a piece', chunk.data.length, CHUNK_BYTES_MAX);
    const upload = await this.#begun(agentId, chunk);
    const added = upload.writing.then(() => this.#add(agentId, upload, chunk));
    upload.writing = added.catch(() => undefined);
    return added;
  }

  /** The whole upload. @throws VALIDATION when there is none, or it is not complete */
  async read(agentId: string, uploadId: string): Promise<Buffer> {
    const upload = this.#byAgent.get(agentId)?.uploads.get(uploadId);
    await upload?.writing;
    if (upload?.complete !== true || upload.portable) throw new SessionError('VALIDATION', 'the upload is not complete or was dropped: send it again');
    upload.usedAtMs = this.#deps.clock.monotonicMs();
    return readFile(upload.file);
  }

  /** A portable upload, open for as long as `use` lasts; it is gone afterwards. @throws VALIDATION when there is none, or it is not complete */
  async take<T>(agentId: string, uploadId: string, use: (file: FileHandle, bytes: number) => Promise<T>): Promise<T> {
    const uploads = this.#byAgent.get(agentId)?.uploads;
    const upload = uploads?.get(uploadId);
    await upload?.writing;
    if (upload?.complete !== true || !upload.portable) throw new SessionError('VALIDATION', 'the upload is not complete or was dropped: send it again');
    const file = await open(upload.file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await use(file, upload.bytes);
    } finally {
      await file.close();
      uploads?.delete(uploadId);
      await rm(upload.file, { force: true });
    }
  }

  /** Forgets the uploads of an agent and removes their files. */
  async drop(agentId: string): Promise<void> {
    this.#byAgent.delete(agentId);
    await rm(this.#deps.directory(agentId), { recursive: true, force: true });
  }

  /** A piece out of the middle begins nothing: it would take a place that nobody fills. */
  async #begun(agentId: string, { uploadId, index, portable = false }: Chunk): Promise<Upload> {
    const { uploads, ready } = this.#ofAgent(agentId);
    await ready;
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [id, { file, usedAtMs }] of uploads) {
      if (id === uploadId || nowMs - usedAtMs < UPLOAD_IDLE_MS) continue;
      uploads.delete(id);
      await rm(file, { force: true });
    }
    const present = uploads.get(uploadId);
    if (present !== undefined) return present;
    if (index > 0) throw gap(index, 0);
    if (uploads.size >= UPLOADS_MAX) throw new SessionError('OVERLOADED', `an agent has at most ${String(UPLOADS_MAX)} uploads at a time`, { retryAfterMs: UPLOAD_IDLE_MS });
    if (portable && [...uploads.values()].filter((other) => other.portable).length >= PORTABLE_UPLOADS_MAX) {
      throw new SessionError('OVERLOADED', 'another import into this agent is under way; one that broke off is forgotten after ten minutes', { retryAfterMs: UPLOAD_IDLE_MS });
    }
    const file = path.join(this.#deps.directory(agentId), uploadId);
    const upload: Upload = { file, bytes: 0, pieces: 0, complete: false, portable, usedAtMs: nowMs, writing: Promise.resolve() };
    uploads.set(uploadId, upload);
    return upload;
  }

  #ofAgent(agentId: string): AgentUploads {
    const known = this.#byAgent.get(agentId);
    if (known !== undefined) return known;
    const begun = { uploads: new Map<string, Upload>(), ready: rm(this.#deps.directory(agentId), { recursive: true, force: true }) };
    this.#byAgent.set(agentId, begun);
    return begun;
  }

  async #add(agentId: string, upload: Upload, { index, data, last, sha256 }: Chunk): Promise<number> {
    upload.usedAtMs = this.#deps.clock.monotonicMs();
    if (index < upload.pieces) return upload.bytes;
    if (index > upload.pieces || upload.complete) throw gap(index, upload.pieces);
    const bytesMax = upload.portable ? PORTABLE_BYTES_MAX : UPLOAD_BYTES_MAX;
    if (upload.bytes + data.length > bytesMax) throw tooLarge('the upload', upload.bytes + data.length, bytesMax);
    await tellingOfDisk('the upload', async () => {
      await mkdir(this.#deps.directory(agentId), { recursive: true, mode: DIRECTORY_MODE });
      const handle = await open(upload.file, upload.pieces === 0 ? 'w' : 'r+', FILE_MODE);
      try {
        await writeBehind(handle, data, upload.bytes);
      } finally {
        await handle.close();
      }
    });
    upload.pieces += 1;
    upload.bytes += data.length;
    if (last && upload.portable) upload.complete = true;
    else if (last) await this.#complete(agentId, upload, sha256);
    return upload.bytes;
  }

  async #complete(agentId: string, upload: Upload, sha256: string | undefined): Promise<void> {
    if (sha256 !== undefined && createHash('sha256').update(await readFile(upload.file)).digest('hex') !== sha256.toLowerCase()) {
      this.#byAgent.get(agentId)?.uploads.delete(path.basename(upload.file));
      await rm(upload.file, { force: true });
      throw new SessionError('VALIDATION', 'the upload does not have the hash that was announced: send it again');
    }
    upload.complete = true;
  }
}

/** The whole piece, in place of what a try of it that failed left there. A full disk takes a part of it before it refuses. */
async function writeBehind(handle: FileHandle, data: Uint8Array, position: number): Promise<void> {
  await handle.truncate(position);
  for (let at = 0; at < data.length; ) {
    const { bytesWritten } = await handle.write(data, at, data.length - at, position + at);
    if (bytesWritten === 0) throw Object.assign(new Error('the file system accepted no byte'), { code: 'ENOSPC' });
    at += bytesWritten;
  }
}

function gap(index: number, expected: number): SessionError {
  return new SessionError('VALIDATION', 'a piece of the upload is missing', { facts: { index, expected } });
}

function tooLarge(what: string, bytes: number, bytesMax: number): SessionError {
  return new SessionError('TOO_LARGE', `${what} has ${String(bytes)} bytes, more than ${String(bytesMax)}`, { facts: { bytes, bytesMax } });
}
