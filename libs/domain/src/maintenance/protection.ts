/**
 * What maintenance never removes (decision 5, maintenance §5). The owner asks when it streams facts,
 * and once more inside the mutation that performs an action.
 */
import type { JsonValue } from '../json';
import { asChatType, keyRest } from '../keys/key-kind';
import { lookupCandidates, parseSessionKey, type ParsedKey } from '../keys/session-key';
import type { FactRow, Protection } from './facts';

/** A session used within this time is in use. */
export const RECENT_MS = 5 * 60_000;

export interface ProtectionFacts {
  readonly key: string;
  readonly nowMs: number;
  /** `status: "running"` with a live claim, or pending work in the journal. */
  readonly hasRun: boolean;
  /** An open delivery, or the result of a finished child that its parent has not received. */
  readonly hasUndelivered: boolean;
  /** A live process holds the transcript's lock. */
  readonly isHeld: boolean;
  /** As stored; what makes no sense counts as now. */
  readonly updatedAt: JsonValue | undefined;
  readonly lastInteractionAt: JsonValue | undefined;
  readonly chatType?: string;
  readonly originChatType?: string;
  /** `--active-key`, and the key whose write led to an automatic run. */
  readonly named?: readonly string[];
}

/** Every protection that holds, in the order of `PROTECTIONS`. */
export function protectionsOf(facts: ProtectionFacts): readonly Protection[] {
  const held: Protection[] = [];
  if (facts.hasRun) held.push('running');
  if (facts.hasUndelivered) held.push('undelivered');
  if (facts.isHeld) held.push('held');
  if (isRecent(facts.updatedAt, facts.nowMs, true) || isRecent(facts.lastInteractionAt, facts.nowMs, false)) held.push('recent');
  if (isNamed(facts)) held.push('named');
  const parsed = parseSessionKey(facts.key);
  if (isMain(parsed)) held.push('main');
  if (isPointer(parsed, facts)) held.push('pointer');
  return held;
}

/** A missing instant of the row counts as now, a missing interaction as none. */
function isRecent(value: JsonValue | undefined, nowMs: number, isRowTime: boolean): boolean {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return isRowTime;
  return nowMs - value <= RECENT_MS;
}

function isNamed({ key, named }: ProtectionFacts): boolean {
  if (named === undefined || named.length === 0) return false;
  const spellings = lookupCandidates(key);
  return named.some((name) => lookupCandidates(name).some((spelling) => spellings.includes(spelling)));
}

/** An agent's main session, and the shared one of scope `global`. */
export function isMainKey(key: string): boolean {
  return isMain(parseSessionKey(key));
}

function isMain(parsed: ParsedKey): boolean {
  return parsed.suffix === undefined && (parsed.form === 'main' || parsed.form === 'global');
}

/** A group, channel, room, thread or topic, whatever account it is of; never a synthetic key. */
export function isDurablePointer(facts: PointerFacts): boolean {
  return isPointer(parseSessionKey(facts.key), facts);
}

type PointerFacts = Pick<ProtectionFacts, 'key' | 'chatType' | 'originChatType'>;

function isPointer(parsed: ParsedKey, { key, chatType, originChatType }: PointerFacts): boolean {
  if (isSyntheticKey(key)) return false;
  if (parsed.suffix !== undefined || parsed.form === 'group' || parsed.form === 'room') return true;
  // Keys that this grammar does not read are judged by the words in them, towards keeping.
  if (/:(?:group|channel|room|thread|topic):/i.test(`:${keyRest(key)}`)) return true;
  return [chatType, originChatType].some(namesPlace);
}

function namesPlace(word: string | undefined): boolean {
  const type = asChatType(word);
  return type === 'group' || type === 'channel' || word?.trim().toLowerCase() === 'thread';
}

const SYNTHETIC = /^(?:subagent:|acp:|acp-bridge:|cron:|hook:|node:|node-|heartbeat(?::|$))/;

/** Keys that programs make for themselves. A group that is called `heartbeat` is none. */
export function isSyntheticKey(key: string): boolean {
  const rest = keyRest(key);
  if (SYNTHETIC.test(rest)) return true;
  return rest.endsWith(':heartbeat') && !/:?(?:group|channel|room|direct|dm|thread|topic):heartbeat$/.test(rest);
}

const ALWAYS: ReadonlySet<Protection> = new Set(['running', 'undelivered', 'held', 'recent', 'named']);

/** Nothing protects it from age, count and budget. */
export function isFree(row: FactRow): boolean {
  return row.protections.length === 0;
}

/** Nothing protects it from what somebody asked for by name: `--fix-…`, the archive asked for at spawn. */
export function isFreeToFix(row: FactRow): boolean {
  return !row.protections.some((protection) => ALWAYS.has(protection));
}
