/** Rows as clients see them: what the store knows, filled up from the configuration. */
import type { SessionRow } from '@sessions/contracts';
import {
  agentSettings, configuredAgents, contextTokensFor, gatewayRowKind, isAgentId, modelFor, thinkingMembers, toGatewayRow,
} from '@sessions/domain';
import type { AgentId, GatewayRowDefaults, JsonValue, SessionConfig } from '@sessions/domain';

/** Texts that are shown only where they were asked for. */
export interface ShownTexts {
  readonly titles?: boolean;
  readonly lastMessages?: boolean;
}

export interface GatewayRows {
  toJson(row: SessionRow, shown: ShownTexts): Record<string, JsonValue>;
  /** `defaults` of a list. */
  defaults(): Record<string, JsonValue>;
  kindOf(key: string): string;
}

/** While no model catalogue says more. */
const THINKING_DEFAULT = 'off';

export function createGatewayRows(config: () => SessionConfig): GatewayRows {
  /** By agent, for one configuration. */
  let known = new Map<string, GatewayRowDefaults>();
  let knownFor: SessionConfig | undefined;

  const defaultsOf = (agentId: string): GatewayRowDefaults => {
    const now = config();
    if (knownFor !== now) {
      known = new Map();
      knownFor = now;
    }
    const kept = known.get(agentId);
    if (kept !== undefined) return kept;
    const made = rowDefaults(now, isAgentId(agentId) ? agentId : configuredAgents(now).defaultAgentId);
    known.set(agentId, made);
    return made;
  };

  return {
    kindOf: (key) => gatewayRowKind(key),
    toJson(row, { titles = false, lastMessages = false }) {
      const json = toGatewayRow(row, defaultsOf(row.agentId));
      if (!titles) delete json.derivedTitle;
      if (!lastMessages) delete json.lastMessagePreview;
      return json;
    },
    defaults() {
      const { modelProvider, model, contextTokens, thinkingDefault } = defaultsOf(configuredAgents(config()).defaultAgentId);
      return { modelProvider: modelProvider ?? null, model: model ?? null, contextTokens, ...thinkingMembers(thinkingDefault) };
    },
  };
}

function rowDefaults(config: SessionConfig, agentId: AgentId): GatewayRowDefaults {
  const model = modelFor(config, agentId);
  return {
    modelProvider: model?.provider,
    model: model?.model ?? agentSettings(config, agentId).model.primary,
    contextTokens: contextTokensFor(config, agentId),
    thinkingDefault: THINKING_DEFAULT,
  };
}
