import { TurnJob } from '@sessions/contracts';
import { createInProcessBus, createSubjects, type Bus } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, type Metrics } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { createAgentRunner, type AgentRunnerDeps } from './index';

const CONFIG = (parseConfig({}) as { config: SessionConfig }).config;
const subjects = createSubjects();

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5000; turn += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never came true');
}

describe('the agent-runner', () => {
  let bus: Bus;
  let metrics: Metrics;
  beforeEach(() => {
    bus = createInProcessBus();
    metrics = createMetrics({ service: 'test' });
  });
  afterEach(async () => {
    metrics.close();
    await bus.close();
  });
  const start = async (handle?: AgentRunnerDeps['handle']) => {
    const logger = createRecordingLogger();
    const worker = createAgentRunner({ bus, logger, metrics, config: () => CONFIG, instance: 'test', ...(handle !== undefined && { handle }) });
    await worker.start();
    return { worker, logger };
  };
  const publish = (id: string): Promise<unknown> =>
    bus.jobs.publish(subjects.job('turn', 'main'), TurnJob, TurnJob.create({ agentId: 'main', runId: id, attempt: 1, sessionKey: 'agent:main:main' }), id);

  it('does its jobs and counts them', async () => {
    const done: string[] = [];
    const { worker, logger } = await start(async ({ runId: id }) => (done.push(id), { done: true }));
    await publish('one');
    await until(() => logger.lines.length === 1);
    expect(done).toEqual(['one']);
    expect(logger.lines[0]).toMatchObject({ level: 'info', agentId: 'main', attempt: 1 });
    expect(JSON.stringify(logger.lines)).not.toContain('agent:main:main');
    expect(await metrics.text()).toMatch(/sessions_turn_jobs_total\{outcome="done",.*\} 1/u);
    await worker.stop();
  });

  it('gives a job back while its owner cannot be reached', async () => {
    const { worker, logger } = await start();
    await publish('one');
    await until(() => logger.lines.length === 1);
    expect(logger.lines[0]).toMatchObject({ level: 'warn', reason: 'no-owner' });
    expect(await bus.jobs.listDead(subjects.jobs('turn'))).toEqual([]);
    await worker.drain();
    await worker.stop();
    expect(worker.running).toBe(0);
  });
});
