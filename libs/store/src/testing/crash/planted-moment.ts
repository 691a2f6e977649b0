/**
 * Called by code that a test has planted in a copy of the library: the process dies at the one moment
 * that the planted bug is about, so that finding it is no matter of luck.
 */
import { readHistory } from './history';
import type { CrashWriterConfig } from './crash-writer';

/** Kills this process; nothing of it runs any more. */
export function dieNow(): never {
  process.kill(process.pid, 'SIGKILL');
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Kills this process once its history says that these mutations were acknowledged. */
export async function dieOnceAcknowledged(seqs: readonly number[]): Promise<never> {
  const { historyFile, run } = JSON.parse(process.argv[2] ?? '{}') as CrashWriterConfig;
  for (;;) {
    const acknowledged = new Set(readHistory(historyFile).flatMap((record) => (record.t === 'ok' && record.run === run ? [record.seq] : [])));
    if (seqs.every((seq) => acknowledged.has(seq))) dieNow();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
