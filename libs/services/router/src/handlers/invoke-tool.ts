/**
 * InvokeTool: a session tool under its caller's identity and visibility. Whatever happens is an answer
 * for the model: refusals, wrong arguments and failures too.
 */
import { InvokeToolRequest, InvokeToolResponse } from '@sessions/contracts';
import { MEMORY_TOOL_NAME, agentSettings, asAgentId, mainSessionKey, matchesPattern, parseSessionKey, sessionTool, toolsFor } from '@sessions/domain';
import type { ToolDefinition } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import { defaultAgentFor } from '../auth/default-agent';
import { assertSeesAgent } from '../auth/scopes';
import { agentCallerOf, createSight, readRow } from '../auth/sight';
import { depthOf } from '../auth/spawn-depth';
import type { HandlerDeps } from '../deps';
import { assertJsonShape } from '../large/json-shape';
import { memoryAppend } from '../tools/memory-append';
import { TOOLS } from '../tools/tool-table';
import { InvalidArguments, failed, refusedAnswer } from '../tools/tool-call';
import type { ToolAnswer, ToolCaller } from '../tools/tool-call';
import { readRun } from './find-run';
import { uuidOf } from './minted-id';
import { resolveAddress } from './resolve-address';

/** What became of a call, for doors that tell its kinds apart. */
export type ToolOutcome =
  | { readonly kind: 'answer'; readonly answer: ToolAnswer }
  /** No such tool, or not for this caller. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'invalid'; readonly message: string }
  /** A fault of ours; its cause is in the log. */
  | { readonly kind: 'failed' };

const SHOWN_NAME_MAX = 100;

export async function invokeTool(deps: HandlerDeps, request: InvokeToolRequest, context: CallContext): Promise<InvokeToolResponse> {
  const answer = answerOf(request.name, await runTool(deps, ofCaller(request, context), context));
  return InvokeToolResponse.create({ resultJson: Buffer.from(JSON.stringify(answer.details)), endsTurn: answer.endsTurn ?? false });
}

/** Which run calls, how far it is in its chain and where it answers is said by services; a client has no run. */
function ofCaller({ name, argumentsJson, sessionKey, ...ofRun }: InvokeToolRequest, { caller }: CallContext): InvokeToolRequest {
  return InvokeToolRequest.create({ name, argumentsJson, sessionKey, ...(!caller.startsWith('client:') && ofRun) });
}

function answerOf(name: string, outcome: ToolOutcome): ToolAnswer {
  switch (outcome.kind) {
    case 'answer':
      return outcome.answer;
    case 'unavailable':
      return failed(`Tool not available: ${name.slice(0, SHOWN_NAME_MAX)}`);
    case 'invalid':
      return failed(outcome.message);
    case 'failed':
      return failed('tool execution failed');
  }
}

/** @throws nothing that a model could mend; what the caller's leaving or its missing rights raise */
export async function runTool(deps: HandlerDeps, request: InvokeToolRequest, context: CallContext): Promise<ToolOutcome> {
  const definition = sessionTool(request.name);
  const isNote = request.name === MEMORY_TOOL_NAME && agentCallerOf(context) !== undefined;
  if (definition === undefined && !isNote) return { kind: 'unavailable' };
  const tool = definition === undefined ? memoryAppend : TOOLS[definition.name];
  try {
    const caller = await callerOf(deps, request, context);
    const denied = await deniedToRun(deps, caller, request.runId, context);
    const isFree = isNote ? ![...deps.config().tools.deny, ...denied].some((pattern) => matchesPattern(pattern, request.name)) : isAvailable(deps, caller, request.name, denied);
    if (!isFree) return { kind: 'unavailable' };
    const { runId, replyRoute, hops, traceId, traceAgentId, costUsd } = request;
    const answer = await tool({ deps, caller, context: withKeyOfSession(context, caller, request.name), runId, replyRoute, hops, traceId, traceAgentId, costUsd }, readArguments(request.argumentsJson));
    return { kind: 'answer', answer };
  } catch (thrown) {
    if (thrown instanceof InvalidArguments) return { kind: 'invalid', message: thrown.message };
    const error = toSessionError(thrown);
    if (error.reason !== 'INTERNAL') return { kind: 'answer', answer: refusedAnswer(error) };
    deps.logger.error('a session tool failed', { operation: request.name, err: error });
    return { kind: 'failed' };
  }
}

