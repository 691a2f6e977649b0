/**
 * A test of the tests: a bug is planted in a private build of the library, its occasion is made, and the
 * crash suite's own checker must notice. A checker that has never failed proves nothing.
 *
 * No occasion is left to luck: the planted code dies at its own moment, or the workload is told to do
 * what the bug is about and to keep in the journal what would hide it.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { PrivateBuild, type Plant } from './private-build';
import type { CrashWriterConfig } from './crash-writer';
import { readHistory, type OperationKind } from './history';
import { WorkPlace, listed } from './work-place';
import { WriterProcess } from './writer-process';

const SEED = 20_260_605;
const THREADS = 4;
const POLL_MS = 5;
/** More than any test waits for: the writer works until it is killed. */
const ENDLESS_OPERATIONS = 100_000;
/** Enough that each of the workload's few sessions gets some. */
const OLD_SENDS = 24;

export interface PlantedBug {
  readonly invariant: string;
  /** "… is found broken by a store that <name>". */
  readonly name: string;
  /** Another invariant that shows the same fault, whichever the checker meets first. */
  readonly orFoundAs?: string;
  readonly plants: readonly Plant[];
  /** What happens to the store while the bug is at work. @param sound the library without it. */
  readonly scenario: (build: PrivateBuild, place: WorkPlace, sound: PrivateBuild) => Promise<void>;
}

/** Statement of planted code that ends the process. */
export const DIE = "require('../testing/crash/planted-moment').dieNow();";
export const DIE_AT_THE_TOP = DIE.replace('../', './');

/** What a run is told besides its seed. */
export type Told = Partial<Pick<CrashWriterConfig, 'operations' | 'first' | 'rest' | 'checkpoints' | 'checkpointDelayMs'>>;

/** Nothing leaves the journal in this run. */
export const JOURNAL_KEPT: Told = { checkpoints: false, checkpointDelayMs: 600_000 };

export function times(count: number, kind: OperationKind): OperationKind[] {
  return Array.from({ length: count }, () => kind);
}

/** @returns the invariants that the checker finds broken. */
export async function invariantsBrokenBy(bug: PlantedBug, sound: PrivateBuild): Promise<string[]> {
  const build = await PrivateBuild.make(bug.plants);
  const place = new WorkPlace('planted');
  try {
    await bug.scenario(build, place, sound);
    const violations = await place.check().catch((error: unknown) => [{ invariant: 'open', message: String(error) }]);
    return violations.map((violation) => violation.invariant);
  } finally {
    place.remove();
    build.remove();
  }
}

/** A run to its end; to that which the planted code makes, where it dies by itself. */
export async function finished(build: PrivateBuild, place: WorkPlace, told: Told = {}): Promise<void> {
  await new WriterProcess(build, place.config({ seed: SEED, operations: 80, ...told }), THREADS).end;
}

/** A run that is killed when some operations are acknowledged and some transcript is there; the journal keeps all of it. */
export async function killed(build: PrivateBuild, place: WorkPlace): Promise<void> {
  const config = place.config({ seed: SEED, operations: ENDLESS_OPERATIONS, ...JOURNAL_KEPT, first: times(8, 'send') });
  const writer = new WriterProcess(build, config, THREADS);
  await untilSo(writer, () => countAcknowledged(place, config.run) >= 30 && transcriptsOf(place).length > 0);
  writer.kill();
  await writer.end;
}

/** The planted library recovers, and works no further. */
export async function recovered(build: PrivateBuild, place: WorkPlace): Promise<void> {
  await finished(build, place, { operations: 0 });
}

/** Sessions with transcripts of which the journal holds nothing any more, made by the sound library. */
export async function madeLongAgo(sound: PrivateBuild, place: WorkPlace): Promise<void> {
  await finished(sound, place, { operations: OLD_SENDS, first: times(OLD_SENDS, 'send') });
  // A segment of the journal stays until another is begun.
  await finished(sound, place, { operations: 8, first: times(8, 'patch') });
  const violations = listed(await place.check());
  if (violations !== '') throw new Error(`the sound library has left a store with violations: ${violations}`);
}

/** A first owner is stopped, a second takes the store, the first wakes up and is given time to do harm. */
export async function takenOver(build: PrivateBuild, place: WorkPlace): Promise<void> {
  // Patches go to the journal alone: a transcript has a lock of its own, which would refuse in the fence's place.
  const told = { operations: ENDLESS_OPERATIONS, ...JOURNAL_KEPT, first: times(12, 'send'), rest: 'patch' } as const;
  const config = place.config({ seed: SEED, ...told });
  const first = new WriterProcess(build, config, THREADS);
  await acknowledged(place, config.run, 40, first);
  first.kill('SIGSTOP');
  // The lock of the operating system belongs to a file: without it the second finds nobody there.
  fs.unlinkSync(path.join(place.ownDir, 'owner.lock'));
  const later = place.config({ seed: SEED + 1, ...told, first: [] });
  const second = new WriterProcess(build, later, THREADS);
  try {
    await acknowledged(place, later.run, 20, second);
    const before = countAcknowledged(place, config.run);
    first.kill('SIGCONT');
    await acknowledged(place, config.run, before + 20, first);
  } finally {
    first.kill();
    second.kill();
    await Promise.all([first.end, second.end]);
  }
}

/** Resolves when a run has so many acknowledgements, or its writer is gone. */
export function acknowledged(place: WorkPlace, run: number, wanted: number, writer: WriterProcess): Promise<void> {
  return untilSo(writer, () => countAcknowledged(place, run) >= wanted);
}

export function transcriptsOf(place: WorkPlace): string[] {
  return fs.readdirSync(place.dir).filter((name) => name.endsWith('.jsonl')).map((name) => path.join(place.dir, name));
}

async function untilSo(writer: WriterProcess, isSo: () => boolean): Promise<void> {
  let isOver = false;
  void writer.end.then(() => (isOver = true));
  while (!isOver && !isSo()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function countAcknowledged(place: WorkPlace, run: number): number {
  return readHistory(place.historyFile).filter((record) => record.t === 'ok' && record.run === run).length;
}
