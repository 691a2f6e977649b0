import { RunRequest, WaitRunRequest } from '@sessions/contracts';
import type { WaitRunResponse } from '@sessions/contracts';
import { SessionError, asAgentId, assertCreatableKey, configuredAgents, isUuid, mainSessionKey, slugAgentId } from '@sessions/domain';
import { deliverTo } from '../../handlers/deliver-to';
import { assertMaySend, findSession } from '../../handlers/existing-session';
import { resolveAddress } from '../../handlers/resolve-address';
import type { Address } from '../../handlers/resolve-address';
import { WAIT_MS_MAX } from '../../handlers/submit-message';
import { WAIT_MS_DEFAULT } from '../../handlers/wait-run';
import { FrameRefusal } from '../gateway-frames';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';
import { NO_RUN } from '../no-run';
import { toRequestContext, withTime } from '../request-context';
import { sentContent } from '../sent-content';

/** Time beyond a wait, for the calls around it. */
const WAIT_GRACE_MS = 10_000;

/**
 * `agent`: a message for which two answers come: that it was accepted, then what its run said. The
 * second one is read by the run's id, so a router that goes away loses nothing: `agent.wait` finds it.
 */
export const agent: GatewayMethod = async (deps, call) => {
  const { params } = call;
  const runId = textOf(params, 'idempotencyKey') ?? '';
  const content = sentContent(params);
  const address = await addressOf(deps, call);
  assertCreatableKey(address.key);
  assertMaySend(deps, { key: address.key, row: (await findSession(deps, address, call.context))?.row });
  const answer = await deliverTo(
    deps,
    {
      ...address,
      ...content,
      run: RunRequest.create({
        runId,
        deliver: flagOf(params, 'deliver'),
        thinkingLevel: textOf(params, 'thinking'),
        modelProvider: textOf(params, 'provider'),
        model: textOf(params, 'model'),
        timeoutMs: numberOf(params, 'timeout') === undefined ? undefined : (numberOf(params, 'timeout') ?? 0) * 1000,
        extraSystemPrompt: textOf(params, 'extraSystemPrompt'),
        source: 'agent',
      }),
    },
    toRequestContext(call),
  );
  const accepted = { runId: answer.runId ?? runId, status: 'accepted', acceptedAt: deps.clock.nowMs(), sessionKey: answer.sessionKey };
  return { payload: accepted, next: () => secondAnswer(deps, call, accepted.runId, address.agentId, answer.runId !== undefined || answer.status === 'duplicate') };
};

async function secondAnswer(deps: GatewayDeps, { context }: MethodCall, runId: string, agentId: string, hasRun: boolean): Promise<unknown> {
  const failed = (summary: string): FrameRefusal => new FrameRefusal({ code: 'UNAVAILABLE', message: summary }, { runId, status: 'error', summary });
  if (!hasRun) throw failed(NO_RUN);
  const patient = withTime(context, deps.bus.clock.nowMs(), WAIT_MS_MAX + WAIT_GRACE_MS);
  const ended = await deps.handlers.waitRun(WaitRunRequest.create({ runId, agentId, timeoutMs: WAIT_MS_MAX }), patient);
  if (ended.state === 'unknown') throw failed(NO_RUN);
  if (ended.outcome !== 'ok') throw failed(`the run ended: ${ended.outcome ?? ended.state}`);
  const payloads = ended.text === undefined ? [] : [{ text: ended.text, mediaUrl: null }];
  return { runId, status: 'ok', summary: 'completed', result: { payloads, meta: { stopReason: ended.stopReason ?? null } } };
}

/** The session that an `agent` call means: a key, a session id, a peer, else the agent's main session. */
async function addressOf(deps: GatewayDeps, { params, context }: MethodCall): Promise<Address> {
  const { session } = deps.config();
  const given = textOf(params, 'agentId');
  const agentId = given === undefined ? configuredAgents(deps.config()).defaultAgentId : slugAgentId(given);
  const key = textOf(params, 'sessionKey')?.trim() ?? '';
  if (key !== '') return resolveAddress(deps, { key, agentId: given }, context);
  const sessionId = textOf(params, 'sessionId')?.trim() ?? '';
  if (sessionId === '') return { agentId, key: mainSessionKey(asAgentId(agentId), session.scope) };
  const found = isUuid(sessionId) ? await findSession(deps, { key: sessionId, agentId: given }, context) : undefined;
  return found ?? { agentId, key: `agent:${agentId}:explicit:${sessionId.toLowerCase()}` };
}

/** `agent.wait`: how a run ended, or that it did not in time. */
export const agentWait: GatewayMethod = async (deps, { params, context }) => {
  const runId = textOf(params, 'runId') ?? '';
  const timeoutMs = numberOf(params, 'timeoutMs') ?? WAIT_MS_DEFAULT;
  const patient = withTime(context, deps.bus.clock.nowMs(), timeoutMs + WAIT_GRACE_MS);
  return { payload: { runId, ...waited(await deps.handlers.waitRun(WaitRunRequest.create({ runId, timeoutMs }), patient)) } };
};

function waited({ state, outcome, text, endedAtMs, stopReason }: WaitRunResponse): Record<string, unknown> {
  if (state === 'unknown') return { status: 'timeout', timeoutPhase: 'queue', providerStarted: false };
  if (state !== 'ended') return { status: 'timeout', timeoutPhase: 'gateway_draining' };
  const end = { endedAt: endedAtMs ?? null, ...(text !== undefined && { reply: text }) };
  if (outcome === 'ok') return { status: 'ok', ...end, stopReason: stopReason ?? null, livenessState: 'ended' };
  if (outcome === 'aborted' || outcome === 'cancelled') return { status: 'timeout', stopReason: stopReason ?? 'rpc', ...end };
  return { status: outcome === 'timeout' ? 'timeout' : 'error', ...end, ...(stopReason !== undefined && { stopReason }) };
}

/** `agent.identity.get`: the name that a chat page shows. */
export const agentIdentityGet: GatewayMethod = async (deps, { params, context }) => {
  const key = textOf(params, 'sessionKey')?.trim() ?? '';
  const given = textOf(params, 'agentId');
  const agentId = key !== '' ? (await resolveAddress(deps, { key, agentId: given }, context)).agentId : given === undefined ? configuredAgents(deps.config()).defaultAgentId : slugAgentId(given);
  const known = await deps.agents.find(agentId, context);
  if (known === undefined) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${agentId}"`);
  return { payload: { agentId, name: known.name ?? agentId, avatar: null, emoji: null } };
};
