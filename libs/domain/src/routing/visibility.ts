/**
 * Which sessions a session's tools may see or touch (tools §1): the configured range, narrowed for
 * sandboxed callers, and the gate between agents. The router asks; a refusal looks the same whether
 * or not the session exists (decision 43).
 */
import type { SessionConfig } from '../config/parse-config';
import { lookupCandidates } from '../keys/session-key';

export type Visibility = SessionConfig['tools']['sessions']['visibility'];
type SandboxRange = SessionConfig['agents']['defaults']['sandbox']['sessionToolsVisibility'];
type AgentToAgent = Pick<SessionConfig['tools']['agentToAgent'], 'enabled' | 'allow'>;

/** The range that holds for a caller: under a sandbox at most `tree`, unless that is switched off. */
export function effectiveVisibility(configured: Visibility, caller: { readonly isSandboxed: boolean; readonly sandboxRange: SandboxRange }): Visibility {
  const isClamped = caller.isSandboxed && caller.sandboxRange === 'spawned';
  return isClamped && (configured === 'agent' || configured === 'all') ? 'tree' : configured;
}

export interface VisibilitySubject {
  readonly key: string;
  /** Owner of the store that the key is in. */
  readonly agentId: string;
}

export interface VisibilityTarget extends VisibilitySubject {
  /** Keys of the sessions that spawned it, nearest first; see `spawnAncestors`. */
  readonly spawnedBy: readonly string[];
}

/**
 * @param range as `effectiveVisibility` gave it.
 * @returns true when `caller` may know of `target`. Sessions it spawned itself are seen under another
 * agent too; all others of another agent need range `all` and the gate open for both agents.
 */
export function canSee(range: Visibility, gate: AgentToAgent, caller: VisibilitySubject, target: VisibilityTarget): boolean {
  const isSameAgent = caller.agentId === target.agentId;
  if (isSameAgent && isSameKey(caller.key, target.key)) return true;
  if (range === 'self') return false;
  if (target.spawnedBy.some((key) => isSameKey(caller.key, key))) return true;
  if (range === 'tree') return false;
  return isSameAgent || (range === 'all' && mayCross(gate, caller.agentId, target.agentId));
}

/** Both agents have to be on the list; an empty list opens the gate for nobody. */
function mayCross(gate: AgentToAgent, ...agentIds: readonly string[]): boolean {
  return gate.enabled && agentIds.every((agentId) => gate.allow.some((pattern) => matchesPattern(pattern, agentId)));
}

/** `*` stands for any number of characters; everything else for itself, in any case. */
export function matchesPattern(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.trim().toLowerCase().split('*');
  const text = name.toLowerCase();
  if (rest.length === 0) return text === first;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** True for two spellings of one key; see `lookupCandidates`. */
export function isSameKey(left: string, right: string): boolean {
  return left === right || lookupCandidates(left).some((candidate) => lookupCandidates(right).includes(candidate));
}

/** Longest chain of spawns that is followed; deeper ones are configured nowhere. */
export const SPAWN_CHAIN_MAX = 64;

/** Who spawned a session, who spawned that one, and so on; ends at a circle and at `SPAWN_CHAIN_MAX`. */
export function spawnAncestors(key: string, spawnerOf: (key: string) => string | undefined): readonly string[] {
  const chain: string[] = [];
  for (let next = spawnerOf(key); next !== undefined && next !== key && !chain.includes(next) && chain.length < SPAWN_CHAIN_MAX; next = spawnerOf(next)) chain.push(next);
  return chain;
}
