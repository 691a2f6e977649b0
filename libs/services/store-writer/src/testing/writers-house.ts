/**
 * For spec files: several store-writers on one bus, real stores on disk, one clock that the test
 * moves for all of them. Disks take their own time: what a clock's advance sets going is waited for.
 */
import { rmSync } from 'node:fs';
import { ReadHistoryRequest, StoreServiceService, type ClaimStoreResponse, type DeliverResponse } from '@sessions/contracts';
import { createClient, createInProcessBus, type Bus, type Client, type Leases } from '@sessions/bus';
import { SessionError, parseConfig } from '@sessions/domain';
import { createMetrics, silentLogger, type Logger, type Service } from '@sessions/host';
import { createManualClock, type ManualClock } from '@sessions/host/testing';
import { createStoreWriter, type StoreWriterDeps } from '../store-writer';
import { newStateDir, subjects, telegram, textOf } from './writer-bench';

const TEST_LIMIT_MS = 60_000;
const PAUSE_MS = 2;
const EVENTUALLY_MS = 30_000;
const houses: House[] = [];
const PASSING: ReadonlySet<string> = new Set(['NOT_OWNER', 'NO_OWNER', 'EPOCH_SUPERSEDED', 'SHUTTING_DOWN', 'SESSION_LOCKED']);

export interface HouseWriter {
  readonly name: string;
  readonly stateDir: string;
  readonly service: Service;
  /** Its own subject of the pool's methods. */
  readonly direct: Client<typeof StoreServiceService>;
  /** Set: every call of this writer to the leases ends like that. */
  leaseTrouble: (() => Promise<never>) | undefined;
  /** The answer to this writer's next renewal gets lost on its way. */
  losesRenewal: boolean;
  /** Renewals that reached the bucket. */
  renewals: number;
}

export interface WriterOptions {
  readonly stateDir?: string;
  readonly config?: unknown;
  readonly logger?: Logger;
  readonly deps?: Partial<StoreWriterDeps>;
}

export class House {
  readonly clock: ManualClock = createManualClock(Date.UTC(2026, 5, 1));
  readonly bus: Bus;
  readonly stateDir = newStateDir();
  readonly client: Client<typeof StoreServiceService>;
  readonly pool: Client<typeof StoreServiceService>;
  readonly writers: HouseWriter[] = [];
  readonly #dirs = new Set<string>([this.stateDir]);

