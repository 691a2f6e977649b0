/** For each invariant of what is acknowledged, kept and read (I1 to I5) a planted bug that the crash suite's checker finds. */
import * as fs from 'node:fs';
import { JOURNAL_KEPT, finished, invariantsBrokenBy, killed, recovered, times, transcriptsOf, type PlantedBug } from './testing/crash/planted-bug';
import { PrivateBuild } from './testing/crash/private-build';

const TIMEOUT_MS = 240_000;

const BUGS: readonly PlantedBug[] = [
  {
    invariant: 'I1',
    name: 'acknowledges before the journal is written',
    plants: [
      {
        file: 'journal/journal.ts',
        find: 'await this.#options.fs.writeAll(segment.fd, buffers, segment.position);',
        replace:
          'globalThis.groups = (globalThis.groups ?? 0) + 1;' +
          ' if (globalThis.groups === 3) { for (const queued of group) queued.resolve();' +
          " await require('../testing/crash/planted-moment').dieOnceAcknowledged(group.map(({ seq }) => seq)); } $&",
      },
    ],
    scenario: (build, place) => finished(build, place, { ...JOURNAL_KEPT, first: times(16, 'send') }),
  },
  {
    invariant: 'I1',
    name: 'ignores idempotency keys',
    plants: [{ file: 'agent-store.ts', find: 'const repeat = this.#answers.to(mutation);', replace: 'const repeat = undefined;' }],
    scenario: async (build, place) => {
      await finished(build, place);
      // Asks again for what was answered, a send among it.
      await finished(build, place);
    },
  },
  {
    invariant: 'I2',
    name: 'leaves an unfinished line in a transcript',
    orFoundAs: 'I6',
    plants: [{ file: 'recovery.ts', find: /async function cutTornTail\([^)]*\): Promise<boolean> \{/, replace: '$& return false;' }],
    scenario: async (build, place) => {
      await killed(build, place);
      for (const file of transcriptsOf(place)) fs.appendFileSync(file, '{"type":"message","id":"');
      await recovered(build, place);
    },
  },
  {
    invariant: 'I3',
    name: 'names the parent of the line before the last',
    plants: [{ file: 'transcript/transcript-files.ts', find: 'transcript.tail = { ...next, bytes: offset + bytes };', replace: 'transcript.tail = { ...next, leafId: transcript.tail.leafId ?? next.leafId, bytes: offset + bytes };' }],
    scenario: (build, place) => finished(build, place, { first: times(24, 'send') }),
  },
  {
    invariant: 'I4',
    name: 'trusts the length of a transcript in replay',
    plants: [
      { file: 'recovery.ts', find: 'return found.equals(bytes);', replace: 'return true;' },
      { file: 'recovery.ts', find: 'isThere && !options.rewriteAll', replace: 'isThere' },
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
    plants: [
      { file: 'store-reads.ts', find: /await worker\.reached\(journal\.syncedSeq\);/g, replace: '' },
      // An index that takes its time, as it may.
      { file: 'index-worker-client.ts', find: 'export const FEED_INTERVAL_MS = 50;', replace: 'export const FEED_INTERVAL_MS = 60_000;' },
    ],
    scenario: (build, place) => finished(build, place, { checkpoints: false, first: times(60, 'send') }),
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
