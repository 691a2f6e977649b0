import { WAITING_MAX, createLane } from './lanes';

const never = new AbortController().signal;

describe('a lane', () => {
  it('lets so many in, the others in the order in which they came', async () => {
    const lane = createLane(() => 2);
    const leaves = [await lane.enter(never), await lane.enter(never)];
    const order: number[] = [];
    const third = lane.enter(never).then((leave) => (order.push(3), leave));
    const fourth = lane.enter(never).then((leave) => (order.push(4), leave));
    expect(lane.running).toBe(2);
    leaves[0]?.();
    leaves[0]?.();
    (await third)?.();
    (await fourth)?.();
    leaves[1]?.();
    expect(order).toEqual([3, 4]);
    expect(lane.running).toBe(0);
  });

  it('sends away who would be one too many, and forgets who leaves the queue', async () => {
    const lane = createLane(() => 1);
    const leave = await lane.enter(never);
    const leaving = new AbortController();
    const gone = lane.enter(leaving.signal);
    const waiting = Array.from({ length: WAITING_MAX - 1 }, () => lane.enter(never));
    expect(await lane.enter(never)).toBeUndefined();
    leaving.abort();
    expect(await gone).toBeUndefined();
    leave?.();
    for (const next of waiting) (await next)?.();
    expect(lane.running).toBe(0);
  });
});
