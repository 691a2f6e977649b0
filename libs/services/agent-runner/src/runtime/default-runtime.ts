/**
 * The runtime that is there by itself: a chat loop over the configured models and the session tools.
 * It is served under the AgentRuntime contract like any other, and knows nothing of who asks; a
 * runtime of one's own takes its place by serving the same subjects (docs/protocols/runtime.md).
 *
 * Nothing of a turn is kept here: what happened is in the records that it gave out. A turn whose
 * caller leaves ends at once.
 */
import { AgentRuntimeService, CancelTurnResponse, ConfirmRecordsResponse, DescribeResponse, ExecuteTurnResponse, SteerTurnResponse, type ExecuteTurnRequest } from '@sessions/contracts';
import { serveService, type Bus, type CallContext, type Served, type Subjects } from '@sessions/bus';
import { SessionError, agentSettings, asAgentId, isJsonObject, modelFor, namedKey, parseModelRef, type ModelRef, type SessionConfig, type TranscriptLine, parseTranscriptLine } from '@sessions/domain';
import { THINKING_TOKENS, type ChatTool, type RetryLimits, type ThinkingEffort } from '@sessions/llm';
import type { Logger } from '@sessions/host';
import { createOwnerCalls } from '../owner-calls';
import { joinParts, readBranch } from '../read-branch';
import { runChatLoop, type TurnItem } from './chat-loop';
import { createToolInvoker } from './invoke-tool';
import { TurnControl } from './turn-control';

export const RUNTIME_ID = 'chat-loop';
/** Copies of a runtime share its turns; a runtime in its place uses the same name. */
export const RUNTIME_QUEUE_GROUP = 'agent-runtime';
/** A turn without a limit of its own. One hour, in milliseconds. */
export const TURN_MS_MAX = 3_600_000;
const OWN_PROMPT = 'You are an assistant. Answer the last message of the conversation.';

export interface RuntimeDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly config: () => SessionConfig;
  readonly logger: Logger;
  /** `service:<name>/<instance>`. */
  readonly caller: string;
  readonly retries?: RetryLimits;
}

/** Serves it until it is stopped; turns under way then end with SHUTTING_DOWN. */
export function serveDefaultRuntime(deps: RuntimeDeps): Promise<Served> {
  const { bus, subjects, config } = deps;
  return serveService(
    bus,
    AgentRuntimeService,
    {
      describe: () => Promise.resolve(DescribeResponse.create({ runtimeId: RUNTIME_ID, models: configuredModels(config()), attachmentTypes: ['image/*'], capabilities: ['steer'] })),
      executeTurn: (request, context) => executeTurn(deps, request, context),
    },
    { subjectFor: (method) => (method === 'Describe' || method === 'ExecuteTurn' ? subjects.runtime(method) : undefined), queueGroup: RUNTIME_QUEUE_GROUP },
  );
}

async function* executeTurn(deps: RuntimeDeps, request: ExecuteTurnRequest, context: CallContext): AsyncGenerator<ExecuteTurnResponse> {
  const { bus, config } = deps;
  const control = new TurnControl();
  const leave = (): void => control.stop('left');
  if (context.signal.aborted) leave();
  context.signal.addEventListener('abort', leave, { once: true });
  const cancelTimer = bus.clock.startTimer(request.limits?.timeoutMs ?? TURN_MS_MAX, () => control.stop('timeout'));
  const door = await serveExecution(deps, request.executionId, control);
  try {
    const models = modelsOf(config(), request);
    if (models.length === 0) {
      yield done({ outcome: 'error', errorReason: 'unconfigured', errorMessage: `no model is configured for agent "${request.agentId}": set agents.defaults.model.primary` });
      return;
    }
    const tools = request.toolsJson.flatMap(readTool);
    const items = runChatLoop({
      config: config(),
      request,
      path: await branchOf(deps, request, control.signal),
      models,
      tools,
      systemPrompt: request.systemPrompt ?? OWN_PROMPT,
      thinking: readThinking(request.thinkingLevel),
      control,
      invokeTool: createToolInvoker({ bus, subjects: deps.subjects, sessionKey: namedKey(request.agentId, request.sessionKey), runId: request.runId, chain: { hops: request.hops, traceId: request.traceId, traceAgentId: request.traceAgentId, costUsd: request.costUsd }, replyRoute: request.replyRoute, names: new Set(tools.map(({ name }) => name)) }),
      nowMs: () => bus.clock.nowMs(),
      ...(deps.retries === undefined ? {} : { retries: deps.retries }),
      onRetry: (failure) => deps.logger.warn('a model is asked again', { agentId: request.agentId, reason: failure.kind }),
    });
    for await (const item of items) yield ExecuteTurnResponse.create({ item });
  } finally {
    cancelTimer();
    context.signal.removeEventListener('abort', leave);
    control.end();
    await door.stop();
  }
}

