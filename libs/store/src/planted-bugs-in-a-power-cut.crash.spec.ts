/** Planted bugs that only a power cut shows: what was never synced is gone after it. */
import { PrivateBuild, type Plant } from './testing/crash/private-build';
import { LoopDisk, whyNoLoopDisk } from './testing/crash/loop-disk';
import { JOURNAL_KEPT, acknowledged, madeLongAgo, times, type Told } from './testing/crash/planted-bug';
import { WorkPlace, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const SEED = 20_260_605;
const TIMEOUT_MS = 240_000;
const DISK_MEBIBYTES = 64;
const OPERATIONS = 100_000;
/** Acknowledgements before the power is cut. */
const ACKNOWLEDGED_MIN = 16;

interface PowerCutBug {
  readonly invariant: string;
  readonly name: string;
  readonly plants: readonly Plant[];
  readonly told: Told;
}

const BUGS: readonly PowerCutBug[] = [
  {
    invariant: 'I1',
    name: 'does not sync its journal',
    plants: [{ file: 'journal/segment-pool.ts', find: /constants\.O_RDWR \| constants\.O_DSYNC/, replace: 'constants.O_RDWR' }],
    told: { first: times(40, 'send') },
  },
  {
    invariant: 'I9',
    name: 'takes a transcript away before its archive is synced',
    plants: [
      { file: 'archive/perform-file-ops.ts', find: /await fs\.link\(from, (.*layout\.dir, to\))\);/, replace: "require('node:fs').writeFileSync($1, require('node:fs').readFileSync(from), { flag: 'wx' });" },
      { file: 'archive/perform-file-ops.ts', find: /async function isSameFile\([^)]*\): Promise<boolean> \{/, replace: '$& return true;' },
    ],
    told: { first: times(40, 'reset') },
  },
];

it.each(BUGS.map((bug) => [bug.invariant, bug.name, bug] as const))(
  '%s is found broken by a store that %s, when the power is cut',
  async (invariant, _, { plants, told }) => {
    const whyNot = await whyNoLoopDisk();
    if (whyNot !== undefined) {
      sayWhyNot('planted bug of the power cut', whyNot);
      return;
    }
    const build = await PrivateBuild.make(plants);
    const sound = await PrivateBuild.make();
    const disk = new LoopDisk(DISK_MEBIBYTES);
    const place = new WorkPlace('planted-cut', disk.mountPoint);
    try {
      await madeLongAgo(sound, place);
      const config = place.config({ seed: SEED, operations: OPERATIONS, ...JOURNAL_KEPT, ...told });
      const writer = new WriterProcess(build, config, 4);
      await acknowledged(place, config.run, ACKNOWLEDGED_MIN, writer);
      disk.cutPower();
      writer.kill();
      await writer.end;
      await disk.unmount();
      disk.mount();
      expect((await place.check()).map((violation) => violation.invariant)).toContain(invariant);
    } finally {
      build.remove();
      sound.remove();
      place.remove();
      await disk.remove();
    }
  },
  TIMEOUT_MS,
);
