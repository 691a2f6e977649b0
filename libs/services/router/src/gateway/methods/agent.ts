import { ReplyRoute, RunRequest, WaitRunRequest } from '@sessions/contracts';
import type { WaitRunResponse } from '@sessions/contracts';
import { SessionError, asAgentId, assertCreatableKey, isJsonObject, isUuid, mainSessionKey, parseModelRef, slugAgentId } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { defaultAgentFor } from '../../auth/default-agent';
import { chosenRunId } from '../../handlers/chosen-run-id';
import { deliverTo } from '../../handlers/deliver-to';
import { assertMaySend, findSession } from '../../handlers/existing-session';
import { assertKnownAgent } from '../../handlers/known-agent';
import { resolveAddress } from '../../handlers/resolve-address';
import type { Address } from '../../handlers/resolve-address';
import { LOOK_AGAIN_MS, WAIT_MS_DEFAULT, WAIT_MS_MAX } from '../../handlers/wait-run';
import { FrameRefusal } from '../gateway-frames';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';
import { NO_RUN } from '../no-run';
import { stopWord } from '../stop-word';
import { withTime } from '../../handlers/with-time';
import { toRequestContext } from '../request-context';
import { sentContent } from '../sent-content';

/**
 * What a turn of this gateway cannot be: without its message in the transcript, or without the session.
 * What else a client may say of a turn has no meaning here and changes nothing.
 */
function assertServedTurn(params: JsonObject): void {
  const asked = [...['modelRun', 'suppressPromptPersistence'].filter((name) => params[name] === true), ...(params['sessionEffects'] === 'internal' ? ['sessionEffects'] : [])];
  if (asked.length > 0) throw new SessionError('VALIDATION', `agent with ${asked.join(', ')} is not served by this gateway`);
}

/** Time beyond a wait, for the calls around it. */
const WAIT_GRACE_MS = 10_000;

/**
 * `agent`: a message for which two answers come: that it was accepted, then what its run said. The
 * second one is read by the run's id, so a router that goes away loses nothing: `agent.wait` finds it.
 * For a key that was seen before there is one answer, how far its run is.
 */
export const agent: GatewayMethod = async (deps, call) => {
  const { params, context } = call;
  const runId = textOf(params, 'idempotencyKey') ?? '';
  assertServedTurn(params);
  const content = await sentContent(params);
  await assertKnownAgent(deps, textOf(params, 'agentId'), context).catch(inWordsOfAgent);
  const address = await addressOf(deps, call);
  assertCreatableKey(address.key);
  chosenRunId(runId, address.agentId);
  const session = await findSession(deps, address, context);
  assertMaySend(deps, { key: address.key, row: session?.row });
  const answer = await deliverTo(
    deps,
    {
      ...address,
      ...content,
      run: RunRequest.create({
        runId,
        deliver: flagOf(params, 'deliver'),
        replyRoute: replyRouteOf(params, session?.entry),
        thinkingLevel: textOf(params, 'thinking'),
        ...modelOf(params),
        timeoutMs: numberOf(params, 'timeout') === undefined ? undefined : (numberOf(params, 'timeout') ?? 0) * 1000,
        extraSystemPrompt: textOf(params, 'extraSystemPrompt'),
        source: 'agent',
      }),
    },
    toRequestContext(call),
  );
  const named = answer.runId ?? runId;
  if (answer.status === 'handled') return { payload: { runId: named, status: 'ok', summary: 'completed', result: resultOf(answer.reply) } };
  if (answer.status === 'duplicate' && answer.runId !== undefined) return { payload: await repeated(deps, call, { runId: named, agentId: address.agentId, sessionKey: answer.sessionKey }) };
  const accepted = { runId: named, status: 'accepted', acceptedAt: deps.clock.nowMs(), sessionKey: answer.sessionKey };
  return { payload: accepted, next: () => secondAnswer(deps, call, named, address.agentId, answer.runId !== undefined) };
};

/** The original's own text, which this method alone has. */
function inWordsOfAgent(error: unknown): never {
  if (!(error instanceof SessionError) || error.reason !== 'AGENT_UNKNOWN') throw error;
  throw new SessionError('AGENT_UNKNOWN', `invalid agent params: ${error.message.replace(/^U/, 'u')}`, { facts: error.facts });
}

