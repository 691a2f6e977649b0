/**
 * `sessions_spawn`: a sub-agent in a session of its own. Everything is judged before anything is made;
 * then row, pending turn and the parent's claim on the result are one mutation of the child's owner,
 * so a spawn that was answered is never lost, and one that was refused leaves nothing.
 */
import { ChildSession, RunRequest, StoreServiceCreateSessionRequest } from '@sessions/contracts';
import {
  REDACTED_CONTENT, SessionError, THINKING_LEVELS, agentDenial, agentSettings, attachmentProblems, configuredAgents, inheritedModel, interSessionText, isSameKey, isSandboxed, knownModel, maySpawnAs, modelFor, parseSpawnArguments,
  slugAgentId, spawnDenial, spawnableAgents,
} from '@sessions/domain';
import type { AgentId, JsonObject, ModelRef, SpawnArguments } from '@sessions/domain';
import { seesAgent } from '../auth/scopes';
import { readRow, spawnerName } from '../auth/sight';
import { deliverTo } from '../handlers/deliver-to';
import { runIdOfCall, uuidOf, uuidOfCall } from '../handlers/minted-id';
import { depthOf } from '../auth/spawn-depth';
import { bindThread, threadSettings } from '../threads/bound-thread';
import { nextInterSession } from './chain';
import { claimChild, releaseChild } from './child-place';
import { spawnClaim } from './spawn-claim';
import { dropAttachments, writeAttachments } from './spawn-files';
import type { AttachmentReceipt } from './spawn-files';
import { threadBindingOf } from './thread-binding';
import { isActive, ownChildren } from '../handlers/sub-agents';
import { InvalidArguments, argumentsOf, failed, forbidden } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

const NOTE = 'The result arrives as a message by itself; do not poll for it.';

export async function sessionsSpawn(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const asked = argumentsOf(parseSpawnArguments(raw));
  const { deps, caller, context } = call;
  const config = deps.config();
  if (asked.attachments.some(({ content }) => content === REDACTED_CONTENT)) return repeated(call, asked);
  const problems = attachmentProblems(asked.attachments, config.tools.spawnAttachments);
  if (problems.length > 0) throw new InvalidArguments(problems);
  if (asked.runtime === 'acp') return failed('runtime "acp" is not available in this gateway; use "subagent"');
  const target = await targetAgent(call, asked);
  const key = childKey(target, context);
  const isChildSandboxed = isSandboxed(config, target, key);
  const children = await ownChildren(call);
  const denial = spawnDenial(config, {
    requester: caller.agentId,
    target,
    spawnDepth: depthOf(call),
    // A call that is made again finds the child that it made.
    activeChildren: children.filter((row) => row.key !== key && isActive(row, deps.clock.nowMs())).length,
    isRequesterSandboxed: caller.sight.isSandboxed,
    isChildSandboxed,
    requiresSandbox: asked.sandbox === 'require',
  });
  if (denial !== undefined) return forbidden(denial);
  const model = modelOfSpawn(call, asked, target);
  const thinking = thinkingOf(call, asked, target);
  const binding = asked.thread ? threadBindingOf(call) : undefined;
  const context0 = asked.context ?? (asked.thread ? threadSettings(config).defaultSpawnContext : 'isolated');
  if (context0 === 'fork' && target !== caller.agentId) return failed('context "fork" needs a sub-agent of your own agent');
  const claimRoute = binding?.route;
  const interSession = await nextInterSession(call, 'sessions_spawn', target);
  const followUp = spawnClaim({ ...call, replyRoute: claimRoute ?? call.replyRoute }, { childAgentId: target, task: asked.task, label: asked.label, hops: interSession.hops });
  // The result needs a session to come to; a client may act for one that has not said a word yet.
  if (caller.row === undefined) await deps.stores.mutate('createSession', StoreServiceCreateSessionRequest.create({ agentId: caller.agentId, key: caller.key }), context, { part: 'parent' });
  // The rows above say nothing of spawns that are under way elsewhere: the parent's owner does.
  await claimChild(call, key, children);
  let files: AttachmentReceipt | undefined;
  const timeoutSeconds = asked.runTimeoutSeconds ?? agentSettings(config, target).subagents.runTimeoutSeconds;
  try {
    if (asked.attachments.length > 0) files = await writeAttachments(call, { agentId: target, childKey: key, spawnId: uuidOf(`${key}#attachments`), files: asked.attachments });
    const delivered = await deliverTo(
      deps,
      {
        agentId: target,
        key,
        text: interSessionText(interSession, taskText(asked, files)),
        attachments: [],
        interSession,
        child: ChildSession.create({
          spawnedBy: spawnerName(caller, target),
          spawnDepth: depthOf(call) + 1,
          label: asked.label,
          cleanup: asked.cleanup,
          fork: context0 === 'fork',
          membersJson: Buffer.from(JSON.stringify({ ...childMembers(call, asked, { model, thinking, isChildSandboxed }), ...(files !== undefined && { attachments: files }), ...(binding !== undefined && { threadBinding: binding.member }) })),
        }),
        run: RunRequest.create({
          runId: runIdOfCall(context, target),
          deliver: false,
          source: 'spawn',
          queueMode: 'queue',
          modelProvider: model?.provider,
          model: model?.model,
          thinkingLevel: thinking,
          timeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : undefined,
          extraSystemPrompt: 'You are a sub-agent with one task. No person reads along; your last answer is the result that goes to the session that spawned you.',
          followUp,
        }),
        part: 'spawn',
      },
      context,
    );
    // From here on the thread's messages go there; a call that is made again binds it again.
    if (binding !== undefined) await bindThread(deps, { agentId: caller.agentId, key: caller.key }, binding.boundTo(key), 'bind', context);
    const resolved = model ?? modelFor(config, target);
    return {
      details: {
        status: 'accepted',
        runId: delivered.runId ?? runIdOfCall(context, target),
        childSessionKey: delivered.sessionKey === '' ? key : delivered.sessionKey,
        ...(files !== undefined && { attachments: { ...files } }),
        mode: asked.mode,
        note: NOTE,
        ...(resolved !== undefined && { resolvedModel: resolved.model, resolvedProvider: resolved.provider }),
        modelApplied: asked.model !== undefined,
      },
    };
  } catch (error) {
    // Only what is known not to have happened is undone.
    if (error instanceof SessionError && !['OUTCOME_UNKNOWN', 'DEADLINE', 'NO_OWNER', 'NOT_OWNER'].includes(error.reason)) {
      if (files !== undefined) await dropAttachments(call, target, files);
      await releaseChild(call, key);
    }
    throw error;
  }
}

