/** A temporary directory for one crash test: the store, and beside it the history of what was asked. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { checkStore } from './check-history';
import type { Violation } from './check-transcripts';
import type { CrashWriterConfig } from './crash-writer';

const MEMORY_DISK = '/dev/shm';
const MEMORY_BYTES_MIN = 512 * 1024 * 1024;

/** A dead process loses nothing that it handed to the kernel, so a disk in memory serves as well and is fast. */
function roomInMemory(): string | undefined {
  if (!fs.existsSync(MEMORY_DISK)) return undefined;
  const { bavail, bsize } = fs.statfsSync(MEMORY_DISK);
  return bavail * bsize >= MEMORY_BYTES_MIN ? MEMORY_DISK : undefined;
}

export class WorkPlace {
  readonly root: string;
  readonly sessionsFile: string;
  readonly historyFile: string;
  readonly #seenLines = new Set<string>();
  #runs = 0;

  /** @param storeRoot where the store's directory is made; absent: beside the history. */
  constructor(name: string, storeRoot?: string) {
    this.root = fs.mkdtempSync(path.join(roomInMemory() ?? tmpdir(), `store-${name}-`));
    const dir = path.join(storeRoot ?? this.root, 'sessions');
    fs.mkdirSync(dir, { recursive: true });
    this.sessionsFile = path.join(dir, 'sessions.json');
    this.historyFile = path.join(this.root, 'history.jsonl');
  }

  get dir(): string {
    return path.dirname(this.sessionsFile);
  }

  get ownDir(): string {
    return path.join(this.dir, '.store');
  }

  /** Configuration of the next writer. */
  config(more: Partial<CrashWriterConfig> & { readonly seed: number; readonly operations: number }): CrashWriterConfig {
    this.#runs += 1;
    return { sessionsFile: this.sessionsFile, historyFile: this.historyFile, run: this.#runs, checkpointDelayMs: 20, ...more };
  }

  /** Recovers the store and checks every invariant. */
  check(options: { readonly twice?: boolean; readonly damaged?: boolean; readonly afterTakeOver?: boolean } = {}): Promise<Violation[]> {
    this.#runs += 1;
    return checkStore({ sessionsFile: this.sessionsFile, historyFile: this.historyFile, run: this.#runs, seenLines: this.#seenLines, ...options });
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** One line a violation, for the message of a failing test. */
export function listed(violations: readonly Violation[]): string {
  return violations.map(({ invariant, message }) => `${invariant}: ${message}`).join('\n');
}

/** Prints why a part of the suite does not run here. */
export function sayWhyNot(suite: string, why: string): void {
  process.stdout.write(`\n${suite} does not run here: ${why}\n`);
}
