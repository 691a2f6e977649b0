/**
 * A process to kill: the owner of a store and a runner, over real files, with one tool and some
 * conversations. Each makes its call; when all have, it says so, and answers those that are to be
 * answered. Where no turn is open it sends the next message itself. It waits for its task, one line of
 * JSON on stdin, so that it can be loaded beforehand.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DeliverRequest, InboundMessage, InvokeToolResponse, ListPendingRequest, ResolvedRoute, RouterServiceService, RunRequest, StoreServiceService, type InvokeToolRequest } from '@sessions/contracts';
import { createAgentRunner } from '@sessions/agent-runner';
import { createClient, createInProcessBus, createSubjects, serveService, type Client } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, sleep, systemClock, type Clock } from '@sessions/host';
import { createStoreWriter } from '@sessions/store-writer';
import { ALL_CALLED, type AgentTask, type Conversation } from './names';

/** The owner's durations pass so many times as fast: a runner that died is missed after a tenth of a second. */
const HURRY = 20;
/** A runner that lives keeps its claim, however slow the machine. */
const CLAIM_MS = 60 * 60_000 * HURRY;
const LOOK_MS = 20;
/** Of this process's own calls. */
const DEADLINE_MS = 600_000;
/** The conversations never come near it. */
const WINDOW_TOKENS = 50_000_000;

const hurried: Clock = {
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  setTimer: (delayMs, run, options) => systemClock.setTimer(delayMs / HURRY, run, options),
};

async function live({ stateDir, baseUrl, api, conversations }: AgentTask): Promise<void> {
  const config = configOf(baseUrl, api, conversations.length);
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const shared = { bus, logger: silentLogger, metrics: createMetrics({ service: 'test' }), config: () => config, instance: `victim-${String(process.pid)}` };
  const tool = new Tool(conversations);
  await serveService(bus, RouterServiceService, { invokeTool: (request) => tool.invoke(request) }, { subjectFor: (method) => (method === 'InvokeTool' ? subjects.router(method) : undefined), queueGroup: 'router' });
  await createStoreWriter({ ...shared, clock: hurried, places: { stateDir, homeDir: stateDir }, holdsDefaultAgent: true, claimMs: CLAIM_MS }).start();
  await createAgentRunner({ ...shared, retries: { attemptsMax: 1, firstWaitMs: 1, waitMaxMs: 1 } }).start();
  const store = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method), deadlineMs: DEADLINE_MS });
  const silent = new Set(conversations);
  while (silent.size > 0) {
    const { turns } = await store.listPending(ListPendingRequest.create({ agentId: 'main' }));
    const busy = new Set(turns.map(({ run }) => run?.sessionKey ?? ''));
    for (const one of silent) {
      if (!tool.hasCalled(one.key) && busy.has(one.key)) continue;
      silent.delete(one);
      if (!tool.hasCalled(one.key)) await send(store, one);
    }
    await sleep(systemClock, LOOK_MS);
  }
}

function configOf(baseUrl: string, api: string, turnsAtOnce: number): SessionConfig {
  const provider = { baseUrl, api, apiKey: 'k', models: [{ id: 'small', contextWindow: WINDOW_TOKENS, maxTokens: 4_000 }] };
  const parsed = parseConfig({ models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' }, compaction: { memoryFlush: { enabled: false } } } }, agentRunner: { maxConcurrent: turnsAtOnce } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

async function send(store: Client<typeof StoreServiceService>, { key, message }: Conversation): Promise<void> {
  const route = ResolvedRoute.create({ agentId: 'main', sessionKey: key, matchedBy: 'explicit', originKind: 'webchat', chatType: 'direct' });
  const run = RunRequest.create({ runId: `run-${message.replaceAll(' ', '-')}`, source: 'chat', queueMode: 'followup' });
  await store.deliver(DeliverRequest.create({ agentId: 'main', route, message: InboundMessage.create({ role: 'user', text: message }), run }));
}

class Tool {
  readonly #conversations: readonly Conversation[];
  readonly #called = new Set<string>();
  #release = (): void => undefined;
  readonly #released = new Promise<void>((resolve) => (this.#release = resolve));

  constructor(conversations: readonly Conversation[]) {
    this.#conversations = conversations;
  }

  /** Its conversation has made the call at which it dies. */
  hasCalled(key: string): boolean {
    return this.#called.has(key);
  }

  async invoke({ sessionKey = '', argumentsJson }: InvokeToolRequest): Promise<InvokeToolResponse> {
    const { number } = JSON.parse(Buffer.from(argumentsJson).toString('utf8')) as { number: number };
    const own = this.#conversations.find(({ key }) => key === sessionKey);
    if (own?.diesAt === number) {
      this.#called.add(sessionKey);
      if (this.#called.size === this.#conversations.length) {
        writeSync(1, `${ALL_CALLED}\n`);
        this.#release();
      }
      await (own.isAnswered ? this.#released : new Promise(() => undefined));
    }
    return InvokeToolResponse.create({ resultJson: Buffer.from(JSON.stringify({ status: 'ok', number })) });
  }
}

if (require.main === module) {
  createInterface({ input: process.stdin }).once('line', (line) => {
    live(JSON.parse(line) as AgentTask).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    });
  });
}