/** A call that is made again from its transcript, where its files do not stand: it made a sub-agent before, or it did not. */
async function repeated({ deps, caller, context }: ToolCall, asked: SpawnArguments): Promise<ToolAnswer> {
  const agentId = asked.agentId === undefined ? caller.agentId : slugAgentId(asked.agentId);
  const key = childKey(agentId, context);
  const row = await readRow(deps, { agentId, key }, context);
  if (row?.spawnedBy === undefined || !isSameKey(row.spawnedBy, spawnerName(caller, agentId))) return failed('the call was interrupted before it spawned anything, and its files are not kept: make it again with their contents');
  return { details: { status: 'accepted', runId: runIdOfCall(context, agentId), childSessionKey: row.key, mode: asked.mode, note: NOTE } };
}

const childKey = (agentId: string, context: ToolCall['context']): string => `agent:${agentId}:subagent:${uuidOf(`${uuidOfCall(context)}#child`)}`;

/** @throws AGENT_UNKNOWN, VALIDATION, SPAWN_DENIED: the allowlist speaks first, so it tells nothing of agents outside it */
async function targetAgent({ deps, caller, context }: ToolCall, asked: SpawnArguments): Promise<AgentId> {
  const config = deps.config();
  if (asked.agentId === undefined) {
    if (agentSettings(config, caller.agentId).subagents.requireAgentId) throw new SessionError('VALIDATION', 'agentId required: see agents_list');
    return caller.agentId;
  }
  const target = slugAgentId(asked.agentId);
  // The same for what a token hides, what is not allowed and what does not exist; it names what `agents_list` shows.
  if (!seesAgent(context.scopes, target) || !maySpawnAs(config, caller.agentId, target)) {
    throw new SessionError('SPAWN_DENIED', agentDenial(spawnableAgents(config, caller.agentId).filter((id) => seesAgent(context.scopes, id))));
  }
  const isKnown = target === caller.agentId || configuredAgents(config).ids.includes(target) || (await deps.agents.find(target, context)) !== undefined;
  if (!isKnown) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${asked.agentId.slice(0, 64)}"`);
  return target;
}

/** @throws VALIDATION for one that is not configured; undefined: the agent's own */
function modelOfSpawn({ deps, caller }: ToolCall, asked: SpawnArguments, target: AgentId): ModelRef | undefined {
  const config = deps.config();
  if (asked.model !== undefined && asked.model.toLowerCase() !== 'default') {
    const known = knownModel(config, asked.model);
    if (known === undefined) throw new SessionError('VALIDATION', `Unknown model: ${asked.model.slice(0, 200)}`);
    return known;
  }
  const { row } = caller;
  const override = row?.modelOverride === undefined || row.modelOverride === '' ? undefined : { provider: row.providerOverride, model: row.modelOverride };
  return inheritedModel(config, { requester: caller.agentId, target, override });
}

/** @throws VALIDATION for a level that there is not; undefined: the agent's own */
function thinkingOf({ deps, caller }: ToolCall, asked: SpawnArguments, target: AgentId): string | undefined {
  if (asked.thinking === undefined) return agentSettings(deps.config(), target).subagents.thinking ?? caller.row?.thinkingLevel;
  if (!THINKING_LEVELS.some((level) => level === asked.thinking)) throw new SessionError('VALIDATION', `thinking: must be one of ${THINKING_LEVELS.join(', ')}`);
  return asked.thinking;
}

interface Chosen {
  readonly model: ModelRef | undefined;
  readonly thinking: string | undefined;
  readonly isChildSandboxed: boolean;
}

/** What the child is from its first moment; its role does not change when the configuration does. */
function childMembers(call: ToolCall, asked: SpawnArguments, { model, thinking, isChildSandboxed }: Chosen): JsonObject {
  const config = call.deps.config();
  const isLeaf = depthOf(call) + 1 >= agentSettings(config, call.caller.agentId).subagents.maxSpawnDepth;
  const { allow, deny } = config.tools.subagents.tools;
  return {
    subagentRole: isLeaf ? 'leaf' : 'orchestrator',
    subagentControlScope: isLeaf ? 'none' : 'children',
    spawnMode: asked.mode,
    sandboxed: isChildSandboxed,
    inheritedToolAllow: allow === undefined ? undefined : [...allow],
    inheritedToolDeny: deny.length === 0 ? undefined : [...deny],
    thinkingLevel: thinking,
    providerOverride: model?.provider,
    modelOverride: model?.model,
    modelOverrideSource: model === undefined ? undefined : 'auto',
    attachAs: asked.attachAs,
  };
}

function taskText({ task }: SpawnArguments, files: AttachmentReceipt | undefined): string {
  if (files === undefined) return task;
  return `${task}\n\nFiles for this task, in your workspace:\n${files.files.map(({ name, bytes }) => `- ${files.relDir}/${name} (${bytes} bytes)`).join('\n')}`;
}

