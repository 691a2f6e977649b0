/**
 * Files of spawns that no sub-agent owns yet: one note each, `.store/spawns/<uuid>`, with the key that the
 * sub-agent will have. It is on disk before the files are and goes when the sub-agent's entry names them,
 * so what a spawn left behind that was cut off in between is known for certain: ours, and nobody's.
 */
import { readFile, readdir, unlink } from 'node:fs/promises';
import * as path from 'node:path';
import { isJsonObject, isUuid, type JsonValue } from '@sessions/domain';
import { writeWholeFile } from './whole-file';

/** Longer than the call that spawns can live, with all that retries it; milliseconds. */
export const UNCLAIMED_MS = 60 * 60_000;

export interface SpawnNote {
  /** UUID that the files are named by. */
  readonly id: string;
  readonly childKey: string;
  /** When the files were last written or asked for, milliseconds. */
  readonly atMs: number;
}

export class SpawnNotes {
  readonly #dir: string;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param ownDir the engine's directory of the store. */
  constructor(ownDir: string) {
    this.#dir = path.join(ownDir, 'spawns');
  }

  /** One after the other: files are not removed while the same are written again. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Resolves when the note is on disk. */
  write({ id, childKey, atMs }: SpawnNote): Promise<void> {
    return writeWholeFile(this.#dir, id, JSON.stringify({ childKey, atMs }));
  }

  /** The files are a sub-agent's now, or are gone. */
  async remove(id: string): Promise<void> {
    if (!isUuid(id)) return;
    await unlink(path.join(this.#dir, id)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** Those that are older than `UNCLAIMED_MS`; one that cannot be read is passed over and stays. */
  async due(nowMs: number): Promise<readonly SpawnNote[]> {
    const names = await readdir(this.#dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const notes: SpawnNote[] = [];
    for (const id of names.filter((name) => isUuid(name))) {
      const note = readNote(id, await readFile(path.join(this.#dir, id), 'utf8').catch(() => ''));
      if (note !== undefined && nowMs - note.atMs >= UNCLAIMED_MS) notes.push(note);
    }
    return notes;
  }
}

function readNote(id: string, text: string): SpawnNote | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value['childKey'] !== 'string' || typeof value['atMs'] !== 'number') return undefined;
  return { id, childKey: value['childKey'], atMs: value['atMs'] };
}
