/**
 * Two writers that are asked for the same store at the same moment, again and again: one gets it, the
 * other names its owner, and the store on disk says the same. CLAIM_RACES sets how many stores.
 */
import { connectNatsBus, createClient, createSubjects, type NatsBus } from '@sessions/bus';
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { StoreServiceCreateSessionRequest, StoreServiceService } from '@sessions/contracts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TIMEOUT_MS } from './fault-scene';
import { SplitSystem } from './split-system';

const RACES = Number(process.env['CLAIM_RACES'] ?? 40);
const WRITERS = ['store-writer-1', 'store-writer-2'] as const;
const CALL_MS = 20_000;

let nats: NatsServer;
let system: SplitSystem;
let bus: NatsBus;

beforeAll(async () => {
  nats = await startNatsServer();
  system = await SplitSystem.start({ natsUrl: nats.url, routers: 0 });
  bus = await connectNatsBus({ servers: [nats.url], service: 'e2e', instance: 'race', subjectPrefix: 'sess' });
}, TIMEOUT_MS);
afterAll(async () => {
  await bus.close();
  await system.remove();
  await nats.stop();
}, TIMEOUT_MS);

it(
  'gives each store to one of them',
  async () => {
    const subjects = createSubjects();
    const options = { caller: 'service:e2e/race', deadlineMs: CALL_MS };
    const writers = WRITERS.map((instance) => createClient(bus, StoreServiceService, { ...options, subject: (method) => subjects.writer(instance, method) }));
    const owner = createClient(bus, StoreServiceService, { ...options, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) });
    const won = new Map<string, number>();
    for (let race = 1; race <= RACES; race += 1) {
      const agentId = `race-${race}`;
      const answers = await Promise.all(writers.map((writer) => writer.claimStore({ agentId })));
      expect(new Set(answers.map((answer) => `${answer.owner} ${answer.epoch}`)).size).toBe(1);
      const created = await owner.createSession(StoreServiceCreateSessionRequest.create({ agentId, key: `agent:${agentId}:main` }), { idempotencyKey: `race-${race}` });
      const record = JSON.parse(readFileSync(join(system.stateDir, 'agents', agentId, 'sessions/.store/owner.json'), 'utf8')) as { instance: string; epoch: number };
      expect(answers[0]?.owner).toBe(`store-writer/${record.instance}`);
      expect({ claimed: answers[0]?.epoch, answered: created.epoch }).toEqual({ claimed: record.epoch, answered: record.epoch });
      won.set(record.instance, (won.get(record.instance) ?? 0) + 1);
    }
    process.stdout.write(`${RACES} races: ${[...won].map(([instance, count]) => `${instance} ${count}`).join(', ')}\n`);
    expect([...won.values()].reduce((sum, count) => sum + count, 0)).toBe(RACES);
  },
  TIMEOUT_MS + RACES * 1_000,
);
