/** Results of tools that do not fit: looked at between the requests of a turn, which goes on with a shorter conversation. */
import { CompactResponse, CompactionResult, CompactionServiceService } from '@sessions/contracts';
import { createSubjects, serveService } from '@sessions/bus';
import { openHouse, type RunnerHouse } from './testing/runner-house';

/** Half of so small a window is the reserve. */
const WINDOW_TOKENS = 10_000;
const settingsWith = (midTurnPrecheck: object) => ({ agents: { defaults: { model: { primary: 'local/small' }, contextTokens: WINDOW_TOKENS, compaction: { midTurnPrecheck } } } });
/** Fits once, and not beside the conversation before it or another one. */
const LONG_RESULT = `the result ${'r'.repeat(11_000)}`;

describe('a turn whose tools answer more than fits', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  const open = async (midTurnPrecheck: object, calls: number): Promise<void> => {
    house = await openHouse({ settings: settingsWith(midTurnPrecheck) });
    house.owner.append({ type: 'message', message: { role: 'user', content: `an old question ${'q'.repeat(11_000)}`, timestamp: 1 } });
    house.owner.append({ type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: 'an old answer' }], stopReason: 'stop', timestamp: 2 } });
    await house.serveTools(() => Promise.resolve({ result: LONG_RESULT }));
    house.model.answer = ({ number }) => (number <= calls ? { toolCalls: [{ id: `call_${String(number)}`, name: 'sessions_list', arguments: {} }] } : { chunks: ['that was it'] });
  };
  const serveWorker = (compacted: boolean) =>
    serveService(
      house.bus,
      CompactionServiceService,
      {
        compact: ({ operationId }) => {
          const { lines } = house.owner;
          // What the tools have answered stays, with its call.
          const kept = lines.findLast(({ message }) => (message as { role?: string } | undefined)?.role === 'assistant');
          if (compacted) house.owner.append({ type: 'compaction', summary: 'in short', firstKeptEntryId: kept?.['id'] as string, tokensBefore: 9 });
          return Promise.resolve(CompactResponse.create({ result: CompactionResult.create({ ok: compacted, compacted, operationId, ...(compacted ? {} : { reason: 'summarizer failed' }) }) }));
        },
      },
      { subjectFor: (method) => createSubjects().compaction(method), queueGroup: 'compaction-worker' },
    );
  const requests = (): number => house.owner.calls.filter((call) => call.startsWith('requestCompaction')).length;

  it('is summarised before the next request, and every tool was called once', async () => {
    await open({ enabled: true }, 1);
    await serveWorker(true);
    expect(await house.owner.ended(await house.owner.deliver('Look them up'))).toMatchObject({ outcome: 'ok', text: 'that was it' });
    expect(requests()).toBe(1);
    expect(house.model.asked).toHaveLength(2);
    expect(house.model.asked[1]?.text).toContain('in short');
    expect(house.model.asked[1]?.text).toContain('the result');
    expect(house.model.asked[1]?.text).not.toContain('an old question');
    expect(house.owner.messages().filter(({ role }) => role === 'toolResult')).toHaveLength(1);
  });

  it('goes on without the oldest turns when nobody can summarise it, and asks no second time', async () => {
    await open({ enabled: true }, 2);
    await serveWorker(false);
    expect(await house.owner.ended(await house.owner.deliver('Look them up'))).toMatchObject({ outcome: 'ok', text: 'that was it' });
    expect(requests()).toBe(1);
    expect(house.model.asked).toHaveLength(3);
    expect(house.model.asked[1]?.text).not.toContain('an old question');
  });

  it('ends after a bounded number of summaries, whatever the tools answer', async () => {
    await open({ enabled: true }, 12);
    await serveWorker(true);
    expect(await house.owner.ended(await house.owner.deliver('Look them up'))).toMatchObject({ outcome: 'ok', text: 'that was it' });
    expect(requests()).toBe(8);
    expect(house.owner.messages().filter(({ role }) => role === 'toolResult')).toHaveLength(12);
  });

  it('is not looked at unless that is configured', async () => {
    await open({ enabled: false }, 1);
    await serveWorker(true);
    expect(await house.owner.ended(await house.owner.deliver('Look them up'))).toMatchObject({ outcome: 'ok', text: 'that was it' });
    expect(requests()).toBe(0);
  });
});
