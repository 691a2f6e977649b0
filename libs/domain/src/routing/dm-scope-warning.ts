import type { SessionConfig } from '../config/parse-config';
import { isJsonObject, type JsonObject } from '../json';

export interface DmScopeWarning {
  readonly sendersCount: number;
  readonly message: string;
  readonly hint: string;
}

/**
 * Warns when strangers share one session: `session.dmScope` is `main` and more than one sender
 * has written. Under `session.scope: "global"` sharing is what was asked for.
 * @param directFroms `origin.from` of direct messages that the store has seen; only counted.
 */
export function dmScopeWarning(session: Pick<SessionConfig['session'], 'dmScope' | 'scope'>, directFroms: Iterable<string>): DmScopeWarning | undefined {
  if (session.dmScope !== 'main' || session.scope === 'global') return undefined;
  const senders = new Set([...directFroms].map((from) => from.trim().toLowerCase()).filter((from) => from !== ''));
  if (senders.size < 2) return undefined;
  return {
    sendersCount: senders.size,
    message: `${String(senders.size)} senders share the main session: each can be answered from what the others wrote`,
    hint: 'set session.dmScope: "per-channel-peer"',
  };
}

/** Member of an entry: direct messages of more than one sender have come into the session. Who they are is not kept. */
export const SEVERAL_SENDERS_MEMBER = 'hasSeveralSenders';

/**
 * What a message that comes in adds to its entry, beside its origin.
 * @param before members of the entry; their origin is that of the message before
 */
export function severalSendersPatch(before: JsonObject, incoming: JsonObject): JsonObject {
  const [last, next] = [directSenderOf(before), directSenderOf(incoming)];
  return last === undefined || next === undefined || last === next ? {} : { [SEVERAL_SENDERS_MEMBER]: true };
}

function directSenderOf({ origin }: JsonObject): string | undefined {
  if (!isJsonObject(origin) || origin['chatType'] !== 'direct' || typeof origin['from'] !== 'string') return undefined;
  return origin['from'].trim().toLowerCase() || undefined;
}
