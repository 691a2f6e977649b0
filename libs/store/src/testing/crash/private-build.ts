/**
 * The library and the crash writer bundled into a directory of their own, from the sources: a process
 * starts in a third of the time that single modules take, no later build is torn from under it, and a
 * test can plant a bug in it.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Plugin } from 'esbuild';

const SOURCES = path.resolve(__dirname, '../..');
const LIBRARIES = path.resolve(SOURCES, '../..') + path.sep;
const NODE_MODULES = path.resolve(SOURCES, '../../../node_modules');
/** What a store's process consists of: its main program (one that writes, one that erases), and the threads that an opened store starts. */
const ENTRY_POINTS = { 'crash-writer': 'testing/crash/crash-writer.ts', 'erase-writer': 'testing/crash/erase-writer.ts', 'index-worker': 'index-worker.ts', 'value-parser': 'value-parser.ts' } as const;

/** One replacement in one source file. */
export interface Plant {
  /** Path below `src`, e.g. `journal/journal.ts`. */
  readonly file: string;
  readonly find: string | RegExp;
  readonly replace: string;
}

export class PrivateBuild {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** @throws when a plant finds nothing to replace, or in a file that is not part of the writer. */
  static async make(plants: readonly Plant[] = []): Promise<PrivateBuild> {
    const { build } = await import('esbuild');
    const made = new PrivateBuild(fs.mkdtempSync(path.join(tmpdir(), 'store-build-')));
    try {
      const planted = new Set<Plant>();
      await build({
        entryPoints: Object.fromEntries(Object.entries(ENTRY_POINTS).map(([name, file]) => [name, path.join(SOURCES, file)])),
        outdir: made.dir,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        conditions: ['@sessions/source'],
        external: ['better-sqlite3', 'esbuild'],
        plugins: [onlyWhatIsUsed(), withPlants(plants, planted)],
        logLevel: 'silent',
      });
      for (const plant of plants) if (!planted.has(plant)) throw new Error(`the crash writer does not use ${plant.file}, where a bug was to be planted`);
      fs.symlinkSync(NODE_MODULES, path.join(made.dir, 'node_modules'));
      return made;
    } catch (error) {
      made.remove();
      throw error;
    }
  }

  get writer(): string {
    return path.join(this.dir, 'crash-writer.js');
  }

  get eraser(): string {
    return path.join(this.dir, 'erase-writer.js');
  }

  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The libraries do nothing when they are loaded, so what the writer does not use is left out of it. */
function onlyWhatIsUsed(): Plugin {
  return {
    name: 'only-what-is-used',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^(?:@sessions\/|\.)/ }, async ({ path: wanted, pluginData, ...args }) => {
        if (pluginData === 'resolving' || !(wanted.startsWith('@sessions/') || args.importer.startsWith(LIBRARIES))) return undefined;
        return { ...(await resolve(wanted, { ...args, pluginData: 'resolving' })), sideEffects: false };
      });
    },
  };
}

function withPlants(plants: readonly Plant[], planted: Set<Plant>): Plugin {
  return {
    name: 'with-plants',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
        const own = plants.filter((plant) => path.join(SOURCES, plant.file) === file);
        if (own.length === 0) return undefined;
        let contents = fs.readFileSync(file, 'utf8');
        for (const plant of own) {
          const before = contents;
          contents = before.replace(plant.find, plant.replace);
          if (contents === before) throw new Error(`${plant.file} has nothing like ${String(plant.find)} to plant a bug in`);
          planted.add(plant);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}
