import { checkpointSpacingMs } from './checkpoint';

const MIB = 1024 * 1024;

describe('the time from one checkpoint to the next', () => {
  it('is the delay before the first one and after small ones', () => {
    expect(checkpointSpacingMs(undefined, 250)).toBe(250);
    expect(checkpointSpacingMs({ durationMs: 5, bytes: 1000 }, 250)).toBe(250);
  });

  it('is ten times the last one at least, so checkpoints take a tenth of the time', () => {
    expect(checkpointSpacingMs({ durationMs: 300, bytes: 1000 }, 250)).toBe(3000);
  });

  it('keeps rewriting under two megabytes a second', () => {
    expect(checkpointSpacingMs({ durationMs: 550, bytes: 200 * MIB }, 250)).toBeCloseTo((200 * MIB) / 2000);
  });

  it('is five minutes at most', () => {
    expect(checkpointSpacingMs({ durationMs: 60_000, bytes: 4000 * MIB }, 250)).toBe(5 * 60_000);
  });
});
