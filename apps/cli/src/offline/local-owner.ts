/**
 * A store's owner for the length of one command: the same writer and the same scheduler as a gateway's,
 * over a bus inside this process, holding the store's lock. For work without a gateway; it needs no
 * credentials. A command never writes beside an owner: where one lives, nothing is begun.
 */
import type { CliContext } from '../cli-context';
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { createClient, createInProcessBus, createSubjects, systemClock as busClock } from '@sessions/bus';
import type { Client } from '@sessions/bus';
import { MaintenanceServiceService, StoreServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import type { Service } from '@sessions/host';
import { createMaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { isStoreHeld, livingOwner, storeLayout } from '@sessions/store';
import { createStoreWriter } from '@sessions/store-writer';
import { randomUUID } from 'node:crypto';

/** A clean-up of a large store; nobody else waits for it. */
const TIMEOUT_MS = 3_600_000;

/** How a command's owner is called, whatever it does; of a repair too. */
export const COMMAND_INSTANCE = 'command-';

export interface LocalOwner {
  readonly store: Client<typeof StoreServiceService>;
  readonly maintenance: Client<typeof MaintenanceServiceService>;
  /** For a mutation: new with each command. */
  readonly mutation: () => { readonly idempotencyKey: string; readonly timeoutMs: number };
}

/** Whether some process owns the store and serves it. */
export function isOwned({ agentId, path }: StoreChoice): boolean {
  return livingOwner(agentId, path) !== undefined && isStoreHeld(storeLayout(agentId, path), nativeBindingPath());
}

/** @throws SESSION_LOCKED naming the owner */
export function refuseBesideOwner(choice: StoreChoice, why: string, command: string): void {
  if (!isOwned(choice)) return;
  const { agentId, path } = choice;
  const owner = livingOwner(agentId, path);
  const who = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host} (${owner.instance})`;
  throw new SessionError('SESSION_LOCKED', `The session store ${path} belongs to ${who}; ${why}. Nothing was changed.`, {
    facts: { agentId, path, pid: owner?.pid ?? null, host: owner?.host ?? null },
    // A command has the store for as long as it works, and nobody can ask it anything.
    hint: owner?.instance.startsWith(COMMAND_INSTANCE) === true ? `Another command is at work on this store; wait until it is done, then run: ${command}` : `Run it through the gateway: ${command}`,
  });
}

/** @throws SESSION_LOCKED, STORE_UNREADABLE, and what the work throws */
export async function withLocalOwner<T>(context: CliContext, { agentId, path }: StoreChoice, nowMs: () => number, work: (owner: LocalOwner) => Promise<T>): Promise<T> {
  const bus = createInProcessBus({ clock: busClock });
  const metrics = createMetrics({ service: 'command' });
  // One store of one agent, wherever the configuration has the others: none of them may open this one as its own.
  const config: SessionConfig = { ...context.config, session: { ...context.config.session, store: path }, storeWriter: { ...context.config.storeWriter, agents: [agentId] } };
  const shared = { bus, clock: { ...systemClock, nowMs }, logger: silentLogger, metrics, config: () => config, instance: `${COMMAND_INSTANCE}${randomUUID().slice(0, 8)}` };
  const services: Service[] = [
    createStoreWriter({ ...shared, places: context.places, transport: 'standalone', ...bindingOf(nativeBindingPath()) }),
    // Nothing is due by itself: the command is over before anything could be.
    createMaintenanceScheduler({ ...shared, onTick: () => Promise.resolve() }),
  ];
  const subjects = createSubjects(config.bus.subjectPrefix);
  try {
    for (const service of services) await service.start();
    return await work({
      store: createClient(bus, StoreServiceService, { caller: 'command', subject: (method) => subjects.store(agentId, method) }),
      maintenance: createClient(bus, MaintenanceServiceService, { caller: 'command', subject: (method) => subjects.maintenance(method) }),
      mutation: () => ({ idempotencyKey: randomUUID(), timeoutMs: TIMEOUT_MS }),
    });
  } finally {
    for (const service of [...services].reverse()) {
      await service.drain();
      await service.stop();
    }
    metrics.close();
    await bus.close();
  }
}

function bindingOf(path: string | undefined): { readonly nativeBinding?: string } {
  return path === undefined ? {} : { nativeBinding: path };
}
