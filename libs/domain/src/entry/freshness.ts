/**
 * Whether a session is still fresh when a message arrives, or has to be reset first (lifecycle §2).
 *
 * The owner asks inside the mutation that accepts the message; there is no timer. Instants that are
 * missing or make no sense never make a session stale, and neither does a clock that was put back.
 */
import type { SessionConfig } from '../config/parse-config';
import type { JsonObject, JsonValue } from '../json';
import { parseSessionKey } from '../keys/session-key';
import type { ZoneClocks } from './zone-clock';

type SessionSettings = SessionConfig['session'];
export type ResetPolicySettings = SessionSettings['reset'];

export interface ResolvedResetPolicy {
  readonly policy: ResetPolicySettings;
  /** False when nobody configured it: sessions owned by a provider are exempt from that default. */
  readonly isExplicit: boolean;
}

/**
 * The policy of a session: that of its channel, else that of its type, else `session.reset`
 * (lifecycle §2.2). Policies are whole; only the zone was inherited when they were parsed.
 * @param channel of the message or the entry; undefined: the one the key names, if any.
 */
export function resetPolicyFor(settings: SessionSettings, key: string, channel?: string): ResolvedResetPolicy {
  const name = (channel ?? channelOf(key))?.trim().toLowerCase();
  const byChannel = name !== undefined && Object.hasOwn(settings.resetByChannel, name) ? settings.resetByChannel[name] : undefined;
  const special = byChannel ?? settings.resetByType[resetTypeOf(key)];
  return special === undefined ? { policy: settings.reset, isExplicit: settings.resetExplicit } : { policy: special, isExplicit: true };
}

/** `thread` for threads and topics, `group` for groups and rooms, else `direct`. */
export function resetTypeOf(key: string): 'direct' | 'group' | 'thread' {
  const parsed = parseSessionKey(key);
  if (parsed.suffix !== undefined) return 'thread';
  return parsed.form === 'group' || parsed.form === 'room' ? 'group' : 'direct';
}

function channelOf(key: string): string | undefined {
  const parsed = parseSessionKey(key);
  return 'channel' in parsed ? parsed.channel : undefined;
}

/** The instants that decide, epoch milliseconds; undefined where nothing usable is stored. */
export interface SessionTimes {
  readonly sessionStartedAtMs: number | undefined;
  readonly lastInteractionAtMs: number | undefined;
}

/**
 * Reads them from an entry under native names. A start that is missing is taken from the transcript's
 * header, else from `updatedAt`; a missing interaction from `updatedAt`, else from that start.
 * @param headerAtMs timestamp of the transcript's header line.
 */
export function sessionTimes(entry: JsonObject, headerAtMs?: number): SessionTimes {
  const updatedAtMs = instant(entry['updatedAt']);
  const sessionStartedAtMs = instant(entry['sessionStartedAt']) ?? instant(headerAtMs) ?? updatedAtMs;
  return { sessionStartedAtMs, lastInteractionAtMs: instant(entry['lastInteractionAt']) ?? updatedAtMs ?? sessionStartedAtMs };
}

function instant(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

export interface FreshnessFacts {
  readonly key: string;
  readonly nowMs: number;
  readonly times: SessionTimes;
  /** What wants to write: `message` for people, `chat.send`, `sessions.send`, `agent`; else `upkeep`. */
  readonly occasion: 'message' | 'upkeep';
  /** A run is active or queued for the key; an automatic reset never interrupts one (decision 34). */
  readonly hasRun: boolean;
  /** A provider owns a live CLI session behind it. */
  readonly hasProviderSession?: boolean;
  /** An operator's page that reconnects names the session id that is stored now: kept for this send. */
  readonly resumes?: boolean;
}

/** Why a session is fresh; `never-reset` covers keys that no policy applies to. */
export type FreshWhy = 'upkeep' | 'run' | 'never-reset' | 'provider-session' | 'resumed' | 'not-due';

export type Freshness =
  | { readonly fresh: true; readonly why: FreshWhy }
  | {
      readonly fresh: false;
      readonly reason: 'daily' | 'idle';
      /** When it became stale: of two reasons the earlier one is given. */
      readonly expiredAtMs: number;
    };

const NEVER_RESET: ReadonlySet<string> = new Set(['subagent', 'cron', 'hook', 'explicit']);
const MINUTE_MS = 60_000;

/** Decides; pure in all its arguments. A message at the very boundary belongs to the new period. */
export function decideFreshness({ policy, isExplicit }: ResolvedResetPolicy, facts: FreshnessFacts, zones: ZoneClocks): Freshness {
  if (facts.occasion === 'upkeep') return { fresh: true, why: 'upkeep' };
  if (NEVER_RESET.has(parseSessionKey(facts.key).form)) return { fresh: true, why: 'never-reset' };
  if (facts.hasRun) return { fresh: true, why: 'run' };
  if (facts.resumes === true) return { fresh: true, why: 'resumed' };
  if (facts.hasProviderSession === true && !isExplicit) return { fresh: true, why: 'provider-session' };
  const dailyAtMs = dailyExpiry(policy, facts, zones);
  const idleAtMs = idleExpiry(policy, facts);
  if (dailyAtMs === undefined && idleAtMs === undefined) return { fresh: true, why: 'not-due' };
  const isDaily = dailyAtMs !== undefined && (idleAtMs === undefined || dailyAtMs <= idleAtMs);
  return isDaily ? { fresh: false, reason: 'daily', expiredAtMs: dailyAtMs } : { fresh: false, reason: 'idle', expiredAtMs: idleAtMs as number };
}

function dailyExpiry(policy: ResetPolicySettings, { nowMs, times }: FreshnessFacts, zones: ZoneClocks): number | undefined {
  const startedAtMs = times.sessionStartedAtMs;
  if (policy.mode !== 'daily' || startedAtMs === undefined || startedAtMs >= nowMs) return undefined;
  const boundaryMs = zones.of(policy.timeZone).nextBoundary(startedAtMs, policy.atHour);
  return boundaryMs <= nowMs ? boundaryMs : undefined;
}

function idleExpiry(policy: ResetPolicySettings, { nowMs, times }: FreshnessFacts): number | undefined {
  const lastAtMs = times.lastInteractionAtMs;
  if (policy.mode === 'none' || policy.idleMinutes <= 0 || lastAtMs === undefined) return undefined;
  const expiresAtMs = lastAtMs + policy.idleMinutes * MINUTE_MS;
  return nowMs > expiresAtMs ? expiresAtMs : undefined;
}
