/**
 * For spec files: the service as its callers have it, a real store on disk behind a bus that encodes
 * every message.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import {
  Attachment,
  ChannelMessageRef,
  DeliverRequest,
  Event,
  InboundMessage,
  PeerRef,
  ReadHistoryRequest,
  ReplyRoute,
  ResolvedRoute,
  Sender,
  StoreServiceService,
  type ReadHistoryResponse,
} from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Bus, type Client } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock, type Clock, type Logger, type Service } from '@sessions/host';
import { createStoreWriter, type StoreWriterDeps } from '../store-writer';

/** Session key of Ann, whose messages `telegram` makes. */
export const KEY = 'agent:main:telegram:direct:123';
export const subjects = createSubjects();

/** A store opens and closes with several synced writes, on a disk that others use too. */
const TEST_LIMIT_MS = 60_000;
const POLL_MS = 2;

export interface Bench {
  readonly stateDir: string;
  readonly bus: Bus;
  readonly service: Service;
  readonly client: Client<typeof StoreServiceService>;
  readonly pool: Client<typeof StoreServiceService>;
  readonly events: Event[];
  stop(): Promise<void>;
}

const opened: Bench[] = [];

function configOf(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error(result.problems.map((problem) => `${problem.path}: ${problem.message}`).join('\n'));
  return result.config;
}

/** Starts a service; it is stopped and its directory removed after the test. */
export async function bench(options: { stateDir?: string; clock?: Clock; config?: unknown; openStoresMax?: number; logger?: Logger; openStore?: StoreWriterDeps['openStore']; claimMs?: number; tellAgainMs?: number; trajectory?: StoreWriterDeps['trajectory'] } = {}): Promise<Bench> {
  const stateDir = options.stateDir ?? newStateDir();
  const bus = createInProcessBus({ copy: true });
  const config = configOf(options.config ?? {});
  const metrics = createMetrics({ service: 'test' });
  const service = createStoreWriter({
    bus,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    metrics,
    config: () => config,
    places: { stateDir, homeDir: stateDir },
    instance: 'test',
    ...(options.openStoresMax === undefined ? {} : { openStoresMax: options.openStoresMax }),
    ...(options.openStore === undefined ? {} : { openStore: options.openStore }),
    ...(options.claimMs === undefined ? {} : { claimMs: options.claimMs }),
    ...(options.tellAgainMs === undefined ? {} : { tellAgainMs: options.tellAgainMs }),
    ...(options.trajectory === undefined ? {} : { trajectory: options.trajectory }),
  });
  const events: Event[] = [];
  await bus.events.subscribe(subjects.events(), Event, (event) => void events.push(event));
  const caller = 'client:test';
  const made: Bench = {
    stateDir,
    bus,
    service,
    events,
    client: createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) }),
    pool: createClient(bus, StoreServiceService, { caller, subject: (method) => subjects.storePool(method) }),
    async stop() {
      await service.drain();
      await service.stop();
      metrics.close();
      await bus.close();
    },
  };
  opened.push(made);
  await service.start();
  return made;
}

/** To be called once in a spec file. */
export function cleanUpBenches(): void {
  jest.setTimeout(TEST_LIMIT_MS);
  afterEach(async () => {
    for (const one of opened.splice(0)) {
      await one.stop();
      rmSync(one.stateDir, { recursive: true, force: true });
    }
  });
}

export function newStateDir(): string {
  return mkdtempSync(path.join(tmpdir(), 'store-writer-'));
}

/** Ends the service but keeps its directory for another one. */
export async function restart(before: Bench, options: { config?: unknown; clock?: Clock; claimMs?: number; tellAgainMs?: number } = {}): Promise<Bench> {
  await before.stop();
  opened.splice(opened.indexOf(before), 1);
  return bench({ ...options, stateDir: before.stateDir });
}

/** A message of Ann's, as the router delivers it. */
export const telegram = (text: string, options: { key?: string; agentId?: string; messageId?: string; attachments?: Attachment[]; authority?: string; mentioned?: boolean } = {}): DeliverRequest => {
  const { key = KEY, agentId = 'main', messageId } = options;
  return DeliverRequest.create({
    agentId,
    route: ResolvedRoute.create({
      agentId,
      sessionKey: key,
      matchedBy: 'default',
      originKind: 'channel',
      channel: 'telegram',
      accountId: 'default',
      chatType: 'direct',
      peer: PeerRef.create({ kind: 'direct', id: '123' }),
      replyRoute: ReplyRoute.create({ channel: 'telegram', to: '123' }),
    }),
    message: InboundMessage.create({
      role: 'user',
      text,
      attachments: options.attachments ?? [],
      sender: Sender.create({ id: '123', name: 'Ann', authority: options.authority }),
      mentioned: options.mentioned,
      channelMessage: messageId === undefined ? undefined : ChannelMessageRef.create({ channel: 'telegram', messageId }),
    }),
  });
};

export const sessionsDir = (stateDir: string, agentId = 'main'): string => path.join(stateDir, 'agents', agentId, 'sessions');
/** Complete lines of the file, which gets its bytes a moment after the answers. */
export const transcriptLines = (stateDir: string, sessionId: string): Record<string, unknown>[] =>
  readFileSync(path.join(sessionsDir(stateDir), `${sessionId}.jsonl`), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);

export async function history(made: Bench, request: Partial<ReadHistoryRequest> = {}): Promise<{ texts: string[]; items: ReadHistoryResponse[] }> {
  const items: ReadHistoryResponse[] = [];
  const texts: string[] = [];
  for await (const item of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, ...request }))) {
    items.push(item);
    if (item.item?.$case === 'records') texts.push(...item.item.value.records.map(({ lineJson }) => textOf(lineJson)));
  }
  return { texts, items };
}

export function textOf(lineJson: Uint8Array): string {
  const line = JSON.parse(Buffer.from(lineJson).toString('utf8')) as { message: { content: { text?: string }[] } };
  return line.message.content.map((block) => block.text ?? '').join('');
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

