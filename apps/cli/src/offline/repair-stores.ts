/**
 * `sessions verify --repair`: under the store's own lock, or by its living owner where a gateway
 * answers. A command never writes beside an owner (decision on --store beside a live owner).
 */
import { gatewaySettings } from '../commands/gateway-call';
import type { CliContext } from '../cli-context';
import { connectGateway } from '../gateway/gateway-client';
import { GatewayRequestError, GatewayTransportError } from '../gateway/gateway-errors';
import { localTarget } from '../gateway/gateway-target';
import { VERSION } from '../version';
import { COMMAND_INSTANCE } from './local-owner';
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { SessionError, isJsonObject } from '@sessions/domain';
import { isStoreHeld, livingOwner, repairStore, storeLayout } from '@sessions/store';
import type { OwnerRecord, RepairAction, StoreReport } from '@sessions/store';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** A repair reads the whole store more than once. */
const GATEWAY_REPAIR_TIMEOUT_MS = 600_000;

export interface RepairedStore {
  /** As it stands after the repair. */
  readonly report: StoreReport;
  /** What was done, in order; undefined when no repair was asked for. */
  readonly done: readonly RepairAction[] | undefined;
}

export interface RepairOptions {
  readonly nowMs: () => number;
  /** The store was named by its file: then no gateway is asked. */
  readonly byPath: boolean;
}

/**
 * @returns undefined when there is no store to repair
 * @throws SESSION_LOCKED naming the owner when it cannot be asked; READ_ONLY, DISK_FULL
 */
export async function repairOneStore(context: CliContext, choice: StoreChoice, { nowMs, byPath }: RepairOptions): Promise<RepairedStore | undefined> {
  const { agentId, path } = choice;
  if (!existsSync(dirname(path))) return undefined;
  const held = (): boolean => livingOwner(agentId, path) !== undefined && isStoreHeld(storeLayout(agentId, path), nativeBindingPath());
  if (held()) return repairThroughGateway(context, choice, byPath);
  const { acquireTimeoutMs, staleMs, maxHoldMs } = context.config.session.writeLock;
  try {
    const { after, done } = await repairStore({
      agentId,
      sessionsFile: path,
      instance: `${COMMAND_INSTANCE}${randomUUID()}`,
      transport: 'standalone',
      clock: { nowMs },
      nativeBinding: nativeBindingPath(),
      writeLock: { acquireTimeoutMs, staleMs, maxHoldMs },
    });
    return { report: after, done };
  } catch (error) {
    // An owner came in between the look and the lock.
    if (error instanceof SessionError && error.reason === 'SESSION_LOCKED') return repairThroughGateway(context, choice, byPath);
    throw error;
  }
}

function ownerInTheWay({ agentId, path }: StoreChoice, owner: OwnerRecord | undefined, why: string, cause?: unknown): SessionError {
  const who = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host} (${owner.instance})`;
  return new SessionError('SESSION_LOCKED', `The session store ${path} belongs to ${who}, so it cannot be repaired from here; ${why}. Nothing was changed.`, {
    facts: { agentId, path, pid: owner?.pid ?? null, host: owner?.host ?? null, epoch: owner?.epoch ?? null },
    hint: `${owner?.instance.startsWith(COMMAND_INSTANCE) === true ? 'Another command is at work on this store; wait until it is done, then run' : 'Stop that process and run again'}: openclaw sessions verify --agent ${agentId} --repair`,
    cause,
  });
}

async function repairThroughGateway(context: CliContext, choice: StoreChoice, byPath: boolean): Promise<RepairedStore> {
  const owner = livingOwner(choice.agentId, choice.path);
  if (byPath) throw ownerInTheWay(choice, owner, 'a store named by --store is never repaired through a gateway');
  try {
    const client = await connectGateway({ target: localTarget(gatewaySettings(context)), scopes: ['operator.admin'], timeoutMs: GATEWAY_REPAIR_TIMEOUT_MS, clientVersion: VERSION });
    try {
      const payload = await client.call('sessions.verify', { agentId: choice.agentId, repair: true });
      return repairedOf(payload, choice);
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof GatewayRequestError) throw ownerInTheWay(choice, owner, `its gateway says: ${error.message}`, error);
    if (error instanceof GatewayTransportError) throw ownerInTheWay(choice, owner, `no gateway answers (${error.message})`, error);
    throw error;
  }
}

/** The report of one store in the gateway's answer, which has the form of `sessions verify --json`. */
function repairedOf(payload: unknown, { agentId, path }: StoreChoice): RepairedStore {
  const stores: unknown = typeof payload === 'object' && payload !== null && 'stores' in payload ? payload.stores : undefined;
  const found: unknown = Array.isArray(stores) ? stores.find((store: unknown) => isJsonObject(store) && store['agentId'] === agentId) : undefined;
  if (isJsonObject(found) && typeof found['ok'] === 'boolean' && Array.isArray(found['findings']) && isJsonObject(found['totals']) && Array.isArray(found['done'])) {
    const { done, ...report } = found;
    return { report: report as unknown as StoreReport, done: done as unknown as readonly RepairAction[] };
  }
  throw new SessionError('INTERNAL', `The gateway's answer to sessions.verify holds no report of agent ${agentId}.`, { facts: { agentId, path } });
}
