/** Whether a message finds its session stale (lifecycle, freshness), from what the entry says. Pure. */
import { decideFreshness, isJsonObject, resetPolicyFor, sessionTimes, type JsonObject, type JsonValue, type SessionConfig, type ZoneClocks } from '@sessions/domain';
import { liveRuns } from './open-run';
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
  /** Time of the transcript's header, by file, as far as somebody looked; null: it has none that can be read. */
  readonly headerTimes: ReadonlyMap<string, number | null>;
}

/** The entry does not say when its session began: read the header of its transcript and decide anew. */
export class StartUnknown extends Error {
  constructor(readonly file: string) {
    super('the start of the session is not known');
  }
}

/** Bindings to sessions that a provider keeps itself. */
const PROVIDER_SESSIONS = ['cliSessionIds', 'cliSessionBindings', 'claudeCliSessionId'];

/** When the session began, where only its transcript says so. @throws StartUnknown */
export function headerTimeOf({ native, file }: PresentSession, { headerTimes, isMessage }: ResetRules): number | undefined {
  if (!isMessage || file === null || typeof native['sessionStartedAt'] === 'number') return undefined;
  const atMs = headerTimes.get(file);
  if (atMs === undefined) throw new StartUnknown(file);
  return atMs ?? undefined;
}

/** @returns the reason of the reset that comes first; undefined: the session goes on. @throws StartUnknown */
export function dueReset(present: PresentSession, rules: ResetRules, nowMs: number): 'daily' | 'idle' | undefined {
  const { key, native, sessionId } = present;
  // There is no conversation yet that could be too old.
  if (sessionId === null) return undefined;
  const { settings, zones, isMessage, presentedSessionId } = rules;
  const freshness = decideFreshness(
    resetPolicyFor(settings, key, rules.channel ?? textOf(native['lastChannel'])),
    {
      key,
      nowMs,
      times: sessionTimes(native, headerTimeOf(present, rules)),
      occasion: isMessage ? 'message' : 'upkeep',
      // As for maintenance: a row that says it runs counts as running.
      hasRun: native['status'] === 'running' || liveRuns(present.members).length > 0,
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
