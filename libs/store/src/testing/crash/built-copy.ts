/**
 * A private copy of the built library, so that a writer process is not torn from under a test by the
 * next build, and so that a test can plant a bug in it.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

const LIBRARY = path.resolve(__dirname, '../../..');
const WRITER = 'testing/crash/crash-writer.js';

/** One replacement in one built file. */
export interface Plant {
  /** Path below `dist`, e.g. `journal/journal.js`. */
  readonly file: string;
  readonly find: string | RegExp;
  readonly replace: string;
}

export class BuiltCopy {
  readonly dir: string;

  /** @throws when the library is not built, or a plant finds nothing to replace. */
  constructor(plants: readonly Plant[] = []) {
    const dist = path.join(LIBRARY, 'dist');
    if (!fs.existsSync(path.join(dist, WRITER))) throw new Error(`${dist} is not built; run the store's build first`);
    this.dir = fs.mkdtempSync(path.join(tmpdir(), 'store-build-'));
    fs.cpSync(dist, path.join(this.dir, 'dist'), { recursive: true, filter: (file) => !/\.(?:d\.ts|map)$|spec\.js$|tsbuildinfo$/.test(file) });
    fs.symlinkSync(path.resolve(LIBRARY, '../../node_modules'), path.join(this.dir, 'node_modules'));
    for (const plant of plants) this.#plant(plant);
  }

  get writer(): string {
    return path.join(this.dir, 'dist', WRITER);
  }

  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  #plant({ file, find, replace }: Plant): void {
    const full = path.join(this.dir, 'dist', file);
    const before = fs.readFileSync(full, 'utf8');
    const after = before.replace(find, replace);
    if (after === before) throw new Error(`${file} has nothing like ${String(find)} to plant a bug in`);
    fs.writeFileSync(full, after);
  }
}
