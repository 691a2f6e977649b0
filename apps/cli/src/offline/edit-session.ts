/** Where a command that changes one session runs: at the gateway where one listens, else at the store itself, under its lock. */
import type { CliContext } from '../cli-context';
import type { CliIo } from '../cli-io';
import { askGateway } from '../gateway/ask-gateway';
import { whileWorking } from '../progress';
import { refuseBesideOwner, withLocalOwner } from './local-owner';
import type { LocalOwner } from './local-owner';
import type { StoreChoice } from './select-stores';
import type { JsonObject } from '@sessions/domain';

export interface SessionEdit<T> {
  readonly store: StoreChoice;
  /** The store was named by its file: then no gateway is asked. */
  readonly byPath: boolean;
  /** The same command without `--store`. */
  readonly command: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly ofGateway: (payload: JsonObject) => T;
  readonly locally: (owner: LocalOwner) => Promise<T>;
}

/** @throws SESSION_LOCKED beside a living owner that cannot be asked; what the store refuses with */
export function editSession<T>(io: CliIo, context: CliContext, { store, byPath, command, method, params, ofGateway, locally }: SessionEdit<T>): Promise<T> {
  return whileWorking(io, `changing a session of agent ${store.agentId}`, async () => {
    const answer = byPath ? undefined : await askGateway(context, method, params);
    if (answer !== undefined) return ofGateway(answer);
    refuseBesideOwner(store, byPath ? 'a store named by --store is changed by nobody else' : 'no gateway answers', command);
    return withLocalOwner(context, store, () => io.nowMs(), locally);
  });
}

/** Paths in an answer of the gateway. */
export function pathsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((path): path is string => typeof path === 'string') : [];
}

/** Asks on a terminal; elsewhere nobody could answer, and the command goes on. */
export async function isAgreed(io: CliIo, yes: boolean | undefined, question: string): Promise<boolean> {
  if (yes === true || io.confirm === undefined) return true;
  const agreed = await io.confirm(question);
  if (!agreed) io.err('Nothing was changed.\n');
  return agreed;
}
