/** What a runtime is asked: the run's own choices first, then the session's, then the agent's. Pure. */
import { TurnLimits, TurnToggles, type BeginTurnResponse, type ExecuteTurnRequest, type TurnJob } from '@sessions/contracts';
import { namedKey, parseSessionKey, type JsonObject, type JsonValue, type SessionConfig } from '@sessions/domain';
import { offeredTools, type OfferTools } from './offered-tools';
import { systemPrompt, type PromptFacts } from './system-prompt';

/** The session's entry, as far as it is looked at. */
export type TurnEntry = JsonObject;

export interface TurnFacts {
  readonly config: SessionConfig;
  readonly agentId: string;
  readonly job: TurnJob;
  readonly begun: BeginTurnResponse;
  readonly entry: TurnEntry;
  /** Holds requests down to this; undefined: as the model has it. */
  readonly contextTokens?: number | undefined;
  readonly offerTools?: OfferTools | undefined;
}

export function turnRequest({ config, agentId, job, begun, entry, contextTokens, offerTools = offeredTools }: TurnFacts): Partial<ExecuteTurnRequest> {
  const { settings, sessionKey, attachments, messageId } = begun;
  const run = settings?.run;
  const tools = offerTools({ config, agentId, sessionKey, entry, deniedTools: run?.deniedTools ?? [] });
  const own = run?.model === undefined || run.model === '' ? { provider: textOf(entry['providerOverride']), model: textOf(entry['modelOverride']) } : { provider: run.modelProvider, model: run.model };
  return {
    agentId,
    runId: job.runId,
    sessionKey,
    attempt: job.attempt,
    messageId,
    toolsJson: tools.map((tool) => Buffer.from(JSON.stringify(tool), 'utf8')),
    modelProvider: own.provider,
    model: own.model,
    thinkingLevel: run?.thinkingLevel ?? textOf(entry['thinkingLevel']),
    toggles: toggles(run?.toggles, entry),
    limits: TurnLimits.create({ contextTokens, ...(run?.timeoutMs === undefined || run.timeoutMs <= 0 ? {} : { timeoutMs: run.timeoutMs }) }),
    attachments,
    systemPrompt: systemPrompt(promptFacts(agentId, begun, tools.length > 0)),
    hops: settings?.interSession?.hops ?? 0,
    traceId: settings?.interSession?.traceId,
    traceAgentId: settings?.interSession?.traceAgentId,
    costUsd: settings?.interSession?.costUsd,
    // A result that has come is answered nowhere, and what it leads to is still announced where the task came from.
    replyRoute: run?.deliver === true || run?.source === 'announce' ? run.replyRoute : undefined,
  };
}

/** What the message said for its own turn, else what the session has; undefined: neither says anything. */
function toggles(own: TurnToggles | undefined, entry: TurnEntry): TurnToggles | undefined {
  const levels = TOGGLES.map((name) => [name, own?.[name] ?? textOf(entry[name])] as const);
  return levels.every(([, level]) => level === undefined) ? undefined : TurnToggles.create(Object.fromEntries(levels) as Partial<TurnToggles>);
}

const TOGGLES = ['verboseLevel', 'reasoningLevel', 'elevatedLevel', 'execHost', 'execSecurity', 'execAsk', 'execNode'] as const;

/** @param hasTools whether any are offered. */
export function promptFacts(agentId: string, { sessionKey, settings }: Pick<BeginTurnResponse, 'sessionKey' | 'settings'>, hasTools: boolean): PromptFacts {
  return { agentId, sessionKey: namedKey(agentId, sessionKey), isSubagent: parseSessionKey(sessionKey).form === 'subagent', hasTools, extra: settings?.run?.extraSystemPrompt };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
