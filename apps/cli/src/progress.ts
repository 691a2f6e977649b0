/** Says on stderr that a command is still at work, each second; quick work says nothing. */
import type { CliIo } from './cli-io';

const EVERY_MS = 1000;

export async function whileWorking<T>(io: CliIo, what: string, work: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  const timer = setInterval(() => io.err(`${what}: ${Math.round((performance.now() - beganMs) / EVERY_MS)} s\n`), EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
