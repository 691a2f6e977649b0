/** Opening a file fails for want of descriptors, memory or permission, at one call after the other. */
import { PrivateBuild } from './testing/crash/private-build';
import { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess, runTraced, whyNoTracing } from './testing/crash/writer-process';

const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_609);
const TIMEOUT_MS = 240_000;
const OPERATIONS = 40;
const WARM_UP_OPERATIONS = 10;
const REOPENS_MAX = 8;

const whyNot = whyNoTracing();
if (whyNot !== undefined) sayWhyNot('no-descriptors', whyNot);

(whyNot === undefined ? describe : describe.skip)('a file that cannot be opened', () => {
  let build: PrivateBuild;
  beforeAll(async () => {
    build = await PrivateBuild.make();
  });
  afterAll(() => build.remove());

  it.each(['EMFILE', 'ENOMEM', 'EACCES'])('costs nothing acknowledged and leaves nothing half, when it is refused with %s', async (code) => {
    const place = new WorkPlace('descriptors');
    try {
      for (const when of ['2+7', '1..3']) {
        const config = place.config({ seed: SEED, operations: OPERATIONS, waitAt: 'work', warmUpOperations: WARM_UP_OPERATIONS, reopensMax: REOPENS_MAX });
        await runTraced(new WriterProcess(build, config), { calls: 'openat', inject: `error=${code}:when=${when}` });
        expect(`${code} ${when}: ${listed(await place.check({ twice: true }))}`).toBe(`${code} ${when}: `);
      }
      // With descriptors again it works as ever.
      expect(await new WriterProcess(build, place.config({ seed: SEED, operations: OPERATIONS }), 4).end).toMatchObject({ code: 0 });
      expect(listed(await place.check())).toBe('');
    } finally {
      place.remove();
    }
  }, TIMEOUT_MS);
});
