/**
 * A writer process that works on turns until it is killed: it delivers messages, begins their turns,
 * appends answers, finishes, acknowledges, and writes each step that was answered to a file of its own.
 * Its one argument is a CrashRunsConfig as JSON. It may kill itself at a step, before or after the answer.
 */
import { appendFileSync } from 'node:fs';
import { AppendRecordsRequest, BeginTurnRequest, ChannelMessageRef, DeliverRequest, DeliveryResult, FinishTurnRequest, InboundMessage, ListPendingRequest, ReplyRoute, ResolvedRoute, RunRequest, Sender, StoreServiceAckDeliveryRequest, StoreServiceService } from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import { parseConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { createStoreWriter } from '../store-writer';

export interface CrashRunsConfig {
  readonly stateDir: string;
  /** Steps that were answered, one JSON a line. */
  readonly historyFile: string;
  /** First number of a message. */
  readonly from: number;
  readonly messages: number;
  readonly keys: number;
  /** The process kills itself with the n-th call, from 1; absent: it does not. */
  readonly dieAtCall?: number;
  /** Milliseconds between the call and the death: 0 dies before the call can be durable. */
  readonly dieAfterMs?: number;
}

export interface CrashStep {
  readonly step: 'sent' | 'deliver' | 'begin' | 'append' | 'finish' | 'ack';
  readonly runId: string;
  readonly key: string;
  readonly deliveryId?: string;
}

const AGENT = 'main';

export function keyOf(n: number): string {
  return `agent:main:telegram:direct:${String(n)}`;
}

export function messageOf(runId: string, peer: number): DeliverRequest {
  const replyRoute = ReplyRoute.create({ channel: 'telegram', to: String(peer) });
  return DeliverRequest.create({
    agentId: AGENT,
    route: ResolvedRoute.create({ agentId: AGENT, sessionKey: keyOf(peer), matchedBy: 'default', originKind: 'channel', channel: 'telegram', accountId: 'default', chatType: 'direct', replyRoute }),
    message: InboundMessage.create({ role: 'user', text: `text of ${runId}.`, sender: Sender.create({ id: String(peer) }), channelMessage: ChannelMessageRef.create({ channel: 'telegram', messageId: runId }) }),
    run: RunRequest.create({ runId, deliver: true, replyRoute, source: 'channel', queueMode: 'queue' }),
  });
}

export const MODEL_CONFIG = { agents: { defaults: { model: 'demo/echo' } }, session: { reset: { mode: 'none' } }, messages: { queue: { cap: 100 } } };

/** Where the process dies, if it does. */
class Death {
  #calls = 0;
  constructor(private readonly config: CrashRunsConfig) {}

  async at<T>(call: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    if (this.#calls !== this.config.dieAtCall) return call();
    const { dieAfterMs = 0 } = this.config;
    if (dieAfterMs === 0) {
      void call().catch(() => undefined);
      process.kill(process.pid, 'SIGKILL');
    }
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), dieAfterMs);
    return call();
  }
}

async function main(config: CrashRunsConfig): Promise<void> {
  const parsed = parseConfig(MODEL_CONFIG);
  if (!parsed.ok) throw new Error('the configuration of the test is wrong');
  const bus = createInProcessBus({ copy: true });
  const subjects = createSubjects();
  const service = createStoreWriter({ bus, clock: systemClock, logger: silentLogger, metrics: createMetrics({ service: 'crash' }), config: () => parsed.config, places: { stateDir: config.stateDir, homeDir: config.stateDir }, instance: 'crash' });
  await service.start();
  const client = createClient(bus, StoreServiceService, { caller: 'client:crash', subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) });
  const death = new Death(config);
  const note = (step: CrashStep): void => appendFileSync(config.historyFile, `${JSON.stringify(step)}\n`);
  process.stdout.write('ready\n');
  const line = async (peer: number): Promise<void> => {
    const key = keyOf(peer);
    for (let n = config.from + peer; n < config.from + config.messages; n += config.keys) {
      const runId = `r${String(n)}`;
      note({ step: 'sent', runId, key });
      await death.at(() => client.deliver(messageOf(runId, peer), { idempotencyKey: `telegram/${runId}` }));
      note({ step: 'deliver', runId, key });
      // Every third one waits behind the one before.
      if (n % 3 === 0) continue;
      for (;;) {
        const { turns } = await client.listPending(ListPendingRequest.create({ agentId: AGENT, kinds: ['turn'], key }));
        const next = turns.find(({ run }) => run?.position === undefined)?.run;
        if (next === undefined) break;
        const { attempt = 1 } = next;
        const begun = await death.at(() => client.beginTurn(BeginTurnRequest.create({ agentId: AGENT, runId: next.runId, runnerId: 'runner/crash', attempt })));
        note({ step: 'begin', runId: next.runId, key });
        const message = { role: 'assistant', content: [{ type: 'text', text: `answer to ${next.runId}.` }] };
        await death.at(() => client.appendRecords(AppendRecordsRequest.create({ agentId: AGENT, key, sessionId: begun.sessionId, runId: next.runId, attempt, lines: [Buffer.from(JSON.stringify({ type: 'message', message }))] })));
        note({ step: 'append', runId: next.runId, key });
        const finished = await death.at(() => client.finishTurn(FinishTurnRequest.create({ agentId: AGENT, runId: next.runId, attempt, outcome: 'ok', text: `answer to ${next.runId}.` })));
        note({ step: 'finish', runId: next.runId, key, ...(finished.deliveryIds[0] === undefined ? {} : { deliveryId: finished.deliveryIds[0] }) });
        // Every second answer is taken at once.
        const [deliveryId] = finished.deliveryIds;
        if (deliveryId === undefined || n % 2 === 0) continue;
        await death.at(() => client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: AGENT, deliveryId, result: DeliveryResult.create({ ok: true }) })));
        note({ step: 'ack', runId: next.runId, key, deliveryId });
      }
    }
  };
  await Promise.all(Array.from({ length: config.keys }, (_, peer) => line(peer)));
  await service.drain();
  await service.stop();
}

if (require.main === module) {
  main(JSON.parse(process.argv[2] ?? '{}') as CrashRunsConfig).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(String(error));
      process.exit(1);
    },
  );
}
