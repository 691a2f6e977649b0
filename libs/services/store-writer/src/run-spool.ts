/**
 * Texts that are too long for an entry: messages that wait for their turn, answers on their way out.
 * One file each, `.store/runs/<sha256>`, a line that names the session and the text, written and synced
 * before the mutation that names it and never changed. What a mutation that did not come about left behind, and what nobody names any
 * more, is removed when it is two days old.
 */
import { readFile, readdir, stat, unlink } from 'node:fs/promises';
import * as path from 'node:path';
import { SpoolUnread, SpoolUnwritten, SpoolView } from './decisions/spool-view';
import { writeWholeFile } from './whole-file';

/** Answers of ended runs are asked for this long at least, and twice as long they stay. */
const KEPT_MS = 2 * 24 * 60 * 60_000;
/** Files that one request writes and reads. */
const FILES_MAX = 1_000;
const NAME = /^[0-9a-f]{64}$/;

export class RunSpool {
  readonly #dir: string;

  /** @param ownDir the engine's directory of the store. */
  constructor(ownDir: string) {
    this.#dir = path.join(ownDir, 'runs');
  }

  /** Resolves when the text is on disk under its name. */
  write(name: string, text: string): Promise<void> {
    return writeWholeFile(this.#dir, name, text);
  }

  /** The text alone; undefined: there is no such file. */
  async read(name: string): Promise<string | undefined> {
    if (!NAME.test(name)) return undefined;
    try {
      const whole = await readFile(path.join(this.#dir, name), 'utf8');
      return whole.slice(whole.indexOf('\n') + 1);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Removes what is old and not among `named`. */
  async sweep(named: ReadonlySet<string>, nowMs: number): Promise<void> {
    let names: string[];
    try {
      names = await readdir(this.#dir);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const name of names) {
      const file = path.join(this.#dir, name);
      if (named.has(name) || nowMs - (await stat(file)).mtimeMs < KEPT_MS) continue;
      await unlink(file);
    }
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Has something decided until every long text that it needs is written or read. */
export async function withSpool<T>(spool: RunSpool, work: (view: SpoolView) => Promise<T>): Promise<T> {
  const view = new SpoolView();
  for (let files = 0; ; files += 1) {
    try {
      return await work(view);
    } catch (error) {
      if (files >= FILES_MAX) throw error;
      if (error instanceof SpoolUnwritten) {
        await spool.write(error.file, error.text);
        view.noteWritten(error.file);
      } else if (error instanceof SpoolUnread) view.noteRead(error.file, await spool.read(error.file));
      else throw error;
    }
  }
}
