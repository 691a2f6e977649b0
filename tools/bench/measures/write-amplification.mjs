/** Bytes that the whole process hands to `write`, per byte of message: journal, transcripts, index, checkpoints. */
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
  const calls = quick ? 100 : 400;
  const samples = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = writtenBytes();
    const store = await open(sessionsFile);
    await Promise.all(
      newSessions(SESSIONS).map(async (session) => {
        for (let call = 0; call < calls; call += 1) await store.mutate(appendMessage(session));
      }),
    );
    await store.close();
    samples.push((writtenBytes() - before) / (SESSIONS * calls * MESSAGE_BYTES));
  }
  return [valueOf(samples)];
}
