/**
 * The longest time that the event loop of a writer stands still: appends, patches, lists and history
 * of a large store, two checkpoints, and the disk under it frozen for a second. The store lies on a
 * loop-mounted file system of its own, which needs root; without it the disk is left alone.
 */
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { LoopDisk } from '../loop-disk.mjs';
import { valueOf } from '../results.mjs';
import { startRole } from '../sampling.mjs';
import { summarise } from '../statistics.mjs';
import { spreadKeys } from '../store-keys.mjs';

export const name = 'event-loop';
export const rows = [
  {
    what: 'longest stall of the event loop (ms): mixed load on the large store, checkpoints, disk frozen 1 s',
    against: '– (reference: an idle process beside it)',
    floor: 50,
    goal: 20,
  },
];

const ROUNDS = 3;
const FREEZE_MS = 1000;
/** Into the second checkpoint. */
const FREEZE_AFTER_MS = 200;
/** Twice the store, its index and a checkpoint, and room for the journal. */
const DISK_FACTOR = 5;
const DISK_SPARE_BYTES = 512 * 1024 * 1024;

async function mixedLoad(sessionsFile, keys, ms, disk) {
  const bystander = startRole('bystander', { ms });
  const writer = startRole('mixed-load', { sessionsFile, keys, ms });
  await writer.next();
  if (disk !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, FREEZE_AFTER_MS));
    await disk.freeze(FREEZE_MS);
  }
  const done = await writer.next();
  const idle = await bystander.next();
  await writer.ended;
  return { stallMs: done.longestMs, idleMs: idle.longestMs, counts: done.counts };
}

export async function run({ quick, sizes, scratch, served, notice }) {
  const prepared = await served(sizes.largeEntries);
  const disk = LoopDisk.whyNot() === undefined ? LoopDisk.mount(scratch, prepared.bytes * DISK_FACTOR + DISK_SPARE_BYTES) : undefined;
  if (disk === undefined) notice(`event-loop: no disk was frozen: ${LoopDisk.whyNot()}`);
  try {
    const stateDir = path.join(disk?.directory ?? scratch, 'state');
    mkdirSync(stateDir);
    cpSync(prepared.stateDir, stateDir, { recursive: true });
    const sessionsFile = path.join(stateDir, path.relative(prepared.stateDir, prepared.sessionsFile));
    const keys = spreadKeys(sizes.largeEntries, 2000);
    const runs = [];
    for (let round = 0; round < ROUNDS; round += 1) runs.push(await mixedLoad(sessionsFile, keys, quick ? 4000 : 8000, disk));
    const idle = summarise(runs.map((one) => one.idleMs));
    const counts = runs.map(({ counts: { append, patch, list, history } }) => `${append}+${patch}+${list}+${history}`);
    return [{ ...valueOf(runs.map((one) => one.stallMs), `appends+patches+lists+histories: ${counts.join(', ')}`), reference: idle, unit: 'ms', referenceIsLimit: true }];
  } finally {
    disk?.unmount();
  }
}