/**
 * What a client calls a call is its own affair and that of the session it acts for: two that count from
 * one must not be given each other's children and answers, and neither must a send and a spawn. The keys
 * of a run name the run and the call already.
 */
function withKeyOfSession(context: CallContext, caller: ToolCaller, tool: string): CallContext {
  if (agentCallerOf(context) !== undefined || context.idempotencyKey === undefined) return context;
  return { ...context, idempotencyKey: uuidOf(`tool ${caller.agentId} ${caller.key} ${tool} ${context.idempotencyKey}`) };
}

/** @throws InvalidArguments */
function readArguments(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  assertJsonShape(bytes);
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    throw new InvalidArguments(['the arguments are not valid JSON']);
  }
}

/** An agent is the session in its header, whatever the request says; others name the one they act for. */
async function callerOf(deps: HandlerDeps, request: InvokeToolRequest, context: CallContext): Promise<ToolCaller> {
  const agentKey = agentCallerOf(context);
  // The key names itself here; what it may see of others is asked later.
  const address = await resolveAddress(deps, { key: agentKey ?? request.sessionKey ?? mainKeyOf(deps, context) }, { ...context, caller: agentKey === undefined ? context.caller : 'service:router/tools' });
  assertSeesAgent(context.scopes, address.agentId);
  const row = await readRow(deps, address, context);
  const key = row?.key ?? address.key;
  return { agentId: asAgentId(address.agentId), key, row, sight: createSight(deps, { agentId: address.agentId, key }, context) };
}

function mainKeyOf(deps: HandlerDeps, context: CallContext): string {
  const config = deps.config();
  const defaultAgentId = defaultAgentFor(config, context);
  return config.session.scope === 'global' ? `agent:${defaultAgentId}:main` : mainSessionKey(defaultAgentId);
}

/** The tools that a client gets which acts for a session. @throws as `resolveAddress` */
export async function toolsOfSession(deps: HandlerDeps, sessionKey: string | undefined, context: CallContext): Promise<readonly ToolDefinition[]> {
  return availableTo(deps, await callerOf(deps, InvokeToolRequest.create({ sessionKey }), context));
}

/** Tools that the calling run was begun without; its runner offers none of them, and is not believed when it asks for one. */
async function deniedToRun(deps: HandlerDeps, { agentId }: ToolCaller, runId: string | undefined, context: CallContext): Promise<readonly string[]> {
  if (runId === undefined || agentCallerOf(context) === undefined) return [];
  return (await readRun(deps, agentId, runId, context))?.deniedTools ?? [];
}

const isAvailable = (deps: HandlerDeps, caller: ToolCaller, name: string, denied: readonly string[]): boolean => availableTo(deps, caller, denied).some((tool) => tool.name === name);

function availableTo(deps: HandlerDeps, caller: ToolCaller, denied: readonly string[] = []): readonly ToolDefinition[] {
  const { tools } = deps.config();
  return toolsFor({
    profile: tools.profile,
    allow: tools.allow,
    alsoAllow: tools.alsoAllow,
    deny: [...tools.deny, ...denied],
    childAllow: tools.subagents.tools.allow,
    childDeny: tools.subagents.tools.deny,
    isSubagent: parseSessionKey(caller.key).form === 'subagent' || caller.row?.spawnedBy !== undefined,
    spawnDepth: depthOf({ caller }),
    maxSpawnDepth: agentSettings(deps.config(), caller.agentId).subagents.maxSpawnDepth,
  });
}

/** Tools that doors for clients leave out unless the configuration lets them in (measured). */
const DENIED_TO_CLIENTS: ReadonlySet<string> = new Set(['sessions_send', 'sessions_spawn']);

export function isDeniedToClients(deps: Pick<HandlerDeps, 'config'>, name: string): boolean {
  return DENIED_TO_CLIENTS.has(name) && !deps.config().gateway.tools.allow.includes(name);
}

