/** Old results of tools are shortened in a request once the cache is cold, and nowhere else. */
import type { JsonObject } from '@sessions/domain';
import { openHouse, type RunnerHouse } from './testing/runner-house';

const LONG_RESULT = `begins ${'r'.repeat(28_000)} ends`;
const settingsWith = (mode: string) => ({ agents: { defaults: { model: { primary: 'local/small' }, contextTokens: 20_000, contextPruning: { mode, ttl: '5m' } } } });
const LONG_AGO = '2026-01-01T00:00:00.000Z';

describe('a request long after the last one', () => {
  let house: RunnerHouse;
  afterEach(() => house.close());

  const ask = async (mode: string): Promise<{ asked: string; before: string; after: string }> => {
    house = await openHouse({ settings: settingsWith(mode) });
    const say = (message: JsonObject): void => void house.owner.append({ type: 'message', timestamp: LONG_AGO, message });
    const answer = (text: string): void => say({ role: 'assistant', content: [{ type: 'text', text }], stopReason: 'stop', usage: { input: 10, output: 1 } });
    say({ role: 'user', content: 'look it up' });
    say({ role: 'assistant', content: [{ type: 'toolCall', id: 'call_1', name: 'sessions_list', arguments: {} }], stopReason: 'toolUse' });
    say({ role: 'toolResult', toolCallId: 'call_1', toolName: 'sessions_list', content: [{ type: 'text', text: LONG_RESULT }], isError: false });
    for (const text of ['one', 'two', 'three', 'four']) answer(text);
    const before = JSON.stringify(house.owner.lines);
    await house.owner.ended(await house.owner.deliver('And now?'));
    return { asked: JSON.stringify(house.model.asked[0]?.body), before, after: JSON.stringify(house.owner.lines.slice(0, 7)) };
  };

  it('shows the beginning and the end of an old result, and leaves the transcript as it is', async () => {
    const { asked, before, after } = await ask('cache-ttl');
    expect(asked.includes('begins rrr')).toBe(true);
    expect(asked.includes('rrr ends')).toBe(true);
    expect(asked.includes('r'.repeat(10_000))).toBe(false);
    expect(after === before).toBe(true);
    expect(after.includes(LONG_RESULT)).toBe(true);
  });

  it('shows the whole of it unless that is configured', async () => {
    const { asked, before, after } = await ask('off');
    expect(asked.includes(LONG_RESULT)).toBe(true);
    expect(after === before).toBe(true);
  });
});
