/** Messages that were to be answered together with another one. */
import { activeRun, runMembers, runsOf, type OpenRun } from './open-run';
import { RunRequest } from '@sessions/contracts';

const run = (runId: string, more: Partial<OpenRun> = {}): OpenRun => ({ runId, state: 'queued', acceptedAtMs: 1, sessionId: 's', attempt: 1, request: RunRequest.create({ runId }), mode: 'steer', messageId: runId, ...more });
const read = (runs: readonly OpenRun[]): readonly OpenRun[] => runsOf(runMembers(runs, {}).set);

it('have a turn of their own when that one is gone, or over', () => {
  expect(activeRun(read([run('a', { joins: 'gone' }), run('b', { joins: 'a' })]))?.runId).toBe('a');
  expect(activeRun(read([run('a', { joins: 'b' }), run('b', { state: 'over' })]))?.runId).toBe('a');
});

it('stay with it while it waits or runs', () => {
  expect(activeRun(read([run('a', { joins: 'b' }), run('b')]))?.runId).toBe('b');
  expect(read([run('a', { state: 'running' }), run('b', { state: 'running', joins: 'a' })])[1]?.joins).toBe('a');
});
