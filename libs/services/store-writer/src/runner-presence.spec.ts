import { AgentRuntimeService, DescribeResponse } from '@sessions/contracts';
import { createInProcessBus, createSubjects, serveService, type Bus } from '@sessions/bus';
import { RunnerPresence } from './runner-presence';

const subjects = createSubjects();
const isThere = (bus: Bus) => serveService(bus, AgentRuntimeService, { describe: () => Promise.resolve(DescribeResponse.create({ runtimeId: 'runner/a' })) }, { subjectFor: (method) => (method === 'Describe' ? subjects.run('r', method) : undefined) });

it('looks twice before it takes a runner for gone, and twice again for whoever has the next attempt', async () => {
  const bus = createInProcessBus({ copy: true });
  const presence = new RunnerPresence(bus, subjects, 'store-writer/test');
  const look = () => presence.isGone('r');
  expect([await look(), await look()]).toEqual([false, true]);
  expect([await look(), await look()]).toEqual([false, true]);
  await look();
  const served = await isThere(bus);
  expect(await look()).toBe(false);
  await served.stop();
  expect([await look(), await look()]).toEqual([false, true]);
  await bus.close();
});
