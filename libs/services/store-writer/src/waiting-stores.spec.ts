import { asAgentId, type AgentId } from '@sessions/domain';
import { silentLogger } from '@sessions/host';
import { WaitingStores } from './waiting-stores';

/** As many agents, each with work that waits until its store is opened. */
function scene(count: number) {
  const agents = Array.from({ length: count }, (_, at) => asAgentId(`agent-${String(at)}`));
  const waiting = new Set<AgentId>(agents);
  const open = (agentId: AgentId): Promise<unknown> => Promise.resolve(waiting.delete(agentId));
  return { waiting, stores: new WaitingStores({ logger: silentLogger, agents: () => Promise.resolve(agents), mayWait: (agentId) => waiting.has(agentId), open }) };
}

const always = (): boolean => true;

it('opens a few stores at a look, and goes on behind them', async () => {
  const { waiting, stores } = scene(40);
  expect([await stores.look(always), waiting.size]).toEqual([false, 24]);
  expect([await stores.look(always), waiting.size]).toEqual([false, 8]);
  expect([await stores.look(always), waiting.size]).toEqual([true, 0]);
});

it.each([0, 1, 16, 17, 40])('comes to every one of %i agents', async (count) => {
  const { waiting, stores } = scene(count);
  await stores.lookAtAll(always);
  expect(waiting.size).toBe(0);
});

it('ends where some stores always wait, and where it is told to', async () => {
  const stores = new WaitingStores({ logger: silentLogger, agents: () => Promise.resolve(['a', 'b', 'c'].map(asAgentId)), mayWait: always, open: () => Promise.reject(new Error('cannot be opened')) });
  await stores.lookAtAll(always);
  const { waiting, stores: others } = scene(3);
  await others.lookAtAll(() => false);
  expect(waiting.size).toBe(3);
});
