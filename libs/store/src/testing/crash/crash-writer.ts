/**
 * A process that works on a store until it is killed: opens it, runs a seeded workload, closes it,
 * and records every call in a history file. Its one argument is a CrashWriterConfig as JSON.
 *
 * With `waitAt` it prints `ready` and blocks until a byte comes in on its standard input, so that a
 * tracer can be attached before the interesting system calls.
 */
import * as fs from 'node:fs';
import type { AgentStore } from '../../agent-store';
import { openStore } from '../../open-store';
import { SessionError } from '@sessions/domain';
import { HistoryFile, readHistory, type OperationKind } from './history';
import { Workload } from './workload';

export interface CrashWriterConfig {
  readonly sessionsFile: string;
  readonly historyFile: string;
  readonly seed: number;
  readonly run: number;
  readonly operations: number;
  readonly checkpointDelayMs: number;
  /** `open`: before the store is opened; `work`: after it, with some mutations done. */
  readonly waitAt?: 'open' | 'work';
  /** Mutations before waiting at `work`. */
  readonly warmUpOperations?: number;
  /** Kinds of the first operations, so that what a test is about is sure to come. */
  readonly first?: readonly OperationKind[];
  /** Kind of all operations behind those; absent: drawn. */
  readonly rest?: OperationKind;
  /** false: the workload asks for no checkpoint of its own. */
  readonly checkpoints?: boolean;
  /** The clock of the store and of its callers goes forth and back by this much, call by call; absent: it runs. */
  readonly clockJumpMs?: number;
  /** After a failure the store is opened again this often, as its holder would do. */
  readonly reopensMax?: number;
}

export const EXIT_FENCED = 4;
export const EXIT_LOCKED = 5;
export const EXIT_FAILED = 6;
const REOPEN_PAUSE_MS = 60;
/** Tells the parent where the process stands. */
const READY = 'ready\n';

async function main(config: CrashWriterConfig): Promise<number> {
  const history = new HistoryFile(config.historyFile);
  const { run } = config;
  if (config.waitAt === 'open') waitForParent();
  const nowMs = jumpingClock(config.clockJumpMs ?? 0);
  let work = config.operations;
  for (let attempt = 0; ; attempt += 1) {
    let store: AgentStore;
    try {
      history.write({ t: 'opening', run, pid: process.pid });
      store = await openStore({
        agentId: 'main',
        sessionsFile: config.sessionsFile,
        instance: `crash-writer-${run}`,
        transport: 'standalone',
        clock: { nowMs },
        checkpointDelayMs: config.checkpointDelayMs,
      });
    } catch (error) {
      const reason = error instanceof SessionError ? error.reason : String(error);
      history.write({ t: 'failed', run, reason: `open: ${reason}` });
      if (reason === 'SESSION_LOCKED') {
        process.stdout.write(`locked by ${String((error as SessionError).facts['pid'])}\n`);
        return EXIT_LOCKED;
      }
      if (attempt >= (config.reopensMax ?? 0)) return EXIT_FAILED;
      await pause(REOPEN_PAUSE_MS);
      continue;
    }
    const info = await store.info();
    history.write({ t: 'opened', run, pid: process.pid, epoch: store.epoch, seq: info.seq, notices: info.notices.map((notice) => `${notice.kind}: ${notice.message}`) });
    const parts = { store, history, seed: config.seed, run, nowMs, checkpoints: config.checkpoints ?? true };
    if (config.waitAt === 'work' && attempt === 0) {
      await new Workload({ ...parts, past: readHistory(config.historyFile), operations: config.warmUpOperations ?? 0 }).run();
      waitForParent();
    }
    await new Workload({ ...parts, seed: config.seed + 1 + attempt, past: readHistory(config.historyFile), operations: work, first: config.first ?? [], rest: config.rest }).run();
    const failure = store.failure;
    await store.close().catch((error: unknown) => {
      history.write({ t: 'failed', run, reason: `close: ${error instanceof SessionError ? error.reason : String(error)}` });
    });
    if (failure === undefined) {
      history.write({ t: 'closed', run });
      return 0;
    }
    history.write({ t: 'failed', run, reason: failure.reason });
    if (failure.reason === 'EPOCH_SUPERSEDED') return EXIT_FENCED;
    if (attempt >= (config.reopensMax ?? 0)) return EXIT_FAILED;
    work = Math.ceil(config.operations / 2);
    await pause(REOPEN_PAUSE_MS);
  }
}

/** Right, ahead, right, behind, right …: every reading differs from its neighbours by the jump. */
function jumpingClock(jumpMs: number): () => number {
  let readings = 0;
  return () => {
    readings += 1;
    return Date.now() + ([0, jumpMs, 0, -jumpMs][readings % 4] ?? 0);
  };
}

function waitForParent(): void {
  fs.writeSync(1, READY);
  fs.readSync(0, Buffer.alloc(1), 0, 1, null);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (require.main === module) {
  void main(JSON.parse(process.argv[2] ?? '{}') as CrashWriterConfig).then((code) => process.exit(code));
}
