/** Which run tells a parent, when one run of its sub-agent takes the place of another. */
import { FollowUp, RunRequest, SpawnClaim } from '@sessions/contracts';
import type { OpenRun } from './open-run';
import { acceptRun, type QueueSettings } from './queue-run';

const SETTINGS: QueueSettings = { mode: 'steer', cap: 5, drop: 'summarize', debounceMs: 0 };

function run(runId: string, claim: Partial<SpawnClaim> | undefined, state: OpenRun['state'] = 'queued'): OpenRun {
  const followUp = claim === undefined ? undefined : FollowUp.create({ kind: { $case: 'spawn', value: SpawnClaim.create({ parentKey: 'agent:main:main', task: 't', step: 'run', hops: 1, ...claim }) } });
  return { runId, state, acceptedAtMs: 0, sessionId: 's', attempt: 1, request: RunRequest.create({ runId, deliver: false, ...(followUp === undefined ? {} : { followUp }) }), mode: 'interrupt', messageId: runId };
}

/** By which run the first one is told, when the second one interrupts it. */
function toldBy(first: OpenRun, second: OpenRun): string | undefined {
  const { runs, cancelled } = acceptRun([first], second, SETTINGS, true, 1);
  return [...runs, ...cancelled.map((one) => one.run)].find(({ runId }) => runId === first.runId)?.toldBy;
}

describe.each(['queued', 'running'] as const)('a %s run that another one interrupts', (state) => {
  it('is told by it where both are work of one parent', () => {
    expect(toldBy(run('first', {}, state), run('second', {}))).toBe('second');
  });

  it('tells itself where the other is of somebody else, of another parent, or its result is on its way already', () => {
    expect(toldBy(run('first', {}, state), run('second', undefined))).toBeUndefined();
    expect(toldBy(run('first', undefined, state), run('second', {}))).toBeUndefined();
    expect(toldBy(run('first', {}, state), run('second', { parentKey: 'agent:ops:main' }))).toBeUndefined();
    expect(toldBy(run('first', { step: 'announce' }, state), run('second', {}))).toBeUndefined();
  });
});
