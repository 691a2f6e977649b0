/**
 * A process to kill: the owner of a store and a runner, over real files, with one tool. A call of the tool
 * from `hangFrom` on is told and never answered, one before it is answered. When no turn is open it
 * sends the next message itself. It waits for its task on stdin, so that it can be loaded beforehand.
 *
 *     {"stateDir": …, "baseUrl": …, "api": …, "hangFrom": …, "message": …}
 *     called <number> · answered <number>
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DeliverRequest, InboundMessage, InvokeToolResponse, ListPendingRequest, ResolvedRoute, RouterServiceService, RunRequest, StoreServiceService } from '@sessions/contracts';
import { createAgentRunner } from '@sessions/agent-runner';
import { createClient, createInProcessBus, createSubjects, serveService } from '@sessions/bus';
import { parseConfig } from '@sessions/domain';
import { createMetrics, silentLogger, sleep, systemClock, type Clock } from '@sessions/host';
import { createStoreWriter } from '@sessions/store-writer';
import { KEY } from './names';

export interface AgentTask {
  readonly stateDir: string;
  /** Of the model. */
  readonly baseUrl: string;
  readonly api: string;
  /** Calls are numbered by their argument `number`. */
  readonly hangFrom: number;
  /** What is sent when no turn is open. */
  readonly message: string;
}

/** The owner's durations pass so many times as fast: a runner that died is missed after a tenth of a second. */
const HURRY = 20;
/** A runner that lives keeps its claim, however slow the machine. */
const CLAIM_MS = 60 * 60_000 * HURRY;
const LOOK_MS = 10;
/** Conversations of this spec never come near it. */
const WINDOW_TOKENS = 50_000_000;

const hurried: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  setTimer: (delayMs, run, options) => systemClock.setTimer(delayMs / HURRY, run, options),
};

const say = (line: string): void => void writeSync(1, `${line}\n`);

async function run({ stateDir, baseUrl, api, hangFrom, message }: AgentTask): Promise<void> {
  const provider = { baseUrl, api, apiKey: 'k', models: [{ id: 'small', contextWindow: WINDOW_TOKENS, maxTokens: 4_000 }] };
  const parsed = parseConfig({ models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' }, compaction: { memoryFlush: { enabled: false } } } } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const shared = { bus, logger: silentLogger, metrics: createMetrics({ service: 'test' }), config: () => config, instance: `victim-${String(process.pid)}` };
  await serveService(
    bus,
    RouterServiceService,
    {
      invokeTool: async ({ argumentsJson }) => {
        const { number } = JSON.parse(Buffer.from(argumentsJson).toString('utf8')) as { number: number };
        say(`called ${String(number)}`);
        if (number >= hangFrom) await new Promise(() => undefined);
        say(`answered ${String(number)}`);
        return InvokeToolResponse.create({ resultJson: Buffer.from(JSON.stringify({ status: 'ok', number })) });
      },
    },
    { subjectFor: (method) => (method === 'InvokeTool' ? subjects.router(method) : undefined), queueGroup: 'router' },
  );
  const writer = createStoreWriter({ ...shared, clock: hurried, places: { stateDir, homeDir: stateDir }, holdsDefaultAgent: true, claimMs: CLAIM_MS });
  await writer.start();
  await createAgentRunner({ ...shared, retries: { attemptsMax: 1, firstWaitMs: 1, waitMaxMs: 1 } }).start();
  const store = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
  for (;;) {
    const { turns } = await store.listPending(ListPendingRequest.create({ agentId: 'main' }));
    if (turns.length === 0) break;
    await sleep(systemClock, LOOK_MS);
  }
  const route = ResolvedRoute.create({ agentId: 'main', sessionKey: KEY, matchedBy: 'explicit', originKind: 'webchat', chatType: 'direct' });
  await store.deliver(DeliverRequest.create({ agentId: 'main', route, message: InboundMessage.create({ role: 'user', text: message }), run: RunRequest.create({ runId: `run-${message.replaceAll(' ', '-')}`, source: 'chat', queueMode: 'followup' }) }));
}

if (require.main === module) {
  createInterface({ input: process.stdin }).once('line', (line) => {
    run(JSON.parse(line) as AgentTask).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    });
  });
}

