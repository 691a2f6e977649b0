/** For each invariant of owners, derived files and archives (I6 to I9, I12) a planted bug that the crash suite's checker finds. */
import { DIE, DIE_AT_THE_TOP, finished, invariantsBrokenBy, madeLongAgo, takenOver, times, type PlantedBug } from './testing/crash/planted-bug';
import { PrivateBuild } from './testing/crash/private-build';

const TIMEOUT_MS = 240_000;

const BUGS: readonly PlantedBug[] = [
  {
    invariant: 'I6',
    name: 'does not bring the columns of an entry up to date',
    plants: [{ file: 'session-index/index-writer.ts', find: /this\.#statements\.updateSession\.run\([^;]*\);/, replace: '' }],
    scenario: (build, place) => finished(build, place, { first: times(24, 'send') }),
  },
  {
    invariant: 'I7',
    name: 'takes an epoch that was taken before',
    plants: [{ file: 'files/owner-file.ts', find: /epoch: Math\.max\(.*\) \+ 1,/, replace: 'epoch: 7,' }],
    scenario: async (build, place) => {
      await finished(build, place);
      await finished(build, place);
    },
  },
  {
    invariant: 'I7',
    name: 'does not look at its fence',
    plants: [
      { file: 'files/owner-file.ts', find: /^( +)fence\(\): void \{/m, replace: '$&return;' },
      { file: 'session-index/index-writer.ts', find: '#refuseWhenSuperseded(): void {', replace: '$& return;' },
    ],
    scenario: takenOver,
  },
  {
    invariant: 'I8',
    name: 'renames a sessions file that is not complete',
    plants: [{ file: 'checkpoint.ts', find: 'await fs.rename(tempFile, layout.sessionsFile);', replace: `require('node:fs').truncateSync(tempFile, 40); $& ${DIE_AT_THE_TOP}` }],
    scenario: (build, place) => finished(build, place),
  },
  {
    invariant: 'I9',
    name: 'empties a transcript before it appends',
    plants: [{ file: 'transcript/transcript-writer.ts', find: 'constants.O_RDWR | constants.O_CREAT', replace: 'constants.O_TRUNC | $&' }],
    scenario: async (build, place, sound) => {
      await madeLongAgo(sound, place);
      await finished(build, place, { first: times(24, 'send') });
    },
  },
  {
    invariant: 'I9',
    name: 'takes a transcript away before its archive is there',
    // Lines that no record of the journal holds any more, of an acknowledged message.
    orFoundAs: 'I1',
    plants: [{ file: 'archive/perform-file-ops.ts', find: /await fs\.link\(from, .*layout\.dir, to\)\);\n/, replace: `require('node:fs').unlinkSync(from); ${DIE} $&` }],
    scenario: async (build, place, sound) => {
      await madeLongAgo(sound, place);
      await finished(build, place, { first: times(24, 'reset') });
    },
  },
  {
    invariant: 'I12',
    name: 'lets .. lead out of the store',
    plants: [{ file: 'mutation-view.ts', find: 'function refuseUnsafeFile(file: string): void {', replace: '$& return;' }],
    scenario: (build, place) => finished(build, place, { first: ['escape'] }),
  },
];

let sound: PrivateBuild;
beforeAll(async () => {
  sound = await PrivateBuild.make();
});
afterAll(() => sound.remove());

it.each(BUGS.map((bug) => [bug.invariant, bug.name, bug] as const))(
  '%s is found broken by a store that %s',
  async (invariant, _, bug) => {
    const found = await invariantsBrokenBy(bug, sound);
    expect(found).toContain(found.includes(bug.orFoundAs ?? '') ? bug.orFoundAs : invariant);
  },
  TIMEOUT_MS,
);
