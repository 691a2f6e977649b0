/** Which models summarise: the one that is configured for it, exactly; else the session's own and those that stand in for it. */
import { agentSettings, modelFor, parseModelRef, type AgentId, type JsonObject, type ModelRef, type SessionConfig } from '@sessions/domain';

/** @param entry the session's entry; the choice is not written back to it. */
export function summarisingModels(config: SessionConfig, agentId: AgentId, entry: JsonObject): readonly ModelRef[] {
  const { compaction, model } = agentSettings(config, agentId);
  if (compaction.model !== undefined) return [parseModelRef(compaction.model)];
  const { providerOverride, modelOverride } = entry;
  const own = typeof modelOverride === 'string' && modelOverride !== '' ? { provider: typeof providerOverride === 'string' ? providerOverride : undefined, model: modelOverride } : modelFor(config, agentId);
  const chain = [...(own === undefined ? [] : [own]), ...model.fallbacks.map(parseModelRef)];
  return chain.filter((ref, at) => chain.findIndex((other) => other.provider === ref.provider && other.model === ref.model) === at);
}
