/**
 * For spec files: a store-writer and a compaction-worker on one bus that encodes every message, and a
 * model on loopback that says what the test tells it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { AppendRecordsRequest, CompactRequest, CompactionServiceService, DeliverRequest, Event, GetEntryRequest, InboundMessage, RequestCompactionRequest, ResolvedRoute, StoreServiceCreateSessionRequest, StoreServiceService, type CompactionResult } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Bus, type Client } from '@sessions/bus';
import { createCompactionWorker } from '@sessions/compaction-worker';
import { activeBranch, parseConfig, parseTranscriptLine, type JsonObject, type SessionConfig, type TranscriptLine } from '@sessions/domain';
import { createMetrics, systemClock, type Service } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { startModelServer, type ModelServer } from '@sessions/llm/testing';
import { createStoreWriter } from '@sessions/store-writer';

export const KEY = 'agent:main:dashboard:long';
export const WINDOW_TOKENS = 20_000;

const RETRIES = { attemptsMax: 2, firstWaitMs: 5, waitMaxMs: 10 };

export interface CompactionScene {
  readonly stateDir: string;
  readonly bus: Bus;
  readonly model: ModelServer;
  readonly store: Client<typeof StoreServiceService>;
  readonly compaction: Client<typeof CompactionServiceService>;
  readonly events: Event[];
  /** Every line that was logged. */
  readonly logged: () => string;
  sessionId: string;
  send(text: string): Promise<string>;
  append(messages: readonly JsonObject[]): Promise<void>;
  /** Asks for a compaction and waits for its end. */
  compact(reason?: string): Promise<CompactionResult | undefined>;
  request(reason?: string): Promise<string>;
  wait(operationId: string): Promise<CompactionResult | undefined>;
  branch(): Promise<readonly TranscriptLine[]>;
  transcript(): Promise<string>;
  /** The worker ends as in a crash: nothing is handed back. */
  startWorker(timeoutMs: number): Promise<Service>;
  close(): Promise<void>;
}

export async function compactionScene(options: { readonly api?: string; readonly timeoutMs?: number; readonly compaction?: JsonObject; readonly withoutWorker?: boolean; /** Those of a real worker. */ readonly hasDefaultLimits?: boolean } = {}): Promise<CompactionScene> {
  const { api = 'openai-completions', timeoutMs = 20_000 } = options;
  const stateDir = mkdtempSync(path.join(tmpdir(), 'compaction-'));
  const model = await startModelServer();
  const provider = { baseUrl: model.baseUrl, api, apiKey: 'k', models: [{ id: 'small', contextWindow: WINDOW_TOKENS, maxTokens: 4_000 }] };
  const parsed = parseConfig({ models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' }, compaction: options.compaction ?? {} } } });
  const config = (parsed as { config: SessionConfig }).config;
  const bus = createInProcessBus({ copy: true });
  const subjects = createSubjects();
  const logger = createRecordingLogger();
  const metrics = createMetrics({ service: 'test' });
  const shared = { bus, clock: systemClock, logger, metrics, config: () => config, instance: 'test' };
  const writer = createStoreWriter({ ...shared, places: { stateDir, homeDir: stateDir } });
  const services: Service[] = [writer];
  const closing: (() => void)[] = [() => metrics.close()];
  await writer.start();
  const caller = 'client:test';
  const store = createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) });
  const compaction = createClient(bus, CompactionServiceService, { caller, subject: (method) => subjects.compaction(method), deadlineMs: 60_000 });
  const events: Event[] = [];
  await bus.events.subscribe(subjects.events(), Event, (event) => void events.push(event));
  const route = ResolvedRoute.create({ agentId: 'main', sessionKey: KEY, matchedBy: 'explicit', originKind: 'webchat', chatType: 'direct' });
  const made: CompactionScene = {
    stateDir,
    bus,
    model,
    store,
    compaction,
    events,
    logged: () => JSON.stringify(logger.lines),
    sessionId: '',
    async send(text) {
      const { sessionId = '', messageId = '' } = await store.deliver(DeliverRequest.create({ agentId: 'main', route, message: InboundMessage.create({ role: 'user', text }) }));
      made.sessionId = sessionId;
      return messageId;
    },
    async append(messages) {
      for (let at = 0; at < messages.length; at += 20) {
        const lines = messages.slice(at, at + 20).map((message) => Buffer.from(JSON.stringify({ type: 'message', message })));
        await store.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: made.sessionId, lines }));
      }
    },
    async request(reason = 'manual') {
      const { operationId, result } = await store.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason }));
      if (operationId === undefined) throw new Error(`nothing to do: ${result?.reason ?? ''}`);
      return operationId;
    },
    wait: async (operationId) => (await compaction.compact(CompactRequest.create({ agentId: 'main', operationId }))).result,
    compact: async (reason) => made.wait(await made.request(reason)),
    async transcript() {
      // A read waits for what was acknowledged.
      for await (const page of store.readBranch({ agentId: 'main', key: KEY, tipId: undefined })) void page;
      const { entryJson } = await store.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }));
      const { sessionId, sessionFile = `${sessionId}.jsonl` } = JSON.parse(entryJson.toString('utf8')) as { sessionId: string; sessionFile?: string };
      return readFileSync(path.join(stateDir, 'agents', 'main', 'sessions', sessionFile), 'utf8');
    },
    async branch() {
      const lines = (await made.transcript()).trimEnd().split('\n');
      return activeBranch(lines.map((line, index) => parseTranscriptLine(line, index + 1))).path;
    },
    async startWorker(limitMs) {
      const own = createMetrics({ service: 'test' });
      closing.push(() => own.close());
      const worker = createCompactionWorker({ ...shared, metrics: own, ...(options.hasDefaultLimits === true ? {} : { timeoutMs: limitMs, retries: RETRIES }) });
      await worker.start();
      services.push(worker);
      return worker;
    },
    async close() {
      for (const service of services.reverse()) {
        await service.drain();
        await service.stop();
      }
      await model.close();
      for (const close of closing) close();
      await bus.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  await store.createSession(StoreServiceCreateSessionRequest.create({ agentId: 'main', key: KEY }));
  if (options.withoutWorker !== true) await made.startWorker(timeoutMs);
  return made;
}
