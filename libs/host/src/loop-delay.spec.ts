import { watchLoopDelay, type LoopDelay } from './loop-delay';

const LOOK_MS = 200;
const PATIENCE_MS = 60_000;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const block = (ms: number): void => {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
};

async function until(holds: () => boolean, meanwhile: () => void = () => undefined): Promise<void> {
  for (const untilMs = performance.now() + PATIENCE_MS; !holds(); ) {
    if (performance.now() > untilMs) throw new Error('it never came true');
    meanwhile();
    await wait(20);
  }
}

describe('the delay of the event loop', () => {
  let delay: LoopDelay;
  beforeEach(() => (delay = watchLoopDelay({ lookMs: LOOK_MS })));
  afterEach(() => delay.stop());

  it('sees a stall, and forgets it when it is told to', async () => {
    await until(() => delay.quantileMs(1) > 60, () => block(120));
    delay.reset();
    expect(delay.quantileMs(1)).toBe(0);
  }, PATIENCE_MS);

  it('is not sampled while the loop rests, is again while it works, and takes the rest for no stall', async () => {
    await until(() => !delay.isSampling);
    delay.reset();
    await wait(3_000);
    await until(() => delay.isSampling, () => block(10));
    // Below the time that nothing was sampled; a busy machine may be late by itself.
    expect(delay.quantileMs(1)).toBeLessThan(3_000);
    delay.reset();
    await until(() => delay.quantileMs(1) > 60, () => block(120));
  }, 3 * PATIENCE_MS);

  it('tells of the last whole span, whoever resets it, and of the time since the start before there is one', async () => {
    const spans = watchLoopDelay({ lookMs: 50, spanMs: 1_000 });
    try {
      block(150);
      await until(() => spans.lately().delayMaxMs >= 60);
      const first = spans.lately();
      expect(first.utilization).toBeGreaterThan(0);
      expect(first.cpuCoreRatio).toBeGreaterThan(0);
      spans.reset();
      expect(spans.lately().delayMaxMs).toBeGreaterThanOrEqual(60);
      // The stall leaves with its span.
      await until(() => spans.lately().intervalMs >= 1_000);
      await until(() => spans.lately().delayMaxMs < 60);
    } finally {
      spans.stop();
    }
  }, PATIENCE_MS);
});
