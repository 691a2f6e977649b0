/**
 * A test of the tests: for each invariant a bug is planted in a copy of the built library, and the
 * crash suite's own writer and checker must notice it. A checker that has never failed proves nothing.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { BuiltCopy, type Plant } from './testing/crash/built-copy';
import { readHistory } from './testing/crash/history';
import { LoopDisk, whyNoLoopDisk } from './testing/crash/loop-disk';
import { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const SEED = 20_260_605;
const TIMEOUT_MS = 120_000;
const POLL_MS = 2;
const CUTS_MAX = 4;
const ATTEMPTS_MAX = 4;

interface PlantedBug {
  readonly invariant: string;
  readonly name: string;
  /** Another invariant that shows the same fault, whichever the checker meets first. */
  readonly orFoundAs?: string;
  readonly plants: readonly Plant[];
  /** What happens to the store while the bug is at work. */
  readonly scenario: (build: BuiltCopy, place: WorkPlace) => Promise<void>;
}

const BUGS: readonly PlantedBug[] = [
  {
    invariant: 'I1',
    name: 'acknowledges before the journal is written',
    plants: [
      {
        file: 'journal/journal.js',
        find: 'await this.#options.fs.writeAll(segment.fd, buffers, segment.position);',
        replace: 'for (const queued of group) queued.resolve(); await new Promise((r) => setTimeout(r, 200)); await this.#options.fs.writeAll(segment.fd, buffers, segment.position);',
      },
    ],
    scenario: killed,
  },
  {
    invariant: 'I1',
    name: 'ignores idempotency keys',
    plants: [{ file: 'agent-store.js', find: 'const repeat = this.#repeated(mutation);', replace: 'const repeat = undefined;' }],
    scenario: killedAndGoingOn,
  },
  {
    invariant: 'I2',
    name: 'leaves an unfinished line in a transcript',
    orFoundAs: 'I6',
    plants: [{ file: 'recovery.js', find: /async function cutTornTail\([^)]*\) \{/, replace: '$& return false;' }],
    scenario: async (build, place) => {
      await killed(build, place);
      for (const file of transcriptsOf(place)) fs.appendFileSync(file, '{"type":"message","id":"');
      await recovered(build, place);
    },
  },
  {
    invariant: 'I3',
    name: 'names the parent of the line before the last',
    plants: [{ file: 'transcript/transcript-files.js', find: 'transcript.tail = { ...next, bytes: offset + bytes };', replace: 'transcript.tail = { ...next, leafId: transcript.tail.leafId ?? next.leafId, bytes: offset + bytes };' }],
    scenario: finished,
  },
  {
    invariant: 'I4',
    name: 'trusts the length of a transcript in replay',
    plants: [
      { file: 'recovery.js', find: 'return found.equals(bytes);', replace: 'return true;' },
      { file: 'recovery.js', find: 'isThere && !options.rewriteAll', replace: 'isThere' },
    ],
    scenario: async (build, place) => {
      await killed(build, place);
      for (const file of transcriptsOf(place)) {
        const size = fs.statSync(file).size;
        const nuls = Math.min(40, size - 1);
        const fd = fs.openSync(file, 'r+');
        fs.writeSync(fd, Buffer.alloc(nuls), 0, nuls, size - 1 - nuls);
        fs.closeSync(fd);
      }
      await recovered(build, place);
    },
  },
  {
    invariant: 'I5',
    name: 'reads before the index has what was acknowledged',
    plants: [{ file: 'store-reads.js', find: /await worker\.reached\(journal\.syncedSeq\);/g, replace: '' }],
    scenario: finished,
  },
  {
    invariant: 'I6',
    name: 'does not bring the columns of an entry up to date',
    plants: [{ file: 'session-index/index-writer.js', find: /this\.#statements\.updateSession\.run\([^;]*\);/, replace: '' }],
    scenario: finished,
  },
  {
    invariant: 'I7',
    name: 'takes an epoch that was taken before',
    plants: [{ file: 'files/owner-file.js', find: /epoch: Math\.max\(.*\) \+ 1,/, replace: 'epoch: 7,' }],
    scenario: async (build, place) => {
      await finished(build, place);
      await finished(build, place);
    },
  },
  {
    invariant: 'I7',
    name: 'does not look at its fence',
    plants: [
      { file: 'files/owner-file.js', find: /^( +)fence\(\) \{/m, replace: '$&return;' },
      { file: 'session-index/index-writer.js', find: '#refuseWhenSuperseded() {', replace: '#refuseWhenSuperseded() { return;' },
    ],
    scenario: takenOver,
  },
  {
    invariant: 'I8',
    name: 'renames a sessions file that is not complete',
    plants: [{ file: 'checkpoint.js', find: /await fs\.rename\(tempFile, /, replace: "require('node:fs').truncateSync(tempFile, 40); $&" }],
    scenario: killed,
  },
  {
    invariant: 'I9',
    name: 'empties a transcript before it appends',
    plants: [{ file: 'transcript/transcript-writer.js', find: 'node_fs_1.constants.O_RDWR | node_fs_1.constants.O_CREAT', replace: 'node_fs_1.constants.O_TRUNC | $&' }],
    scenario: async (build, place) => {
      const sound = new BuiltCopy();
      try {
        await finished(sound, place);
      } finally {
        sound.remove();
      }
      expect(listed(await place.check())).toBe('');
      await finished(build, place);
    },
  },
  {
    invariant: 'I9',
    name: 'takes a transcript away before its archive is there',
    // Lines that no record of the journal holds any more, of an acknowledged message.
    orFoundAs: 'I1',
    plants: [
      {
        file: 'archive/perform-file-ops.js',
        find: /await fs\.link\(from, (.*layout\.dir, to\))\);\n/,
        replace: "const kept = require('node:fs').readFileSync(from); require('node:fs').unlinkSync(from); await new Promise((r) => setTimeout(r, 300)); require('node:fs').writeFileSync($1, kept);\n",
      },
    ],
    scenario: async (build, place) => {
      const sound = new BuiltCopy();
      try {
        await finished(sound, place);
      } finally {
        sound.remove();
      }
      expect(listed(await place.check())).toBe('');
      await killed(build, place);
    },
  },
  {
    invariant: 'I12',
    name: 'lets .. lead out of the store',
    plants: [{ file: 'mutation-view.js', find: 'function refuseUnsafeFile(file) {', replace: '$& return;' }],
    scenario: finished,
  },
];

it.each(BUGS.map((bug) => [bug.invariant, bug.name, bug] as const))(
  '%s is found broken by a store that %s',
  async (invariant, _, bug) => {
    const build = new BuiltCopy(bug.plants);
    let found: string[] = [];
    try {
      // Where the kill falls is a matter of luck: a run that gave the bug no occasion is made again.
      for (let attempt = 1; attempt <= ATTEMPTS_MAX && !found.some((name) => name === invariant || name === bug.orFoundAs); attempt += 1) {
        const place = new WorkPlace('planted');
        try {
          await bug.scenario(build, place);
          const violations = await place.check().catch((error: unknown) => [{ invariant: 'open', message: String(error) }]);
          found = violations.map((violation) => violation.invariant);
        } finally {
          place.remove();
        }
      }
      expect(found).toContain(found.includes(bug.orFoundAs ?? '') ? bug.orFoundAs : invariant);
    } finally {
      build.remove();
    }
  },
  TIMEOUT_MS,
);

interface PowerCutBug {
  readonly invariant: string;
  readonly name: string;
  readonly plants: readonly Plant[];
}

const POWER_CUT_BUGS: readonly PowerCutBug[] = [
  {
    invariant: 'I1',
    name: 'does not sync its journal',
    plants: [{ file: 'journal/segment-pool.js', find: /node_fs_1\.constants\.O_RDWR \| node_fs_1\.constants\.O_DSYNC/, replace: 'node_fs_1.constants.O_RDWR' }],
  },
  {
    invariant: 'I9',
    name: 'takes a transcript away before its archive is synced',
    plants: [
      { file: 'archive/perform-file-ops.js', find: /await fs\.link\(from, (.*layout\.dir, to\))\);/, replace: "require('node:fs').writeFileSync($1, require('node:fs').readFileSync(from), { flag: 'wx' });" },
      { file: 'archive/perform-file-ops.js', find: /async function isSameFile\([^)]*\) \{/, replace: '$& return true;' },
    ],
  },
];

it.each(POWER_CUT_BUGS.map((bug) => [bug.invariant, bug.name, bug] as const))(
  '%s is found broken by a store that %s, when the power is cut',
  async (invariant, _, { plants }) => {
    const whyNot = await whyNoLoopDisk();
    if (whyNot !== undefined) {
      sayWhyNot('planted bug of the power cut', whyNot);
      return;
    }
    const build = new BuiltCopy(plants);
    const disk = new LoopDisk(64);
    const place = new WorkPlace('planted-cut', disk.mountPoint);
    try {
      const found: string[] = [];
      for (let cut = 1; cut <= CUTS_MAX && !found.includes(invariant); cut += 1) {
        const config = place.config({ seed: SEED, operations: 100_000, checkpointDelayMs: 60_000 });
        const writer = new WriterProcess(build, config, 4);
        await acknowledged(place, config.run, 40, writer);
        disk.cutPower();
        writer.kill();
        await writer.end;
        await disk.unmount();
        disk.mount();
        found.push(...(await place.check()).map((violation) => violation.invariant));
      }
      expect(found).toContain(invariant);
    } finally {
      build.remove();
      place.remove();
      await disk.remove();
    }
  },
  TIMEOUT_MS,
);

async function finished(build: BuiltCopy, place: WorkPlace): Promise<void> {
  await new WriterProcess(build, place.config({ seed: SEED, operations: 80 }), 4).end;
}

async function killed(build: BuiltCopy, place: WorkPlace): Promise<void> {
  const config = place.config({ seed: SEED, operations: 100_000 });
  const writer = new WriterProcess(build, config, 4);
  await acknowledged(place, config.run, 30, writer);
  writer.kill();
  await writer.end;
}

async function killedAndGoingOn(build: BuiltCopy, place: WorkPlace): Promise<void> {
  await killed(build, place);
  await finished(build, place);
}

/** The planted library recovers, and works no further. */
async function recovered(build: BuiltCopy, place: WorkPlace): Promise<void> {
  await new WriterProcess(build, place.config({ seed: SEED, operations: 0 }), 4).end;
}

async function takenOver(build: BuiltCopy, place: WorkPlace): Promise<void> {
  const config = place.config({ seed: SEED, operations: 100_000 });
  const first = new WriterProcess(build, config, 4);
  await acknowledged(place, config.run, 10, first);
  first.kill('SIGSTOP');
  fs.unlinkSync(path.join(place.ownDir, 'owner.lock'));
  const later = place.config({ seed: SEED + 1, operations: 100_000 });
  const second = new WriterProcess(build, later, 4);
  try {
    await acknowledged(place, later.run, 5, second);
    const before = countAcknowledged(place, config.run);
    first.kill('SIGCONT');
    await acknowledged(place, config.run, before + 20, first);
  } finally {
    first.kill();
    second.kill();
    await Promise.all([first.end, second.end]);
  }
}

function transcriptsOf(place: WorkPlace): string[] {
  return fs.readdirSync(place.dir).filter((name) => name.endsWith('.jsonl')).map((name) => path.join(place.dir, name));
}

function countAcknowledged(place: WorkPlace, run: number): number {
  return readHistory(place.historyFile).filter((record) => record.t === 'ok' && record.run === run).length;
}

async function acknowledged(place: WorkPlace, run: number, wanted: number, writer: WriterProcess): Promise<void> {
  let isOver = false;
  void writer.end.then(() => (isOver = true));
  while (!isOver && countAcknowledged(place, run) < wanted) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
