/** The `session` section: keys, resets, send policy, maintenance. */
import { OPTIONS } from './option-table';
import { record } from './record';
import type { Section } from './section';

/** When a session is stale; the whole rule of one key, nothing in it is inherited but the zone. */
export interface ResetPolicy {
  readonly mode: 'daily' | 'idle' | 'none';
  /** 0 to 23, on the wall clock of `timeZone`. */
  readonly atHour: number;
  /** 0: idleness never makes it stale. */
  readonly idleMinutes: number;
  /** IANA name; `undefined` is the zone of the host. */
  readonly timeZone: string | undefined;
}

/** Accounts of one person: `<channel>:<peerId>` or bare peer ids. */
export interface IdentityLink {
  readonly name: string;
  readonly peers: readonly string[];
}

export interface SendRule {
  readonly action: 'allow' | 'deny';
  readonly match: {
    readonly channel: string | undefined;
    readonly chatType: 'direct' | 'group' | 'channel' | undefined;
    readonly keyPrefix: string | undefined;
    readonly rawKeyPrefix: string | undefined;
  };
  /** The rule asks for something that is not understood here, so it never matches. */
  readonly neverMatches: boolean;
}

export interface SendPolicyConfig {
  readonly default: 'allow' | 'deny';
  readonly rules: readonly SendRule[];
}

/** Limits are off at 0; archives with retention 0 are kept for ever. */
export interface MaintenanceConfig {
  readonly mode: 'warn' | 'enforce';
  readonly pruneAfterMs: number;
  /** Between the announcement of a removal for age and the removal, where it comes by itself; 0: none. */
  readonly removalNoticeMs: number;
  readonly maxEntries: number;
  readonly resetArchiveRetentionMs: number;
  readonly maxDiskBytes: number;
  readonly highWaterBytes: number;
}

export type ResetType = 'direct' | 'group' | 'thread';

/** Share of the disk budget at which clearing stops when none is configured. */
const HIGH_WATER_SHARE = 0.8;
/** Names near which a misspelt key could change what is reset or removed. */
const STRICT_NAME = /^(reset|maintenance)/;

export type SessionSection = ReturnType<typeof parseSession>;

export function parseSession(section: Section) {
  for (const name of section.names) {
    if (STRICT_NAME.test(name) && !KNOWN_STRICT.has(name)) section.refuse(name, 'is not a known key');
  }
  const threadBindings = section.section('threadBindings');
  const { reset, resetExplicit, resetNotice } = parseReset(section);
  const writeLock = section.section('writeLock');
  return {
    scope: section.take('session.scope'),
    dmScope: section.take('session.dmScope'),
    identityLinks: parseIdentityLinks(section),
    mainKey: section.take('session.mainKey'),
    store: section.take('session.store'),
    storeFlush: section.take('session.storeFlush'),
    storeFormat: section.take('session.storeFormat'),
    reset,
    /** False when only the built-in default applies. */
    resetExplicit,
    resetNotice,
    resetByType: parseResetByType(section, reset),
    resetByChannel: parseResetByChannel(section, reset),
    resetTriggers: section.take('session.resetTriggers'),
    sendPolicy: parseSendPolicy(section.section('sendPolicy')),
    agentToAgent: { maxPingPongTurns: section.section('agentToAgent').take('session.agentToAgent.maxPingPongTurns') },
    threadBindings: parseThreadBindings(threadBindings),
    maintenance: parseMaintenance(section),
    writeLock: {
      acquireTimeoutMs: writeLock.take('session.writeLock.acquireTimeoutMs'),
      staleMs: writeLock.take('session.writeLock.staleMs'),
      maxHoldMs: writeLock.take('session.writeLock.maxHoldMs'),
    },
  };
}

const KNOWN_STRICT: ReadonlySet<string> = new Set(['reset', 'resetByType', 'resetByChannel', 'resetTriggers', 'maintenance']);

export function parseThreadBindings(section: Section) {
  return {
    enabled: section.take('session.threadBindings.enabled'),
    idleHours: section.take('session.threadBindings.idleHours'),
    maxAgeHours: section.take('session.threadBindings.maxAgeHours'),
    spawnSessions: section.take('session.threadBindings.spawnSessions'),
    defaultSpawnContext: section.take('session.threadBindings.defaultSpawnContext'),
  };
}

function parsePolicy(section: Section, inheritedZone?: string): ResetPolicy {
  return {
    mode: section.take('session.reset.mode'),
    atHour: section.take('session.reset.atHour'),
    idleMinutes: section.take('session.reset.idleMinutes'),
    timeZone: section.take('session.reset.timeZone') ?? inheritedZone,
  };
}

function parseReset(section: Section): { reset: ResetPolicy; resetExplicit: boolean; resetNotice: boolean } {
  const configured = section.raw('reset') !== undefined;
  const own = section.section('reset', 'refuse');
  const policy = parsePolicy(own);
  const resetNotice = own.take('session.reset.notice');
  const legacyIdleMinutes = section.take('session.idleMinutes');
  if (configured || legacyIdleMinutes === undefined) return { reset: policy, resetExplicit: configured, resetNotice };
  return { reset: { ...policy, mode: 'idle', idleMinutes: legacyIdleMinutes }, resetExplicit: true, resetNotice };
}

function parseResetByType(section: Section, base: ResetPolicy): Readonly<Partial<Record<ResetType, ResetPolicy>>> {
  const types = section.section('resetByType', 'refuse');
  const policy = (name: string): ResetPolicy | undefined => (types.raw(name) === undefined ? undefined : parsePolicy(types.section(name), base.timeZone));
  const dm = policy('dm');
  const direct = policy('direct');
  if (dm !== undefined && direct !== undefined) types.refuse('dm', 'means "direct", which is given too');
  return definedOnly({ direct: direct ?? dm, group: policy('group'), thread: policy('thread') });
}

