/** A conversation that does not fit: summarised once within the turn, else shortened in the request; said to the person when neither helps. */
import { CompactResponse, CompactionResult, CompactionServiceService } from '@sessions/contracts';
import { createSubjects, serveService } from '@sessions/bus';
import { openHouse, type RunnerHouse } from './testing/runner-house';

const OVERFLOW = { status: 400, errorText: 'context length exceeded' };

describe('a conversation that does not fit the window', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  const serveWorker = (compacted: boolean, done = () => undefined as void) =>
    serveService(
      house.bus,
      CompactionServiceService,
      {
        compact: async ({ operationId }) => {
          done();
          return CompactResponse.create({ result: CompactionResult.create({ ok: compacted, compacted, operationId, ...(compacted ? {} : { reason: 'summarizer failed' }) }) });
        },
      },
      { subjectFor: (method) => createSubjects().compaction(method), queueGroup: 'compaction-worker' },
    );
  const fill = (turns: number): void => {
    for (let at = 0; at < turns; at += 1) {
      house.owner.append({ type: 'message', message: { role: 'user', content: `question ${String(at)} ${'q'.repeat(2_000)}`, timestamp: at } });
      house.owner.append({ type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: `answer ${String(at)}` }], stopReason: 'stop', timestamp: at } });
    }
  };

  it('is summarised within the turn, which goes on with what is left', async () => {
    house = await openHouse();
    fill(3);
    await serveWorker(true, () => void house.owner.append({ type: 'compaction', summary: 'in short', firstKeptEntryId: house.owner.lines.at(-1)?.['id'] as string, tokensBefore: 9 }));
    house.model.answer = ({ number }) => (number === 1 ? OVERFLOW : { chunks: ['it fits'] });
    expect(await house.owner.ended(await house.owner.deliver('Now?'))).toMatchObject({ outcome: 'ok', text: 'it fits' });
    expect(house.owner.calls).toContain('requestCompaction overflow-retry');
    expect(house.model.asked).toHaveLength(2);
    expect(house.model.asked[1]?.text).toContain('in short');
    expect(house.model.asked[1]?.text).toContain('Now?');
    expect(house.model.asked[1]?.text).not.toContain('question 0');
  });

  it('is shown without its oldest turns when nobody can summarise it', async () => {
    house = await openHouse();
    fill(6);
    await serveWorker(false);
    house.model.answer = ({ number }) => (number === 1 ? OVERFLOW : { chunks: ['it fits'] });
    expect(await house.owner.ended(await house.owner.deliver('Now?'))).toMatchObject({ outcome: 'ok', text: 'it fits' });
    expect(house.model.asked[1]?.text).toMatch(/oldest \d+ entries of this conversation are left out/u);
    expect(house.model.asked[1]?.text).not.toContain('question 0');
    expect(house.model.asked[1]?.text).toContain('Now?');
  });

  it('is said to be too long when nothing helps, after one summary and one shorter request', async () => {
    house = await openHouse();
    fill(3);
    await serveWorker(true);
    house.model.answer = () => OVERFLOW;
    expect(await house.owner.ended(await house.owner.deliver('Now?'))).toMatchObject({ outcome: 'error', errorMessage: expect.stringContaining('/compact') });
    expect(house.model.asked).toHaveLength(3);
  });
});
