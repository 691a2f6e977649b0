/**
 * A process for spec files to kill: an owner that takes in appended lines one after the other and, after
 * some of them, cuts the transcript while the rest keep coming. Each line of output is written before
 * the next step, so that what a reader has seen was acknowledged.
 *
 *     node truncating-writer.js '{"stateDir": …, "key": …, "sessionId": …, "from": …, "to": …, "cutAfter": …, "maxLines": …}'
 *     ready · ack <number> … · cutting · cut · done
 */
import { writeSync } from 'node:fs';
import { StoreServiceService, TruncateTranscriptRequest } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import { defaultConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { createStoreWriter } from '../store-writer';
import { appendNumbered } from './numbered-lines';

export interface TruncatingTask {
  readonly stateDir: string;
  readonly key: string;
  readonly sessionId: string;
  /** Numbers of the lines that are appended, `to` excluded. */
  readonly from: number;
  readonly to: number;
  readonly cutAfter: number;
  readonly maxLines: number;
}

const say = (line: string): void => void writeSync(1, `${line}\n`);

async function run({ stateDir, key, sessionId, from, to, cutAfter, maxLines }: TruncatingTask): Promise<void> {
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const config = defaultConfig();
  const writer = createStoreWriter({ bus, clock: systemClock, logger: silentLogger, metrics: createMetrics({ service: 'test' }), config: () => config, places: { stateDir, homeDir: stateDir }, instance: 'victim' });
  await writer.start();
  const client = createClient(bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
  say('ready');
  let cut: Promise<unknown> = Promise.resolve();
  for (let number = from; number < to; number += 1) {
    if (number === cutAfter) {
      say('cutting');
      cut = client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key, maxLines })).then(() => say('cut'));
    }
    await appendNumbered(client, { key, sessionId, number });
    say(`ack ${String(number)}`);
  }
  await cut;
  await writer.drain();
  await writer.stop();
  say('done');
}

if (require.main === module) void run(JSON.parse(process.argv[2] ?? '{}') as TruncatingTask);
