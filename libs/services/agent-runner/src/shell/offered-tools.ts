/** The tools that a run may use: what there is, less what configuration, the session and the run itself deny. Pure. */
import { agentSettings, asAgentId, matchesPattern, parseSessionKey, toolsFor, type JsonObject, type JsonValue, type SessionConfig } from '@sessions/domain';

export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ToolFacts {
  readonly config: SessionConfig;
  readonly agentId: string;
  readonly sessionKey: string;
  /** The session's entry. */
  readonly entry: JsonObject;
  readonly deniedTools: readonly string[];
}

/** Which tools a run is offered. */
export type OfferTools = (facts: ToolFacts) => readonly OfferedTool[];

export const offeredTools: OfferTools = ({ config, agentId, sessionKey, entry, deniedTools }) => {
  const { profile, allow, alsoAllow, deny, subagents } = config.tools;
  const parsed = parseSessionKey(sessionKey);
  const isSubagent = parsed.form === 'subagent' || typeof entry['spawnedBy'] === 'string';
  const depth = entry['spawnDepth'];
  const inherited = textsOf(entry['inheritedToolAllow']);
  const available = toolsFor({
    profile,
    allow,
    alsoAllow,
    deny: [...deny, ...deniedTools, ...(textsOf(entry['inheritedToolDeny']) ?? [])],
    childAllow: subagents.tools.allow,
    childDeny: subagents.tools.deny,
    isSubagent,
    spawnDepth: typeof depth === 'number' ? depth : parsed.form === 'subagent' ? parsed.ids.length : isSubagent ? 1 : 0,
    maxSpawnDepth: agentSettings(config, asAgentId(agentId)).subagents.maxSpawnDepth,
  });
  return available
    .filter(({ name }) => inherited === undefined || inherited.some((pattern) => matchesPattern(pattern, name)))
    .map(({ name, description, parameters }) => ({ name, description, parameters }));
};

function textsOf(value: JsonValue | undefined): readonly string[] | undefined {
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter((one) => typeof one === 'string') : undefined;
}
