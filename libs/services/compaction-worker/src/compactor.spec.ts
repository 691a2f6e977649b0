import { MODEL_LIMITS } from '@sessions/llm';
import { modelLimits } from './compactor';

describe('the limits of a request to the summariser', () => {
  it('are those of every request up to the default time of a compaction', () => {
    for (const wholeMs of [1_000, 90_000, 180_000]) expect(modelLimits(wholeMs)).toEqual(MODEL_LIMITS);
  });

  it('grow with a longer one, so that it is not cut off before: a slow model may be silent for most of it', () => {
    expect(modelLimits(900_000)).toEqual({ wholeMs: 900_000, silenceMs: 600_000 });
  });
});
