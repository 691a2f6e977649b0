/**
 * Writes a new transcript where no reader looks, `.store/staged-<epoch>-<uuid>.jsonl`: complete, synced
 * and counted before a journal record names it. One that no record names is removed at the next start.
 * Memory: one chunk, and the longest line while it is counted.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import * as path from 'node:path';
import { believeSync } from '../files/believe-sync';
import type { FileSystem } from '../files/file-system';
import type { ByteSource } from '../transcript/byte-source';
import { TranscriptScanner } from '../transcript/scan-transcript';
import type { StagedTranscript } from '../types';

const STAGED_NAME = /^staged-\d+-[0-9a-f-]{36}\.jsonl$/;
const FILE_MODE = 0o600;
const COPY_CHUNK_BYTES = 1024 * 1024;
/** Written lines gather to this. */
const GATHER_BYTES = 256 * 1024;

/** Bytes of another file, copied as they stand, or one line with its newline. */
export type Piece =
  | { readonly source: ByteSource; readonly offset: number; readonly bytes: number }
  | { readonly text: string };

export function isStagedName(name: string): boolean {
  return STAGED_NAME.test(name);
}

export interface StageOptions {
  readonly fs: FileSystem;
  readonly ownDir: string;
  readonly epoch: number;
  readonly pieces: AsyncIterable<Piece> | Iterable<Piece>;
}

/** @throws what a read or write throws; nothing is left then. */
export async function stageTranscript({ fs, ownDir, epoch, pieces }: StageOptions): Promise<StagedTranscript> {
  const name = `staged-${epoch}-${randomUUID()}.jsonl`;
  const file = path.join(ownDir, name);
  const fd = await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, FILE_MODE);
  try {
    const writer = new StageWriter(fs, fd);
    try {
      for await (const piece of pieces) {
        if ('text' in piece) await writer.write(Buffer.from(piece.text));
        else await copy(piece, writer);
      }
      await writer.flush();
      await believeSync(file, fs.fsync(fd));
    } finally {
      await fs.close(fd);
    }
    await believeSync(ownDir, fs.syncDirectory(ownDir));
    return { name, ...writer.end() };
  } catch (error) {
    await fs.unlink(file).catch(() => undefined);
    throw error;
  }
}

async function copy({ source, offset, bytes }: Extract<Piece, { bytes: number }>, writer: StageWriter): Promise<void> {
  for (let done = 0; done < bytes; ) {
    const chunk = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, bytes - done));
    const { bytesRead } = await source.read(chunk, 0, chunk.length, offset + done);
    if (bytesRead === 0) throw new Error(`a transcript ends at byte ${offset + done} while it is copied`);
    await writer.write(chunk.subarray(0, bytesRead));
    done += bytesRead;
  }
}

class StageWriter {
  readonly #fs: FileSystem;
  readonly #fd: number;
  readonly #scanner = new TranscriptScanner();
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #position = 0;

  constructor(fs: FileSystem, fd: number) {
    this.#fs = fs;
    this.#fd = fd;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#scanner.push(bytes);
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= GATHER_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const buffers = this.#gathered;
    this.#gathered = [];
    await this.#fs.writeAll(this.#fd, buffers, this.#position);
    this.#position += this.#gatheredBytes;
    this.#gatheredBytes = 0;
  }

  end(): Omit<StagedTranscript, 'name'> {
    const { bytes, lines, kind, leafId, messageCount, userAssistantCount, tornTailBytes } = this.#scanner.end();
    const torn = tornTailBytes > 0 ? { tornBytes: tornTailBytes } : {};
    return { bytes, lines, tail: { kind, leafId, messages: messageCount, exchanges: userAssistantCount, bytes, ...torn } };
  }
}
