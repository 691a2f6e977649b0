/**
 * Sixty-four sessions at once on a disk whose syncs take 5 ms, against one session on the
 * same disk: the gain of sharing syncs, and whether all sessions have their share of it.
 */
import { nodeFileSystem } from '@sessions/store/testing';
import { NO_CHECKPOINTS_MS, open } from '../context.mjs';
import { appendMessage, newSessions } from '../load.mjs';
import { ratioTo, valueOf } from '../results.mjs';
import { inTurn } from '../sampling.mjs';
import { quantile } from '../statistics.mjs';

export const name = 'append-throughput';
export const rows = [
  { what: 'append throughput, 64 sessions, each sync taking 5 ms', against: 'one session, same disk', floor: 35, goal: 55 },
  { what: 'the slowest of the 64: appends of the fastest ÷ its own', against: '–', floor: 1.5, goal: 1.1 },
  { what: 'p99 ÷ p50 of an append, 64 sessions', against: '–', floor: 5, goal: 3 },
];

const ROUNDS = 7;
const SYNC_MS = 5;
const SESSIONS = 64;

/**
 * The disk with every synced write, and every sync, taking at least SYNC_MS from its call on: the
 * disk works while the event loop does, so the time does not begin when the loop notices the end.
 */
function slowDisk() {
  const syncedOnWrite = new Set();
  const longer = async (work) => {
    const [result] = await Promise.all([work, new Promise((resolve) => setTimeout(resolve, SYNC_MS))]);
    return result;
  };
  return {
    ...nodeFileSystem,
    async open(file, flags, mode) {
      const fd = await nodeFileSystem.open(file, flags, mode);
      if (/journal/.test(file)) syncedOnWrite.add(fd);
      return fd;
    },
    async close(fd) {
      syncedOnWrite.delete(fd);
      await nodeFileSystem.close(fd);
    },
    writeAll: (fd, buffers, position) => (syncedOnWrite.has(fd) ? longer(nodeFileSystem.writeAll(fd, buffers, position)) : nodeFileSystem.writeAll(fd, buffers, position)),
    fdatasync: (fd) => longer(nodeFileSystem.fdatasync(fd)),
    fsync: (fd) => longer(nodeFileSystem.fsync(fd)),
  };
}

/** Appends to all sessions for a while, each waiting for its own acknowledgement. */
async function appendFor(store, sessions, ms) {
  const times = [];
  const counts = sessions.map(() => 0);
  const startedAt = performance.now();
  await Promise.all(
    sessions.map(async (session, index) => {
      for (let now = startedAt; now - startedAt < ms; ) {
        await store.mutate(appendMessage(session));
        const after = performance.now();
        times.push(after - now);
        counts[index] += 1;
        now = after;
      }
    }),
  );
  return { perSecond: (1000 * times.length) / (performance.now() - startedAt), times, counts };
}

export async function run({ quick, sizes, served }) {
  const { sessionsFile } = await served(sizes.smallEntries);
  const store = await open(sessionsFile, { fileSystem: slowDisk(), checkpointDelayMs: NO_CHECKPOINTS_MS });
  const sessions = newSessions(SESSIONS);
  const ms = quick ? 500 : 2000;
  try {
    const [together, alone] = await inTurn(ROUNDS, [() => appendFor(store, sessions, ms), () => appendFor(store, sessions.slice(0, 1), ms)]);
    return [
      ratioTo(together.map((run) => run.perSecond), alone.map((run) => run.perSecond), 'appends/s'),
      valueOf(together.map(({ counts }) => Math.max(...counts) / Math.min(...counts))),
      valueOf(together.map(({ times }) => quantile(times, 0.99) / quantile(times, 0.5))),
    ];
  } finally {
    await store.close();
  }
}