async function repeated(deps: GatewayDeps, { context }: MethodCall, { runId, agentId, sessionKey }: { readonly runId: string; readonly agentId: string; readonly sessionKey: string }): Promise<unknown> {
  const run = await deps.handlers.waitRun(WaitRunRequest.create({ runId, agentId, timeoutMs: 0 }), context);
  return run.state === 'ended' || run.state === 'unknown' ? toEnd(runId, run) : { runId, status: 'in_flight', sessionKey };
}

/** As long as the run takes: one that goes on is waited for again. */
async function secondAnswer(deps: GatewayDeps, { context }: MethodCall, runId: string, agentId: string, hasRun: boolean): Promise<unknown> {
  if (!hasRun) throw failed(runId, NO_RUN);
  for (;;) {
    const patient = withTime(context, deps.bus.clock.nowMs(), WAIT_MS_MAX + WAIT_GRACE_MS);
    const run = await deps.handlers.waitRun(WaitRunRequest.create({ runId, agentId, timeoutMs: WAIT_MS_MAX }), patient);
    if (run.state === 'ended' || run.state === 'unknown') return toEnd(runId, run);
  }
}

const failed = (runId: string, summary: string): FrameRefusal => new FrameRefusal({ code: 'UNAVAILABLE', message: summary }, { runId, status: 'error', summary });
const resultOf = (text: string | undefined, meta: object = {}): object => ({ payloads: text === undefined || text === '' ? [] : [{ text, mediaUrl: null }], meta });

/** How a run ended, as clients of the protocol know it: one that was stopped or ran out of time is no error. */
function toEnd(runId: string, { state, outcome, text, startedAtMs, endedAtMs, stopReason, errorMessage }: WaitRunResponse): unknown {
  if (state === 'unknown') throw failed(runId, NO_RUN);
  if (outcome === 'error') throw failed(runId, errorMessage ?? 'the run failed');
  const durationMs = startedAtMs === undefined || endedAtMs === undefined ? undefined : endedAtMs - startedAtMs;
  const result = resultOf(text, { ...(durationMs !== undefined && { durationMs }), stopReason: stopReason ?? null });
  if (outcome === 'ok') return { runId, status: 'ok', summary: 'completed', result };
  const why = { stopReason: outcome === 'timeout' ? 'timeout' : stopWord(stopReason), ...notStarted(startedAtMs) };
  return { runId, status: 'timeout', summary: 'aborted', ...why, result };
}

const notStarted = (startedAtMs: number | undefined): object => (startedAtMs === undefined ? { timeoutPhase: 'queue', providerStarted: false } : {});

/** `provider/model` in one word, or as two. */
function modelOf(params: JsonObject): { readonly modelProvider?: string; readonly model?: string } {
  const [provider, model] = [textOf(params, 'provider')?.trim(), textOf(params, 'model')?.trim()];
  const asked = model === undefined || model === '' || provider !== undefined ? { provider, model } : parseModelRef(model);
  return { ...(asked.provider !== undefined && { modelProvider: asked.provider }), ...(asked.model !== undefined && asked.model !== '' && { model: asked.model }) };
}

/** Where the answer goes, when it shall: as the caller says, else where the session was last spoken to from. */
function replyRouteOf(params: JsonObject, entry: JsonObject | undefined): ReplyRoute | undefined {
  if (!flagOf(params, 'deliver')) return undefined;
  const given = (...names: readonly string[]): string | undefined => names.map((name) => textOf(params, name)?.trim()).find((value) => value !== undefined && value !== '');
  const known = isJsonObject(entry?.deliveryContext) ? entry.deliveryContext : {};
  const named = given('replyChannel', 'channel');
  const channel = named === undefined || named === 'last' ? textOf(known, 'channel') : named;
  const to = given('replyTo', 'to') ?? (channel === textOf(known, 'channel') ? textOf(known, 'to') : undefined);
  if ((channel === undefined || to === undefined) && flagOf(params, 'bestEffortDeliver')) return undefined;
  if (channel === undefined || to === undefined) throw new SessionError('VALIDATION', 'deliver needs a channel and an address: the session was not spoken to from a channel yet');
  const isKnown = channel === textOf(known, 'channel') && to === textOf(known, 'to');
  const threadId = given('threadId') ?? (isKnown ? textOf(known, 'threadId') : undefined);
  return ReplyRoute.create({ channel, to, accountId: given('replyAccountId', 'accountId') ?? (isKnown ? textOf(known, 'accountId') : undefined), threadId });
}

