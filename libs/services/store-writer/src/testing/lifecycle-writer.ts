/**
 * A process for spec files that dies: an owner that carries out one operation and ends at one step of
 * it, by `kill -9` of itself as it enters the n-th call that changes its disk; a write is half done then.
 *
 *     node lifecycle-writer.js '{"stateDir": …, "operation": "reset", "dieAt": 3}'
 *     ready · steps <count> · done
 */
import { writeSync } from 'node:fs';
import { ApplyMaintenanceRequest, DeliverRequest, InboundMessage, MaintenanceAction, PeerRef, ResolvedRoute, Sender, StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, StoreServiceRestoreSessionRequest, StoreServiceService } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Client } from '@sessions/bus';
import { defaultConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { openStore, type OpenStoreOptions } from '@sessions/store';
import { createStoreWriter } from '../store-writer';
import { dyingAt } from './dying-disk';

export const OPERATIONS = ['reset', 'clear', 'delete', 'cleanup', 'restore'] as const;
export type LifecycleOperation = (typeof OPERATIONS)[number];

export interface LifecycleTask {
  readonly stateDir: string;
  readonly operation: LifecycleOperation;
  /** Number of the call, from 1; 0: none. */
  readonly dieAt: number;
  /** Of the operation `cleanup`. */
  readonly actions: readonly Partial<MaintenanceAction>[];
}

type FileSystem = NonNullable<OpenStoreOptions['fileSystem']>;

export const VICTIM_KEY = 'agent:main:telegram:direct:1';

/** The same request each time: a repeat finds what the one before came to. */
export async function perform(client: Client<typeof StoreServiceService>, { operation, actions }: Pick<LifecycleTask, 'operation' | 'actions'>): Promise<void> {
  const key = VICTIM_KEY;
  const options = { idempotencyKey: `lifecycle-${operation}` };
  if (operation === 'reset') await client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key, reason: 'reset' }), options);
  else if (operation === 'delete') await client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key, deleteTranscript: true }), options);
  else if (operation === 'restore') await client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key }), options);
  else if (operation === 'cleanup') await client.applyMaintenance(ApplyMaintenanceRequest.create({ agentId: 'main', planId: 'p', batch: 1, actions: actions.map((action) => MaintenanceAction.create(action)) }), options);
  else {
    const route = ResolvedRoute.create({ agentId: 'main', sessionKey: key, matchedBy: 'default', originKind: 'channel', channel: 'telegram', accountId: 'default', chatType: 'direct', peer: PeerRef.create({ kind: 'direct', id: '1' }) });
    await client.deliver(DeliverRequest.create({ agentId: 'main', route, message: InboundMessage.create({ role: 'user', text: '/clear', attachments: [], sender: Sender.create({ id: '1', authority: 'owner' }) }) }), options);
  }
}

const say = (line: string): void => void writeSync(1, `${line}\n`);

async function run(task: LifecycleTask, disk: FileSystem): Promise<void> {
  const { stateDir, dieAt } = task;
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const config = defaultConfig();
  const dying = dyingAt(disk, dieAt);
  const writer = createStoreWriter({
    bus, clock: systemClock, logger: silentLogger, metrics: createMetrics({ service: 'test' }), config: () => config, places: { stateDir, homeDir: stateDir }, instance: 'victim',
    openStore: (options) => openStore({ ...options, fileSystem: dying.fileSystem }),
  });
  await writer.start();
  const client = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
  await client.storeInfo({ agentId: 'main' } as never);
  say('ready');
  dying.count();
  await perform(client, task);
  // What the operation left to do meanwhile is part of it.
  await writer.drain();
  say(`steps ${String(dying.steps)}`);
  await writer.stop();
  say('done');
}

if (require.main === module) {
  void import('@sessions/store/testing').then(({ nodeFileSystem }) => run(JSON.parse(process.argv[2] ?? '{}') as LifecycleTask, nodeFileSystem));
}
