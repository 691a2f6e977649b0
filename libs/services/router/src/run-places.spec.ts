import { ChangedEvent, Event, RunEvent } from '@sessions/contracts';
import { RunPlaces } from './run-places';

const lifecycle = (agentId: string, runId: string, stream = 'lifecycle'): Event => Event.create({ agentId, body: { $case: 'run', value: RunEvent.create({ runId, stream, dataJson: Buffer.from('{}') }) } });

it('knows where runs are from what owners and runners tell of them, the agent heard last first', () => {
  const places = new RunPlaces();
  places.note('r', 'main');
  places.noteEvent(Event.create({ agentId: 'work', body: { $case: 'changed', value: ChangedEvent.create({ phase: 'start', runId: 'r' }) } }));
  places.noteEvent(lifecycle('main', 'other'));
  places.noteEvent(lifecycle('main', 'spoken', 'assistant'));
  expect([places.agentsOf('r'), places.agentsOf('other'), places.agentsOf('spoken')]).toEqual([['work', 'main'], ['main'], []]);
});

it('keeps a bounded number of runs, and of agents for one id', () => {
  const places = new RunPlaces(2);
  for (let agent = 0; agent < 20; agent += 1) places.note('a', `a${String(agent)}`);
  expect(places.agentsOf('a')).toHaveLength(8);
  places.note('b', 'main');
  places.note('a', 'a19');
  places.note('c', 'main');
  expect([places.agentsOf('a').length, places.agentsOf('b'), places.agentsOf('c')]).toEqual([8, [], ['main']]);
});
