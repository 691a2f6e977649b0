import type { SessionConfig } from '../config/parse-config';

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
