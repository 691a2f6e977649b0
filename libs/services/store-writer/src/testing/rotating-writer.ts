/**
 * A process for spec files that dies: an owner that installs the compaction which its store waits for
 * while lines are appended, all of them for the transcript before. It is killed from outside, or kills
 * itself as it enters the n-th call that changes its disk; a write is half done then.
 *
 *     node rotating-writer.js '{"stateDir": …, "key": …, "from": 500, "to": 600, "installAfter": 530, "dieAt": 0}'
 *     ready · ack <number> … · installing · installed · steps <count> · done
 */
import { writeSync } from 'node:fs';
import { InstallCompactionRequest, ListPendingRequest, StoreServiceService } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Client } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { openStore, type OpenStoreOptions } from '@sessions/store';
import { createStoreWriter } from '../store-writer';
import { dyingAt } from './dying-disk';
import { appendNumbered } from './numbered-lines';

export interface RotatingTask {
  readonly stateDir: string;
  readonly key: string;
  readonly sessionId: string;
  /** Numbers of the lines that are appended, `to` excluded. */
  readonly from: number;
  readonly to: number;
  readonly installAfter: number;
  /** First line that is kept; absent: none but those that came since. */
  readonly cutId?: string;
  /** Number of the call, from 1, counted from the installing on; 0: none. */
  readonly dieAt: number;
}

export const ROTATING_CONFIG = { agents: { defaults: { compaction: { truncateAfterCompaction: true } } } };

/** Ends the compaction that is open, as a worker would that knows of it; nothing when none is. */
export async function installPending(client: Client<typeof StoreServiceService>, cutId?: string): Promise<void> {
  const { compactions } = await client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['compaction'] }));
  for (const { operationId, snapshotTipId } of compactions) {
    await client.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId, snapshotTipId, cutId, summary: 'in short', tokensBefore: 900, tokensAfter: 90 }));
  }
}

const say = (line: string): void => void writeSync(1, `${line}\n`);

export function rotatingConfig(): SessionConfig {
  const parsed = parseConfig(ROTATING_CONFIG);
  if (!parsed.ok) throw new Error('the configuration of the test is wrong');
  return parsed.config;
}

async function run({ stateDir, key, sessionId, from, to, installAfter, cutId, dieAt }: RotatingTask, disk: NonNullable<OpenStoreOptions['fileSystem']>): Promise<void> {
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const config = rotatingConfig();
  const dying = dyingAt(disk, dieAt);
  const openDying = (options: OpenStoreOptions) => openStore({ ...options, fileSystem: dying.fileSystem });
  const writer = createStoreWriter({ bus, clock: systemClock, logger: silentLogger, metrics: createMetrics({ service: 'test' }), config: () => config, places: { stateDir, homeDir: stateDir }, instance: 'victim', openStore: openDying });
  await writer.start();
  const client = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
  await client.storeInfo({ agentId: 'main' } as never);
  say('ready');
  let installed: Promise<unknown> = Promise.resolve();
  const install = (): void => {
    say('installing');
    dying.count();
    installed = installPending(client, cutId).then(() => say('installed'));
  };
  if (installAfter <= from) install();
  for (let number = from; number < to; number += 1) {
    if (number === installAfter && installAfter > from) install();
    await appendNumbered(client, { key, sessionId, number });
    say(`ack ${String(number)}`);
  }
  await installed;
  await writer.drain();
  say(`steps ${String(dying.steps)}`);
  await writer.stop();
  say('done');
}

if (require.main === module) {
  void import('@sessions/store/testing').then(({ nodeFileSystem }) => run(JSON.parse(process.argv[2] ?? '{}') as RotatingTask, nodeFileSystem));
}
