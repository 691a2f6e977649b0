/** A runner with everything around it, in one process: bus, owner, model server, and what it says to the world. */
import { Event, InvokeToolResponse, RouterServiceService, type InvokeToolRequest } from '@sessions/contracts';
import { createInProcessBus, createSubjects, serveService, type CallContext, type InProcessBus, type Served } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { startModelServer, type ModelServer } from '@sessions/llm/testing';
import { createAgentRunner, type AgentRunner, type AgentRunnerDeps } from '../agent-runner';
import { serveStandInOwner, type StandInOwner } from './stand-in-owner';

export interface RunnerHouse {
  readonly bus: InProcessBus;
  readonly owner: StandInOwner;
  readonly model: ModelServer;
  readonly events: Event[];
  readonly runner: AgentRunner;
  readonly logger: ReturnType<typeof createRecordingLogger>;
  /** Another runner of the same house. */
  startRunner(more?: Partial<AgentRunnerDeps>): Promise<AgentRunner>;
  serveTools(invoke: (request: InvokeToolRequest, context: CallContext) => Promise<{ result: unknown; endsTurn?: boolean }>): Promise<Served>;
  close(): Promise<void>;
}

export interface HouseOptions {
  readonly api?: 'openai-completions' | 'anthropic-messages';
  readonly settings?: object;
  readonly runner?: Partial<AgentRunnerDeps>;
}

export function configOf(value: object): SessionConfig {
  const parsed = parseConfig(value);
  if (!('config' in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed.config as SessionConfig;
}

export async function openHouse({ api = 'openai-completions', settings, runner: own }: HouseOptions = {}): Promise<RunnerHouse> {
  const bus = createInProcessBus();
  const owner = await serveStandInOwner(bus);
  const model = await startModelServer(() => ({ chunks: ['Good ', 'day'], usage: { input: 10, output: 2 } }));
  const given = settings ?? { agents: { defaults: { model: { primary: 'local/small' } } } };
  const config = configOf({ ...given, models: { providers: { local: { baseUrl: model.baseUrl, apiKey: 'k', api, models: [{ id: 'small' }, { id: 'spare' }] } } } });
  const metrics = createMetrics({ service: 'test' });
  const logger = createRecordingLogger();
  const events: Event[] = [];
  const heard = await bus.events.subscribe(createSubjects().events(), Event, (event) => void events.push(event));
  const runners: AgentRunner[] = [];
  const startRunner = async (more: Partial<AgentRunnerDeps> = {}): Promise<AgentRunner> => {
    const made = createAgentRunner({ bus, logger, metrics: createMetrics({ service: 'test' }), config: () => config, instance: `test-${String(runners.length)}`, retries: { attemptsMax: 3, firstWaitMs: 1, waitMaxMs: 2 }, firstPauseMs: 1, ...own, ...more });
    runners.push(made);
    await made.start();
    return made;
  };
  return {
    bus,
    owner,
    model,
    events,
    logger,
    runner: await startRunner(),
    startRunner,
    serveTools: (invoke) =>
      serveService(
        bus,
        RouterServiceService,
        {
          invokeTool: async (request, context) => {
            const { result, endsTurn = false } = await invoke(request, context);
            return InvokeToolResponse.create({ resultJson: Buffer.from(JSON.stringify(result)), endsTurn });
          },
        },
        { subjectFor: (method) => (method === 'InvokeTool' ? createSubjects().router(method) : undefined), queueGroup: 'router' },
      ),
    async close() {
      for (const each of runners) await each.stop();
      await heard.stop();
      await owner.stop();
      await model.close();
      metrics.close();
      await bus.close();
    },
  };
}

export async function until(holds: () => boolean): Promise<void> {
  const endAtMs = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > endAtMs) throw new Error('it never came true');
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