/** Where others reach this one turn while it works. */
function serveExecution({ bus, subjects }: RuntimeDeps, executionId: string, control: TurnControl): Promise<Served> {
  return serveService(
    bus,
    AgentRuntimeService,
    {
      steerTurn: ({ text, attachments, recorded }) => Promise.resolve(SteerTurnResponse.create({ steered: control.steer({ text, attachments, isRecorded: recorded }) })),
      cancelTurn: ({ reason }) => {
        control.stop(reason === '' ? 'abort' : reason);
        return Promise.resolve(CancelTurnResponse.create({ state: 'stopping' }));
      },
      confirmRecords: ({ recordsCount }) => {
        control.confirm(recordsCount);
        return Promise.resolve(ConfirmRecordsResponse.create({}));
      },
    },
    { subjectFor: (method) => (method === 'SteerTurn' || method === 'CancelTurn' || method === 'ConfirmRecords' ? subjects.run(executionId, method) : undefined) },
  );
}

function done(value: Partial<Extract<TurnItem, { $case: 'done' }>['value']>): ExecuteTurnResponse {
  return ExecuteTurnResponse.create({ item: { $case: 'done', value: { outcome: 'error', ...value } as Extract<TurnItem, { $case: 'done' }>['value'] } });
}

/** The branch as it was given, or as its owner has it when it is larger than a message. */
async function branchOf({ bus, subjects, caller }: RuntimeDeps, { agentId, sessionKey: key, branch, tipId }: ExecuteTurnRequest, signal: AbortSignal): Promise<readonly TranscriptLine[]> {
  if (branch.length === 0 && tipId !== undefined) {
    const owner = createOwnerCalls({ bus, subjects, caller });
    const read = await owner(agentId, (store) => readBranch(store, { agentId, key, tipId, signal }), { signal });
    return read.lines.map(({ line }) => line);
  }
  const path: TranscriptLine[] = [];
  const take = joinParts((text, number) => {
    const line = parseTranscriptLine(text, number);
    if (line.ok) path.push(line);
  });
  for (const record of branch) take(record);
  return path;
}

/** The session's model and those that stand in for it; the agent's where the request names none. */
export function modelsOf(config: SessionConfig, { agentId, model, modelProvider }: Pick<ExecuteTurnRequest, 'agentId' | 'model' | 'modelProvider'>): readonly ModelRef[] {
  const agent = asAgentId(agentId);
  const own: ModelRef | undefined = model === undefined || model === '' ? modelFor(config, agent) : modelProvider === undefined || modelProvider === '' ? parseModelRef(model) : { provider: modelProvider, model };
  const chain = [...(own === undefined ? [] : [own]), ...agentSettings(config, agent).model.fallbacks.map(parseModelRef)];
  return chain.filter((ref, at) => chain.findIndex((other) => other.provider === ref.provider && other.model === ref.model) === at);
}

function configuredModels(config: SessionConfig): string[] {
  const listed = Object.entries(config.models.providers).flatMap(([id, provider]) => provider.models.map((model) => `${id}/${model.id}`));
  return [...listed, 'demo/echo'];
}

function readThinking(level: string | undefined): ThinkingEffort | undefined {
  return level !== undefined && Object.hasOwn(THINKING_TOKENS, level) ? (level as ThinkingEffort) : undefined;
}

function readTool(bytes: Uint8Array): ChatTool[] {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  if (!isJsonObject(value)) return [];
  const { name, description, parameters } = value;
  if (typeof name !== 'string' || !isJsonObject(parameters)) throw new SessionError('VALIDATION', 'a tool needs a name and the schema of its arguments');
  return [{ name, description: typeof description === 'string' ? description : '', parameters }];
}