function parseResetByChannel(section: Section, base: ResetPolicy): Readonly<Record<string, ResetPolicy>> {
  const byChannel = section.section('resetByChannel', 'refuse');
  return record(byChannel.names.map((channel) => [channel.toLowerCase(), parsePolicy(byChannel.section(channel), base.timeZone)] as const));
}

function definedOnly<T>(members: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(Object.entries(members).filter((member): member is [string, T] => member[1] !== undefined));
}

function parseIdentityLinks(section: Section): readonly IdentityLink[] {
  const map = section.section('identityLinks', 'ignore');
  const ownerOf = new Map<string, string>();
  const links: IdentityLink[] = [];
  for (const name of map.names) {
    const raw = map.raw(name);
    if (name.trim() === '') map.refuse(name, 'needs a name');
    if (!Array.isArray(raw) || !raw.every((peer) => typeof peer === 'string' && peer.trim() !== '')) {
      map.refuse(name, 'must be a list of "<channel>:<peerId>"');
      continue;
    }
    const peers = (raw as readonly string[]).map((peer) => peer.trim());
    for (const peer of new Set(peers.map((text) => text.toLowerCase()))) {
      const owner = ownerOf.get(peer);
      if (owner === undefined) ownerOf.set(peer, name);
      else map.warn(name, `shares a peer with "${owner}", which comes first and wins`);
    }
    links.push({ name: name.trim(), peers });
  }
  return links;
}

function parseSendPolicy(section: Section): SendPolicyConfig {
  const rules = section.list('rules', 'warn').flatMap((rule): SendRule[] => {
    const action = rule.take('session.sendPolicy.rules[].action');
    if (action === undefined && rule.raw('action') === undefined) rule.refuse('action', 'is required: "allow" or "deny"');
    const match = rule.section('match', 'ignore');
    const strange = match.names.filter((name) => !MATCH_NAMES.has(name));
    for (const name of strange) match.warn(name, 'is not a known condition, so the rule never matches');
    const parsed = {
      channel: match.take('session.sendPolicy.rules[].match.channel')?.trim().toLowerCase(),
      chatType: match.take('session.sendPolicy.rules[].match.chatType'),
      keyPrefix: match.take('session.sendPolicy.rules[].match.keyPrefix'),
      rawKeyPrefix: match.take('session.sendPolicy.rules[].match.rawKeyPrefix'),
    };
    return action === undefined ? [] : [{ action, match: parsed, neverMatches: strange.length > 0 }];
  });
  return { default: section.take('session.sendPolicy.default'), rules };
}

const MATCH_NAMES: ReadonlySet<string> = new Set(['channel', 'chatType', 'keyPrefix', 'rawKeyPrefix']);

function parseMaintenance(session: Section): MaintenanceConfig {
  const section = session.section('maintenance', 'refuse');
  for (const name of ['rotateBytes', 'parentForkMaxTokens']) {
    if (section.raw(name) !== undefined) section.warn(name, 'is ignored');
  }
  const pruneAfterMs = section.take('session.maintenance.pruneAfter');
  const maxDiskBytes = section.take('session.maintenance.maxDiskBytes');
  let highWaterBytes = section.take('session.maintenance.highWaterBytes');
  if (maxDiskBytes > 0 && highWaterBytes > maxDiskBytes) {
    section.warn('highWaterBytes', 'is held to maxDiskBytes');
    highWaterBytes = maxDiskBytes;
  }
  return {
    mode: section.take('session.maintenance.mode'),
    pruneAfterMs,
    removalNoticeMs: section.take('session.maintenance.removalNotice'),
    maxEntries: section.take('session.maintenance.maxEntries'),
    resetArchiveRetentionMs: section.take('session.maintenance.resetArchiveRetention') ?? pruneAfterMs,
    maxDiskBytes,
    highWaterBytes: highWaterBytes === 0 ? Math.floor(maxDiskBytes * HIGH_WATER_SHARE) : highWaterBytes,
  };
}

/** Variables that override `session.writeLock`, by member. */
const WRITE_LOCK_ENV = {
  acquireTimeoutMs: 'OPENCLAW_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS',
  staleMs: 'OPENCLAW_SESSION_WRITE_LOCK_STALE_MS',
  maxHoldMs: 'OPENCLAW_SESSION_WRITE_LOCK_MAX_HOLD_MS',
} as const;

/** Takes the lock times that the environment sets; `refuse` hears of variables that are no number. */
export function overrideWriteLock(
  writeLock: SessionSection['writeLock'],
  env: Readonly<Record<string, string | undefined>>,
  refuse: (variable: string, value: string, message: string) => void,
): SessionSection['writeLock'] {
  const take = (member: keyof typeof WRITE_LOCK_ENV): number => {
    const variable = WRITE_LOCK_ENV[member];
    const value = env[variable];
    if (value === undefined || value === '') return writeLock[member];
    const verdict = OPTIONS[`session.writeLock.${member}`].parse(/^\d+$/.test(value.trim()) ? Number(value) : value);
    if (verdict.ok) return verdict.value;
    refuse(variable, value, verdict.message);
    return writeLock[member];
  };
  return { acquireTimeoutMs: take('acquireTimeoutMs'), staleMs: take('staleMs'), maxHoldMs: take('maxHoldMs') };
}

