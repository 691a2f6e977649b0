import fc from 'fast-check';
import { OFFERED_FOR_MS, deliveryOffer } from './delivery-schedule';

const MINUTE = 60_000;

it('offers after one minute, then after twice as long each time, then every ten minutes, for a day', () => {
  const offers: number[] = [];
  for (let at: number | undefined = 0; at !== undefined; at = deliveryOffer(0, at).nextAtMs) offers.push(at);
  expect(offers.slice(0, 7).map((at) => at / MINUTE)).toEqual([0, 1, 3, 7, 15, 25, 35]);
  expect(offers.at(-1)).toBeLessThanOrEqual(OFFERED_FOR_MS);
  expect((offers.at(-1) ?? 0) + 10 * MINUTE).toBeGreaterThan(OFFERED_FOR_MS);
});

it('depends on the age alone: whoever asks later never finds an earlier attempt', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 * OFFERED_FOR_MS }), fc.integer({ min: 0, max: OFFERED_FOR_MS }), fc.integer(), (age, more, createdAt) => {
      const before = deliveryOffer(createdAt, createdAt + age);
      const later = deliveryOffer(createdAt, createdAt + age + more);
      expect(later.attempt).toBeGreaterThanOrEqual(before.attempt);
      if (before.nextAtMs !== undefined) expect(before.nextAtMs).toBeGreaterThan(createdAt + Math.min(age, OFFERED_FOR_MS));
      expect(deliveryOffer(createdAt, createdAt - more)).toEqual(deliveryOffer(createdAt, createdAt));
    }),
  );
});
