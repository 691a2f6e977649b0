/** Sessions that specs of methods ask for: of three agents, one of which only the disk knows. */
import { startRouter } from './router-harness';
import type { RunningRouter, TestClient } from './router-harness';

export const ID = (digit: number): string => `0190aaaa-0000-7000-8000-00000000000${digit}`;
export const CONFIG = {
  agents: { defaults: { model: { primary: 'fake/fake-1' }, contextTokens: 1000 }, list: [{ id: 'main', default: true }, { id: 'work' }] },
};

/** A router that knows them, and a client of it. */
export async function startKnownRouter(): Promise<{ readonly running: RunningRouter; readonly client: TestClient }> {
  const running = await startRouter(CONFIG);
  running.stores.put('main', 'agent:main:main', { sessionId: ID(1), updatedAt: 100, label: 'Home', model: 'm-1', modelProvider: 'p', totalTokens: 7 }, [
    { role: 'user', text: 'hello' },
    { role: 'assistant', text: 'hi' },
  ]);
  running.stores.put('main', 'agent:main:telegram:group:-5', { sessionId: ID(2), updatedAt: 300, chatType: 'group', subject: 'Lab' });
  running.stores.put('main', 'agent:main:cron:job:run:1', { sessionId: ID(3), updatedAt: 900 });
  running.stores.put('work', 'agent:work:main', { sessionId: ID(4), updatedAt: 200 });
  running.stores.put('disk', 'agent:disk:main', { sessionId: ID(5), updatedAt: 50, spawnedBy: 'agent:main:main' });
  return { running, client: await running.client() };
}