  constructor() {
    const { clock } = this;
    this.bus = createInProcessBus({
      copy: true,
      clock: {
        nowMs: () => clock.nowMs(),
        startTimer(delayMs, callback) {
          const timer = clock.setTimer(delayMs, callback);
          return () => timer.cancel();
        },
      },
    });
    const caller = 'client:test';
    this.client = createClient(this.bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) });
    this.pool = createClient(this.bus, StoreServiceService, { caller, subject: (method) => subjects.storePool(method) });
    houses.push(this);
  }

  async start(name: string, { stateDir = this.stateDir, config = {}, logger = silentLogger, deps = {} }: WriterOptions = {}): Promise<HouseWriter> {
    this.#dirs.add(stateDir);
    const parsed = parseConfig(config);
    if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('\n'));
    const writer: HouseWriter = {
      name,
      stateDir,
      leaseTrouble: undefined,
      losesRenewal: false,
      renewals: 0,
      direct: createClient(this.bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.writer(name, method) }),
      service: createStoreWriter({
        bus: { ...this.bus, leases: this.#leasesOf(() => writer) },
        clock: this.clock,
        logger,
        metrics: createMetrics({ service: `test-${name}` }),
        config: () => parsed.config,
        places: { stateDir, homeDir: stateDir },
        instance: name,
        transport: 'split',
        ...deps,
      }),
    };
    await writer.service.start();
    this.writers.push(writer);
    return writer;
  }

  /** Hands everything over and ends the writer; time goes on for what waits for an answer. */
  async stop(writer: HouseWriter): Promise<void> {
    this.writers.splice(this.writers.indexOf(writer), 1);
    let ended = false;
    const ending = (async () => {
      await writer.service.drain();
      await writer.service.stop();
    })().finally(() => (ended = true));
    while (!ended) {
      await Promise.race([ending, new Promise((resolve) => setTimeout(resolve, 500))]);
      if (!ended) await this.clock.advance(1_000);
    }
    await ending;
  }

  /** Claims at a writer until it is the owner; time goes on, for whatever has to end first. */
  async takenOver(writer: HouseWriter, agentId: string): Promise<void> {
    const endMs = performance.now() + EVENTUALLY_MS;
    for (;;) {
      const answer = await this.claimAt(writer, agentId).catch((error: unknown) => String(error));
      if (typeof answer !== 'string' && answer.owner === `store-writer/${writer.name}`) return;
      if (performance.now() > endMs) throw new Error(`${writer.name} did not become the owner of ${agentId}; last answer: ${JSON.stringify(answer)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      await this.clock.advance(10);
    }
  }

  /** A message as the router sends it: claimed and tried again with the same key while a refusal can pass. */
  async deliver(agentId: string, text: string, retriesMax = 200): Promise<DeliverResponse> {
    for (let tried = 0; ; tried += 1) {
      try {
        return await this.client.deliver(telegram(text, { agentId, key: `agent:${agentId}:main` }), { idempotencyKey: `${agentId}/${text}` });
      } catch (error) {
        await this.#mayTryAgain(agentId, error, tried < retriesMax);
      }
    }
  }

  /** Texts of an agent's one session; claimed and tried again while its owner changes. */
  async texts(agentId: string, retriesMax = 200): Promise<string[]> {
    const request = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: `agent:${agentId}:main` } });
    for (let tried = 0; ; tried += 1) {
      const texts: string[] = [];
      try {
        for await (const { item } of this.client.readHistory(request)) {
          if (item?.$case === 'records') texts.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
        }
        return texts;
      } catch (error) {
        await this.#mayTryAgain(agentId, error, tried < retriesMax);
      }
    }
  }

  async owner(agentId: string): Promise<string | undefined> {
    return (await this.bus.leases.read(`store.${agentId}`))?.holder.instance.replace('store-writer/', '');
  }

  claimAt(writer: HouseWriter, agentId: string): Promise<ClaimStoreResponse> {
    return writer.direct.claimStore({ agentId });
  }

  async close(): Promise<void> {
    for (const writer of [...this.writers]) {
      writer.leaseTrouble = undefined;
      await this.stop(writer);
    }
    await this.bus.close();
    for (const dir of this.#dirs) rmSync(dir, { recursive: true, force: true });
  }

  /** Has the agent claimed. @throws `error` when another try cannot help */
  async #mayTryAgain(agentId: string, error: unknown, isTriesLeft: boolean): Promise<void> {
    if (!isTriesLeft || !(error instanceof SessionError) || !PASSING.has(error.reason)) throw error;
    await this.pool.claimStore({ agentId }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }

  #leasesOf(writerOf: () => HouseWriter): Leases {
    const { leases } = this.bus;
    const reached = <T>(work: () => Promise<T>): Promise<T> => writerOf().leaseTrouble?.() ?? work();
    return {
      acquire: (key, holder) => reached(() => leases.acquire(key, holder)),
      renew: (lease) =>
        reached(async () => {
          const writer = writerOf();
          const renewed = await leases.renew(lease);
          writer.renewals += 1;
          if (writer.losesRenewal && lease.key.startsWith('store.')) {
            writer.losesRenewal = false;
            throw new Error('the answer got lost');
          }
          return renewed;
        }),
      release: (lease) => reached(() => leases.release(lease)),
      read: (key) => reached(() => leases.read(key)),
      list: (prefix) => reached(() => leases.list(prefix)),
    };
  }
}

/** To be called once in a spec file. */
export function cleanUpHouses(): void {
  jest.setTimeout(TEST_LIMIT_MS);
  afterEach(async () => {
    for (const house of houses.splice(0)) await house.close();
  });
}

/** Waits for something that disks do; fails when it takes much longer than a busy disk needs. */
export async function eventually(holds: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + EVENTUALLY_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not reached: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
