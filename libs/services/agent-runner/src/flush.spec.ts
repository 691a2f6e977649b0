/** Notes before a compaction: one silent turn between two compactions, seen by nobody who did not ask. */
import type { FinishTurnRequest } from '@sessions/contracts';
import { openHouse, type RunnerHouse } from './testing/runner-house';

const settings = { agents: { defaults: { model: { primary: 'local/small' }, contextTokens: 100_000, workspace: '/srv/agent' } } };
/** What a turn's end says of the notes; how long its prompt was is not looked at here. */
const fieldsOf = ({ fields }: FinishTurnRequest): Record<string, unknown> => Object.fromEntries(fields.filter(({ name }) => name !== 'systemPromptReport').map(({ name, valueJson }) => [name, JSON.parse(Buffer.from(valueJson ?? []).toString('utf8'))]));

describe('a conversation that comes near its window', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  const fill = (notes: string): void => {
    house.model.answer = ({ text }) => (text.includes('will be summarised soon') ? { chunks: [notes], usage: { input: 80_100, output: 5 } } : { chunks: ['the answer'], usage: { input: 80_000, output: 10 } });
  };

  it('gives the agent one silent turn, after the answer was told and before the turn is finished', async () => {
    house = await openHouse({ settings });
    fill('NO_REPLY');
    house.owner.entry = { compactionCount: 2 };
    const end = await house.owner.ended(await house.owner.deliver('Hello', { deliver: true }));
    expect(end).toMatchObject({ outcome: 'ok', text: 'the answer', deliveries: [] });
    expect(fieldsOf(end)).toEqual({ memoryFlushAt: expect.any(Number), memoryFlushCompactionCount: 2 });
    expect(end.usage).toMatchObject([{ inputTokens: 160_100, outputTokens: 15 }]);
    const prompt = house.owner.lines.find(({ type }) => type === 'custom_message');
    expect(prompt).toMatchObject({ customType: 'memory-flush', display: false, content: expect.stringMatching(/memory\/\d{4}-\d{2}-\d{2}\.md/u) });
    const told = house.events.flatMap(({ body }) => (body?.$case === 'run' ? [Buffer.from(body.value.dataJson).toString('utf8')] : [])).join('');
    expect(told).not.toContain('NO_REPLY');
    house.owner.entry = { compactionCount: 2, memoryFlushCompactionCount: 2 };
    const next = await house.owner.ended(await house.owner.deliver('Again'));
    expect(fieldsOf(next)).toEqual({});
    expect(house.model.asked).toHaveLength(3);
  });

  it('tells nobody what the silent turn has to say', async () => {
    house = await openHouse({ settings });
    fill('I could not save it.');
    const end = await house.owner.ended(await house.owner.deliver('Hello', { deliver: true }));
    expect(end).toMatchObject({ text: 'the answer', deliveries: [] });
  });

  it('counts a failure, and the turn ends as it had', async () => {
    house = await openHouse({ settings });
    house.model.answer = ({ text }) => (text.includes('will be summarised soon') ? { status: 401 } : { chunks: ['the answer'], usage: { input: 80_000, output: 10 } });
    house.owner.entry = { memoryFlushFailureCount: 1 };
    const end = await house.owner.ended(await house.owner.deliver('Hello'));
    expect(end).toMatchObject({ outcome: 'ok', text: 'the answer' });
    expect(fieldsOf(end)).toEqual({ memoryFlushFailureCount: 2, memoryFlushLastFailedAt: expect.any(Number), memoryFlushLastFailureError: 'unauthorised' });
  });

  it('has none where the agent has no workspace of its own', async () => {
    house = await openHouse({ settings: { agents: { defaults: { model: { primary: 'local/small' }, contextTokens: 100_000 } } } });
    fill('NO_REPLY');
    expect(fieldsOf(await house.owner.ended(await house.owner.deliver('Hello')))).toEqual({});
    expect(house.model.asked).toHaveLength(1);
  });

  it('has none below the threshold, in runs of programs, or where it is switched off', async () => {
    house = await openHouse({ settings });
    house.model.answer = () => ({ chunks: ['the answer'], usage: { input: 70_000, output: 10 } });
    expect(fieldsOf(await house.owner.ended(await house.owner.deliver('Hello')))).toEqual({});
    fill('NO_REPLY');
    expect(fieldsOf(await house.owner.ended(await house.owner.deliver('Report', { source: 'cron' })))).toEqual({});
  });
});
