import { newRecordId, uuidV7 } from './new-ids';

const TIMES_MS = [0, 1, 1_700_000_000_000, 2 ** 48 - 1];

it.each(TIMES_MS)('makes an id of version 7 that says %d', (nowMs) => {
  const id = uuidV7(nowMs);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(nowMs);
});

it('sorts by time', () => {
  const ids = TIMES_MS.map(uuidV7);
  expect([...ids].sort()).toEqual(ids);
});

it('makes other ids each time', () => {
  const ids = Array.from({ length: 1000 }, () => uuidV7(5));
  expect(new Set(ids).size).toBe(ids.length);
  expect(newRecordId()).toMatch(/^[0-9a-f]{8}$/);
  expect(new Set(Array.from({ length: 100 }, newRecordId)).size).toBeGreaterThan(95);
});
