import { createHealth } from './health';

describe('createHealth', () => {
  it('is ready only while serving with no part down', () => {
    const health = createHealth();
    expect(health.report()).toEqual({ phase: 'starting', ready: false, state: 'ok', parts: {} });
    health.setPhase('serving');
    health.setPart('store main', 'degraded', 'CHECKPOINT_LATE');
    expect(health.report()).toMatchObject({ ready: true, state: 'degraded' });
    health.setPart('bus', 'down', 'NO_SERVER');
    expect(health.report()).toMatchObject({ ready: false, state: 'down', parts: { bus: { state: 'down', reason: 'NO_SERVER' } } });
    health.setPart('bus', 'ok');
    health.setPhase('draining');
    expect(health.report()).toMatchObject({ phase: 'draining', ready: false, state: 'degraded' });
  });

  it('forgets a part that was closed', () => {
    const health = createHealth();
    health.setPart('store a', 'down', 'DISK_FULL');
    health.removePart('store a');
    expect(health.report()).toMatchObject({ state: 'ok', parts: {} });
  });

  it('tells listeners of changes only, until they leave', () => {
    const health = createHealth();
    const seen: string[] = [];
    const leave = health.onChange(({ phase, state }) => seen.push(`${phase} ${state}`));
    health.setPhase('serving');
    health.setPhase('serving');
    health.setPart('store', 'ok');
    health.setPart('store', 'ok');
    leave();
    health.setPhase('draining');
    expect(seen).toEqual(['serving ok', 'serving ok']);
  });
});
