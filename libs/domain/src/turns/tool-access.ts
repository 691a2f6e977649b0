/** Which of the session tools a run may have (tools §6.2, §9). */
import { matchesPattern } from '../routing/visibility';
import { SESSION_TOOLS, type SessionToolName, type ToolDefinition } from './tool-definitions';
import { profileTools } from './tool-profiles';

/** What a sub-agent that may spawn has of the session tools. */
const ORCHESTRATOR_TOOLS: readonly SessionToolName[] = ['sessions_spawn', 'subagents', 'sessions_list', 'sessions_history'];

export interface ToolAccess {
  /** `tools.profile`; undefined: all. A name that is not known here has what `minimal` has. */
  readonly profile?: string | undefined;
  /** `tools.allow`: the only tools, by name, `*` pattern or `group:sessions`; undefined: all. */
  readonly allow?: readonly string[] | undefined;
  /** `tools.alsoAllow`: beside what the profile has. */
  readonly alsoAllow?: readonly string[] | undefined;
  /** `tools.deny` and what the run itself may not use; comes before everything else. */
  readonly deny?: readonly string[] | undefined;
  readonly isSubagent: boolean;
  /** Distance from the session that nobody spawned; 0 for that one. */
  readonly spawnDepth: number;
  /** `subagents.maxSpawnDepth`. */
  readonly maxSpawnDepth: number;
  /** `tools.subagents.tools.allow`: the only tools of a sub-agent; adds nothing that the profile lacks. */
  readonly childAllow?: readonly string[] | undefined;
  readonly childDeny?: readonly string[] | undefined;
}

/** In the order of `SESSION_TOOLS`. */
export function toolsFor(access: ToolAccess): readonly ToolDefinition[] {
  return SESSION_TOOLS.filter(({ name }) => isInProfile(access, name) && !isListed(access.deny, name) && (!access.isSubagent || isForChild(access, name)));
}

function isInProfile({ profile, allow, alsoAllow }: ToolAccess, name: SessionToolName): boolean {
  if (isListed(alsoAllow, name)) return true;
  return profileTools(profile).includes(name) && (allow === undefined || isListed(allow, name));
}

/**
 * A sub-agent has no session tools; one that may spawn has what it takes to look after its children.
 * A list of its own may name others, but a leaf never spawns.
 */
function isForChild({ spawnDepth, maxSpawnDepth, childAllow, childDeny }: ToolAccess, name: SessionToolName): boolean {
  const isOrchestrator = spawnDepth < maxSpawnDepth;
  if (isListed(childDeny, name) || (name === 'sessions_spawn' && !isOrchestrator)) return false;
  if (childAllow !== undefined) return isListed(childAllow, name);
  return isOrchestrator && ORCHESTRATOR_TOOLS.includes(name);
}

function isListed(patterns: readonly string[] | undefined, name: SessionToolName): boolean {
  return patterns?.some((pattern) => pattern.trim().toLowerCase() === 'group:sessions' || matchesPattern(pattern, name)) ?? false;
}