/** The session that an `agent` call means: a key, a session id, a peer, else the agent's main session. */
async function addressOf(deps: GatewayDeps, { params, context }: MethodCall): Promise<Address> {
  const { session } = deps.config();
  const given = textOf(params, 'agentId');
  const agentId = given === undefined ? defaultAgentFor(deps.config(), context) : slugAgentId(given);
  const key = textOf(params, 'sessionKey')?.trim() ?? '';
  if (key !== '') return resolveAddress(deps, { key, agentId: given }, context);
  const sessionId = textOf(params, 'sessionId')?.trim() ?? '';
  if (sessionId === '') return { agentId, key: mainSessionKey(asAgentId(agentId), session.scope) };
  const found = isUuid(sessionId) ? await findSession(deps, { key: sessionId, agentId: given }, context) : undefined;
  return found ?? { agentId, key: `agent:${agentId}:explicit:${sessionId.toLowerCase()}` };
}

/** `agent.wait`: how a run ended, or that it did not in time. A run that nobody knows yet may still be asked for; of an id that several agents know, the session or agent beside it says which. */
export const agentWait: GatewayMethod = async (deps, { params, context }) => {
  const runId = textOf(params, 'runId') ?? '';
  const timeoutMs = numberOf(params, 'timeoutMs') ?? WAIT_MS_DEFAULT;
  const endsAtMs = deps.clock.monotonicMs() + timeoutMs;
  const patient = withTime(context, deps.bus.clock.nowMs(), timeoutMs + WAIT_GRACE_MS);
  const watch = deps.runEnds.watch(runId);
  try {
    for (;;) {
      const leftMs = Math.max(0, Math.round(endsAtMs - deps.clock.monotonicMs()));
      const run = await deps.handlers.waitRun(WaitRunRequest.create({ runId, timeoutMs: leftMs, agentId: textOf(params, 'agentId'), sessionKey: textOf(params, 'sessionKey') }), patient);
      if (run.state !== 'unknown' || leftMs === 0) return { payload: { runId, ...waited(run) } };
      await watch.next(Math.min(leftMs, LOOK_AGAIN_MS), patient.signal);
      if (patient.signal.aborted) throw patient.signal.reason;
    }
  } finally {
    watch.stop();
  }
};

function waited({ state, outcome, text, startedAtMs, endedAtMs, stopReason, errorMessage }: WaitRunResponse): Record<string, unknown> {
  if (state === 'unknown') return { status: 'timeout', timeoutPhase: 'queue', providerStarted: false };
  if (state !== 'ended') return { status: 'timeout', timeoutPhase: 'gateway_draining' };
  const end = { ...(startedAtMs !== undefined && { startedAt: startedAtMs }), endedAt: endedAtMs ?? null, ...(text !== undefined && { reply: text }) };
  if (outcome === 'ok') return { status: 'ok', ...end, stopReason: stopReason ?? null, livenessState: 'ended' };
  if (outcome === 'aborted' || outcome === 'cancelled') return { status: 'timeout', stopReason: stopWord(stopReason), ...end };
  const why = { ...(errorMessage !== undefined && { error: errorMessage }), ...(stopReason !== undefined && { stopReason }) };
  return { status: outcome === 'timeout' ? 'timeout' : 'error', ...end, ...why };
}

/** `agent.identity.get`: the name that a chat page shows. */
export const agentIdentityGet: GatewayMethod = async (deps, { params, context }) => {
  const key = textOf(params, 'sessionKey')?.trim() ?? '';
  const given = textOf(params, 'agentId');
  const agentId = key !== '' ? (await resolveAddress(deps, { key, agentId: given }, context)).agentId : given === undefined ? defaultAgentFor(deps.config(), context) : slugAgentId(given);
  const known = await deps.agents.find(agentId, context);
  if (known === undefined) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${agentId}"`);
  const name = known.name ?? agentId;
  // No agent has a picture here; clients show a letter then.
  return { payload: { agentId, name, avatar: [...name][0]?.toUpperCase() ?? '', avatarStatus: 'none', avatarReason: 'missing' } };
};
