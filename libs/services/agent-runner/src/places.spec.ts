/** More turns than places: each place that becomes free is taken at once, by whichever runner has it, and no turn is given back for want of one. */
import { TurnJob } from '@sessions/contracts';
import { connectNatsBus, createInProcessBus, createSubjects, type Bus } from '@sessions/bus';
import { startNatsServer } from '@sessions/bus/testing';
import type { SessionConfig } from '@sessions/domain';
import { createMetrics, type Metrics } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { createAgentRunner, type AgentRunner } from './index';
import { configOf, until } from './testing/runner-house';

const subjects = createSubjects();
const PLACES = { turn: 2, subagent: 1 } as const;
const RUNNERS = 2;
const KEYS = { turn: 'agent:main:main', subagent: 'agent:main:subagent:a' } as const;
type Lane = keyof typeof PLACES;

const settings = (max: number): SessionConfig => configOf({ agentRunner: { maxConcurrent: max, runtime: 'external' }, agents: { defaults: { subagents: { maxConcurrent: PLACES.subagent } } } });

async function inProcess(): Promise<{ buses: Bus[]; close: () => Promise<void> }> {
  const bus = createInProcessBus();
  return { buses: [bus, bus], close: () => bus.close() };
}
async function overNats(): Promise<{ buses: Bus[]; close: () => Promise<void> }> {
  const server = await startNatsServer();
  const opened = await Promise.allSettled(Array.from({ length: RUNNERS }, (_, at) => connectNatsBus({ servers: [server.url], service: 'agent-runner', subjectPrefix: subjects.prefix, instance: String(at), provision: true, onReport: () => undefined })));
  const buses = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    // Left open, they would keep the tests' process for ever.
    await Promise.all(buses.map((bus) => bus.close()));
    await server.stop();
    throw failed.reason;
  }
  return {
    buses,
    async close() {
      await Promise.all(buses.map((bus) => bus.close()));
      await server.stop();
    },
  };
}

describe.each([['in one process', inProcess], ['over NATS', overNats]] as const)('two runners %s, with more turns than places', (_name, open) => {
  let buses: Bus[];
  let close: () => Promise<void>;
  let metrics: Metrics[] = [];
  let runners: AgentRunner[] = [];
  let config: SessionConfig;
  /** Turns under way: of each runner, by lane, what ends them. */
  let held: Record<Lane, Map<string, () => void>>[];
  /** Of a runner that stopped. */
  const abandoned: (() => void)[] = [];
  let logger: ReturnType<typeof createRecordingLogger>;

  beforeEach(async () => {
    ({ buses, close } = await open());
    config = settings(PLACES.turn);
    logger = createRecordingLogger();
    held = buses.map(() => ({ turn: new Map(), subagent: new Map() }));
    metrics = buses.map(() => createMetrics({ service: 'test' }));
    runners = buses.map((bus, at) =>
      createAgentRunner({
        bus, logger, metrics: metrics[at] as Metrics, config: () => config, instance: String(at),
        handle: async ({ runId, sessionKey }) => {
          const mine = (held[at] as Record<Lane, Map<string, () => void>>)[sessionKey === KEYS.subagent ? 'subagent' : 'turn'];
          await new Promise<void>((resolve) => mine.set(runId, resolve));
          mine.delete(runId);
          return { done: true };
        },
      }),
    );
    for (const runner of runners) await runner.start();
  });
  afterEach(async () => {
    for (const runner of runners) await runner.stop();
    for (const lanes of held) for (const end of [...lanes.turn.values(), ...lanes.subagent.values(), ...abandoned.splice(0)]) end();
    for (const each of metrics) each.close();
    await close();
  });

  const publish = async (lane: Lane, count: number): Promise<void> => {
    for (let number = 1; number <= count; number += 1) {
      const runId = `${lane}-${String(number)}`;
      await buses[0]?.jobs.publish(subjects.job(lane, 'main'), TurnJob, TurnJob.create({ agentId: 'main', runId, attempt: 1, sessionKey: KEYS[lane] }), runId);
    }
  };
  const running = (lane: Lane): number => held.reduce((sum, lanes) => sum + lanes[lane].size, 0);
  const endOne = (lane: Lane): void => held.map((lanes) => [...lanes[lane].values()][0]).find((end) => end !== undefined)?.();

  it('leave no place free while a turn waits, and have each turn done at its first delivery', async () => {
    const counts = { turn: 40, subagent: 12 } as const;
    await publish('turn', counts.turn);
    await publish('subagent', counts.subagent);
    const ended = { turn: 0, subagent: 0 };
    while (ended.turn + ended.subagent < counts.turn + counts.subagent) {
      for (const lane of ['turn', 'subagent'] as const) {
        await until(() => running(lane) === Math.min(counts[lane] - ended[lane], RUNNERS * PLACES[lane]));
        expect(held.every((lanes) => lanes[lane].size <= PLACES[lane])).toBe(true);
        if (ended[lane] === counts[lane]) continue;
        endOne(lane);
        ended[lane] += 1;
      }
    }
    await until(() => logger.lines.length === counts.turn + counts.subagent);
    expect(logger.lines.filter(({ attempt }) => attempt !== 1)).toEqual([]);
    const outcomes = await Promise.all(metrics.map((each) => each.text()));
    expect(outcomes.join('\n')).not.toMatch(/jobs_total\{outcome="(?:retry|failed|taken-back)"/u);
  });

  it('begin turns of sub-agents while those of people wait, and the other way round', async () => {
    await publish('turn', 30);
    await until(() => running('turn') === RUNNERS * PLACES.turn);
    await publish('subagent', 1);
    await until(() => running('subagent') === 1);
    expect(running('turn')).toBe(RUNNERS * PLACES.turn);
  });

  it('take what one of them leaves behind', async () => {
    await publish('turn', 20);
    await until(() => running('turn') === RUNNERS * PLACES.turn);
    const [gone] = runners;
    const left = [...(held[0]?.turn.keys() ?? [])];
    await gone?.stop();
    abandoned.push(...(held[0]?.turn.values() ?? []));
    held[0]?.turn.clear();
    const done = new Set<string>();
    while (done.size < 20) {
      await until(() => (held[1]?.turn.size ?? 0) > 0);
      for (const [runId, end] of [...(held[1]?.turn ?? [])]) {
        done.add(runId);
        end();
      }
      await until(() => ![...(held[1]?.turn.keys() ?? [])].some((runId) => done.has(runId)));
    }
    expect(left.every((runId) => done.has(runId))).toBe(true);
  });

  it('take more at a time when the configuration says so', async () => {
    await publish('turn', 20);
    await until(() => running('turn') === RUNNERS * PLACES.turn);
    config = settings(PLACES.turn + 2);
    for (const lanes of held) [...lanes.turn.values()][0]?.();
    await until(() => running('turn') === RUNNERS * (PLACES.turn + 2));
  });
});
