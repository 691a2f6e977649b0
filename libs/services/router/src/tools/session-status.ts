/** `session_status`: the card of one session; with `model` it sets or clears the session's choice. */
import { GetEntryRequest, PatchSessionRequest, SessionRow } from '@sessions/contracts';
import { SessionError, contextTokensFor, formatRuntime, knownModel, modelFor, modelOf, parseStatusArguments, tokensOf } from '@sessions/domain';
import type { AgentId, JsonObject, JsonValue } from '@sessions/domain';
import { patchSession } from '../handlers/patch-session';
import { SCOPE, holdsScope } from '../auth/scopes';
import { isOwn, resolveTarget, shownKey } from './target';
import type { Target } from './target';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

/** Characters of a model's name that are repeated. */
const MODEL_SHOWN_MAX = 200;

export async function sessionStatus(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const { sessionKey, model } = argumentsOf(parseStatusArguments(raw));
  const target = await resolveTarget(call, sessionKey);
  // Its own card is shown to a caller of whom nothing is stored yet.
  if (target.row === undefined && !isOwn(call, target)) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${sessionKey}`);
  if (model !== undefined) {
    assertMayChoose(call);
    await chooseModel(call, target, model);
  }
  const details = await cardOf(call, target, model !== undefined);
  return { details, text: String(details.statusText) };
}

/** A client needs for it what `sessions.patch` needs. @throws SCOPE_MISSING */
function assertMayChoose({ context }: ToolCall): void {
  if (context.caller.startsWith('agent:') || holdsScope(context.scopes, SCOPE.admin)) return;
  throw new SessionError('SCOPE_MISSING', `missing scope: ${SCOPE.admin}`);
}

/** As a person's patch does it, but only for a session that the caller sees. */
async function chooseModel({ deps, context }: ToolCall, { agentId, key }: Target, model: string): Promise<void> {
  const isDefault = model.toLowerCase() === 'default';
  // A person may name a model that is configured later; a model that makes up a name would only break the session.
  if (!isDefault && knownModel(deps.config(), model) === undefined) throw new SessionError('VALIDATION', `Unknown model: ${model.slice(0, MODEL_SHOWN_MAX)}`);
  const patch = { model: isDefault ? null : model };
  // The session was resolved and judged; the patch is made as the router itself.
  await patchSession(deps, PatchSessionRequest.create({ key, agentId, patchJson: Buffer.from(JSON.stringify(patch)) }), { ...context, caller: 'service:router/tools' });
}

async function cardOf({ deps, context }: ToolCall, target: Target, changedModel: boolean): Promise<JsonObject> {
  const { agentId, key } = target;
  const answer = await deps.stores.read('getEntry', GetEntryRequest.create({ agentId, by: { $case: 'key', value: key }, includeFacts: true }), context);
  const row = answer.encodedRow === undefined ? (target.row ?? SessionRow.create({ key, agentId })) : SessionRow.decode(answer.encodedRow);
  const config = deps.config();
  const own = modelFor(config, agentId as AgentId);
  const model = modelOf(row) ?? (own === undefined ? 'unknown' : [own.provider, own.model].filter((part) => part !== undefined).join('/'));
  const card = {
    key: shownKey(target),
    messageCount: answer.facts?.messageCount ?? row.messageCount ?? 0,
    model,
    tokensUsed: tokensOf(row) ?? 0,
    sessionId: row.sessionId,
    contextTokens: row.contextTokens ?? contextTokensFor(config, agentId as AgentId),
    compactionCount: row.compactionCount ?? 0,
    status: row.status,
    estimatedCostUsd: row.estimatedCostUsd,
    activationMode: row.groupActivation,
    modelOverride: row.modelOverride === undefined || row.modelOverride === '' ? undefined : [row.providerOverride, row.modelOverride].filter((part) => part !== undefined && part !== '').join('/'),
    lastCompaction: row.lastCompactionAtMs,
    origin: parsed(row.originJson),
    active: row.status === 'running' || row.hasActiveRun === true,
    deliveryContext: parsed(row.deliveryContextJson),
    ok: true,
    sessionKey: shownKey(target),
    changedModel,
  };
  return { ...card, statusText: textOf(card, row) };
}

function textOf(card: { readonly key: string; readonly messageCount: number; readonly model: string; readonly tokensUsed: number; readonly contextTokens: number; readonly compactionCount: number; readonly estimatedCostUsd: number | undefined; readonly status: string | undefined }, row: SessionRow): string {
  return [
    `Session: ${card.key}`,
    `Model: ${card.model}`,
    `Messages: ${card.messageCount}`,
    `Tokens: ${card.tokensUsed} of ${card.contextTokens}`,
    `Compactions: ${card.compactionCount}`,
    ...(card.estimatedCostUsd === undefined ? [] : [`Cost: $${card.estimatedCostUsd.toFixed(4)}`]),
    ...(card.status === undefined ? [] : [`Last run: ${card.status}${row.runtimeMs === undefined ? '' : `, ${formatRuntime(row.runtimeMs)}`}`]),
  ].join('\n');
}

function parsed(bytes: Uint8Array | undefined): JsonValue | undefined {
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonValue);
}
