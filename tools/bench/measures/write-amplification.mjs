/**
 * Bytes that the whole process hands to `write`, per byte of message: journal, transcripts, index and
 * checkpoints, until everything derived is up to date. Counted once the journal has its segments: they
 * are filled with zeros in the first seconds of a writer's life and used again from then on.
 */
import { readFileSync } from 'node:fs';
import { open } from '../context.mjs';
import { MESSAGE_BYTES, appendMessage, newSessions } from '../load.mjs';
import { valueOf } from '../results.mjs';

export const name = 'write-amplification';
export const rows = [{ what: 'bytes handed to `write` per message byte (64 sessions, 1 KB, until closed)', against: '–', floor: 4, goal: 2.5 }];

const ROUNDS = 3;
const SESSIONS = 64;

const writtenBytes = () => Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);

export async function run({ quick, sizes, served }) {
  const { sessionsFile } = await served(sizes.smallEntries);
  const calls = quick ? 100 : 1000;
  const samples = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const store = await open(sessionsFile);
    const sessions = newSessions(SESSIONS);
    const append = (count) =>
      Promise.all(
        sessions.map(async (session) => {
          for (let call = 0; call < count; call += 1) await store.mutate(appendMessage(session));
        }),
      );
    // As long as what is counted: an interval between two checkpoints can take all of it.
    await append(calls);
    await store.checkpoint();
    const before = writtenBytes();
    await append(calls);
    await store.close();
    samples.push((writtenBytes() - before) / (SESSIONS * calls * MESSAGE_BYTES));
  }
  return [valueOf(samples)];
}
