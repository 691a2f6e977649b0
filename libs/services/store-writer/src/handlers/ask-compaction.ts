/** A compaction asked for after a turn or a message, where the context has come near the window or the transcript has reached its size. Never in the way of what it comes after. */
import { agentSettings, contextTokensFor, isOversized, mayNeedCompaction, isJsonObject, nativeView, type JsonObject } from '@sessions/domain';
import { randomUUID } from 'node:crypto';
import { decideRequestCompaction, type RequestCompactionAnswer } from '../decisions/decide-request-compaction';
import { ownContext } from '../end-lost-attempt';
import { commit, type OpenAgentStore, type OwnedAgent } from '../owned-agent';
import { sessionEntry } from './stored-session';

export async function askCompactionWhenDue(agent: OwnedAgent, open: OpenAgentStore, key: string): Promise<void> {
  try {
    const { agentId } = agent;
    const config = agent.deps.config();
    const entry = await sessionEntry(open.store, { key });
    const members: unknown = entry === undefined ? undefined : JSON.parse(entry.text);
    if (!isJsonObject(members as JsonObject)) return;
    const native = nativeView(members as JsonObject);
    const { model, modelProvider, contextTokens } = native;
    const ran = typeof model === 'string' ? { model, provider: typeof modelProvider === 'string' ? modelProvider : undefined } : undefined;
    const windowTokens = typeof contextTokens === 'number' ? contextTokens : contextTokensFor(config, agentId, ran);
    const settings = agentSettings(config, agentId).compaction;
    if (!mayNeedCompaction({ native, settings, windowTokens }) && !isOversized({ native, settings, transcriptBytes: entry?.tail?.bytes ?? 0 })) return;
    const asked = { agentId, key, reason: 'auto-threshold', instructions: undefined } as const;
    const { result } = await commit<RequestCompactionAnswer>(open, { method: 'RequestCompaction', context: ownContext(`compaction-due:${randomUUID()}`), plan: (view) => decideRequestCompaction(asked, view) });
    const { operationId, snapshotTipId, sessionId, requestedAtMs } = result;
    if (operationId === null || snapshotTipId === null || sessionId === null) return;
    open.compactions.asked({ operationId, sessionId, reason: 'auto-threshold', instructions: undefined, snapshotTipId, requestedAtMs, key: result.key });
  } catch (err) {
    // What comes next asks again.
    agent.deps.logger.warn('a compaction that is due could not be asked for', { agentId: agent.agentId, err });
  }
}

/** The same after a message that begins no turn: only its size can have become too much by it. */
export async function askCompactionOfSize(agent: OwnedAgent, open: OpenAgentStore, key: string): Promise<void> {
  const { maxActiveTranscriptBytes, truncateAfterCompaction } = agentSettings(agent.deps.config(), agent.agentId).compaction;
  if (truncateAfterCompaction && maxActiveTranscriptBytes > 0) await askCompactionWhenDue(agent, open, key);
}
