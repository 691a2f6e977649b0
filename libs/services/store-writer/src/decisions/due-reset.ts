/** Whether a message finds its session stale (lifecycle, freshness), from what the entry says. Pure. */
import { decideFreshness, isJsonObject, resetPolicyFor, sessionTimes, type JsonObject, type JsonValue, type SessionConfig, type ZoneClocks } from '@sessions/domain';
import type { PresentSession } from './session-of-key';

/** What decides beside the entry. */
export interface ResetRules {
  readonly settings: SessionConfig['session'];
  readonly zones: ZoneClocks;
  /** Of the message; undefined: the entry's, else the one the key names. */
  readonly channel: string | undefined;
  /** False for heartbeats, wake-ups, notices and injected lines: they never reset anything. */
  readonly isMessage: boolean;
  /** Session id that an operator's page believes live. */
  readonly presentedSessionId: string | undefined;
}

/** Bindings to sessions that a provider keeps itself. */
const PROVIDER_SESSIONS = ['cliSessionIds', 'cliSessionBindings', 'claudeCliSessionId'];

/** @returns the reason of the reset that comes first; undefined: the session goes on. */
export function dueReset({ key, native, sessionId }: PresentSession, rules: ResetRules, nowMs: number): 'daily' | 'idle' | undefined {
  // There is no conversation yet that could be too old.
  if (sessionId === null) return undefined;
  const { settings, zones, isMessage, presentedSessionId } = rules;
  const freshness = decideFreshness(
    resetPolicyFor(settings, key, rules.channel ?? textOf(native['lastChannel'])),
    {
      key,
      nowMs,
      times: sessionTimes(native),
      occasion: isMessage ? 'message' : 'upkeep',
      // As for maintenance: a row that says it runs counts as running.
      hasRun: native['status'] === 'running',
      hasProviderSession: hasProviderSession(native),
      resumes: presentedSessionId === sessionId,
    },
    zones,
  );
  return freshness.fresh ? undefined : freshness.reason;
}

function hasProviderSession(native: JsonObject): boolean {
  return PROVIDER_SESSIONS.some((name) => {
    const value = native[name];
    return typeof value === 'string' ? value !== '' : isJsonObject(value) && Object.keys(value).length > 0;
  });
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
