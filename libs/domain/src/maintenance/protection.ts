/**
 * What maintenance never removes (decision 5, maintenance §5). `rowProtections` (`maintenance-facts.ts`) puts
 * these together: the owner asks it when it streams facts, and once more inside the mutation that
 * performs an action.
 */
import { asChatType, keyRest } from '../keys/key-kind';
import { lookupCandidates, parseSessionKey, type ParsedKey } from '../keys/session-key';
import type { FactRow, Protection } from './facts';

/** A session used within this time is in use. */
export const RECENT_MS = 5 * 60_000;

/** @param activeAtMs when it was last changed or used; null: nobody knows, which counts as now. */
export function isRecent(activeAtMs: number | null, nowMs: number): boolean {
  return activeAtMs === null || nowMs - activeAtMs <= RECENT_MS;
}

/** Whether one of the keys names this one, in any spelling. */
export function isNamedKey(key: string, named: readonly string[]): boolean {
  const alike = named.filter((name) => endAlike(key, name));
  if (alike.length === 0) return false;
  const spellings = lookupCandidates(key);
  return alike.some((name) => lookupCandidates(name).some((spelling) => spellings.includes(spelling)));
}

/** No spelling changes what stands behind the last colon but in its case: rows are told apart by it without being parsed. */
function endAlike(left: string, right: string): boolean {
  const [a, b] = [endOf(left), endOf(right)];
  // Case outside of ASCII depends on what stands before.
  return a === b || !ASCII.test(a) || !ASCII.test(b);
}

const ASCII = /^[ -~]*$/;

function endOf(key: string): string {
  const text = key.trimEnd();
  return text.slice(text.lastIndexOf(':') + 1).toLowerCase();
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

interface PointerFacts {
  readonly key: string;
  readonly chatType?: string;
  readonly originChatType?: string;
}

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
