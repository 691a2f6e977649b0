/** For the specs of the bus over NATS: a server for each test, the buses connected to it, and what they reported. */
import { setTimeout as wait } from 'node:timers/promises';
import { StoreServiceService } from '@sessions/contracts';
import type { ReadTrajectoryResponse } from '@sessions/contracts';
import { createClient, serveService } from '../bind-service';
import type { Handlers } from '../bind-service';
import type { LeaseHolder, Served } from '../bus';
import { connectNatsBus } from '../nats/connect-nats-bus';
import type { BusReport, NatsBus, NatsBusOptions } from '../nats/options';
import { createSubjects } from '../subjects';
import type { BusTiming } from '../timing';
import { startNatsServer } from './nats-server';
import type { NatsServer } from './nats-server';

export const TIMING: Partial<BusTiming> = { streamCreditMs: 1_000, streamBeatMs: 300, ackWaitMs: 1_000, redeliveryMs: 10, leaseTtlMs: 4_000 };
export const subjects = createSubjects('suite');
export const request = { agentId: 'main', by: { $case: 'key' as const, value: 'agent:main:main' }, includeFacts: false };
export const streamRequest = { agentId: 'main', by: request.by, follow: true };

export const item = (number: number): ReadTrajectoryResponse => ({ file: String(number), lines: [], unreadable: [] });
export const holder = (number: number): LeaseHolder => ({ instance: `store-writer/${number}`, epoch: number, host: 'host', pid: number, acquiredAtMs: 0 });

export class NatsBench {
  readonly reports: BusReport[] = [];
  readonly #opened: NatsBus[] = [];

  constructor(readonly server: NatsServer) {}

  static async open(config = ''): Promise<NatsBench> {
    return new NatsBench(await startNatsServer({ config }));
  }

  kinds(): string[] {
    return this.reports.map(({ kind }) => kind);
  }

  async connect(service: string, more: Partial<NatsBusOptions> = {}): Promise<NatsBus> {
    const bus = await connectNatsBus({
      servers: [this.server.url],
      service,
      instance: '1',
      subjectPrefix: 'suite',
      timing: TIMING,
      provision: true,
      onReport: (report) => this.reports.push(report),
      ...more,
    });
    this.#opened.push(bus);
    return bus;
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((bus) => bus.close()));
    await this.server.stop();
  }
}

export function serve(bus: NatsBus, handlers: Partial<Handlers<typeof StoreServiceService>>, queueGroup?: string, agentId = 'main'): Promise<Served> {
  return serveService(bus, StoreServiceService, handlers, {
    subjectFor: (method) => subjects.store(agentId, method),
    ...(queueGroup !== undefined && { queueGroup }),
  });
}

export const clientOf = (bus: NatsBus) =>
  createClient(bus, StoreServiceService, { subject: (method) => subjects.store('main', method), caller: 'service:test/1' });

/** As callers do: what may pass is tried again for a while. */
export async function again<T>(act: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act();
    } catch (error) {
      if (tried >= 20) throw error;
      await wait(100);
    }
  }
}

export interface Internals {
  readonly nc: {
    close(): Promise<void>;
    request(subject: string, question: string, options: { readonly timeout: number }): Promise<{ json<T>(): T }>;
    publish(subject: string, ...more: unknown[]): void;
    reconnect(): Promise<void>;
    readonly protocol: { readonly subscriptions: { size(): number } };
  };
  readonly open: number;
}

/** The connection behind a bus. */
export function internals(bus: NatsBus): Internals {
  return (bus as unknown as { readonly internals: Internals }).internals;
}
