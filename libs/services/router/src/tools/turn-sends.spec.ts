import { TURN_SENDS_MAX } from '@sessions/domain';
import { TurnSends } from './turn-sends';

it('lets a turn send so often, counts a repeated call once and each turn for itself', () => {
  const sends = new TurnSends();
  for (let call = 0; call < TURN_SENDS_MAX; call += 1) for (const _ of [1, 2]) expect(sends.take('r1', `k${String(call)}`)).toBe(true);
  expect(sends.take('r1', 'more')).toBe(false);
  expect(sends.take('r1', 'k0')).toBe(true);
  expect(sends.take('r2', 'more')).toBe(true);
});

it('forgets the turn that has sent nothing for longest', () => {
  const sends = new TurnSends();
  for (let call = 0; call < TURN_SENDS_MAX; call += 1) sends.take('first', `k${String(call)}`);
  for (let run = 0; run < 1_999; run += 1) sends.take(`r${String(run)}`, 'k');
  expect(sends.take('first', 'more')).toBe(false);
  for (let run = 0; run < 2_000; run += 1) sends.take(`s${String(run)}`, 'k');
  expect(sends.take('first', 'more')).toBe(true);
});
