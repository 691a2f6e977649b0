/** PatchSession: fields of an entry, set or cleared one by one; the row is made when it is missing. */
import { FieldChange, PatchEntryRequest, PatchSessionResponse } from '@sessions/contracts';
import type { PatchSessionRequest } from '@sessions/contracts';
import { SessionError, agentSettings, asAgentId, assertCreatableKey, isJsonObject, modelFor, planEntryPatch, slugAgentId, storePathFor } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { readEntry } from './describe-session';
import { resolveAddress } from './resolve-address';

/**
 * @throws VALIDATION, KEY_INVALID, LABEL_IN_USE, AGENT_UNKNOWN for an agent named beside the key
 * that is neither configured nor on disk, ENTRY_CHANGED when what was expected no longer holds
 */
export async function patchSession(deps: HandlerDeps, request: PatchSessionRequest, context: CallContext): Promise<PatchSessionResponse> {
  await assertKnownAgent(deps, request.agentId, context);
  const address = await resolveAddress(deps, request, context);
  assertCreatableKey(address.key);
  const agentId = asAgentId(address.agentId);
  const patch = parsePatch(request.patchJson);
  const present = Object.keys(patch).some((name) => ONCE.has(name)) ? await readEntry(deps, address, context) : undefined;
  const entry = present === undefined ? undefined : parsePatch(present.entryJson);
  const updatedAt = entry?.updatedAt;
  // That no other session has the label is for the owner to see, inside the mutation.
  const { set, clear } = planEntryPatch(patch, entry, { key: address.key, defaultModel: modelFor(deps.config(), agentId), labelOwner: undefined });
  const answer = await deps.stores.mutate(
    'patchEntry',
    PatchEntryRequest.create({
      agentId,
      key: address.key,
      changes: [
        ...Object.entries(set).map(([name, value]) => FieldChange.create({ name, valueJson: Buffer.from(JSON.stringify(value)) })),
        ...clear.map((name) => FieldChange.create({ name })),
      ],
      // What was judged with the entry at hand holds for that entry only.
      expectedUpdatedAtMs: request.expectedUpdatedAtMs ?? (typeof updatedAt === 'number' ? updatedAt : undefined),
      expectedSessionId: request.expectedSessionId,
      touch: true,
      create: true,
    }),
    context,
  );
  deps.agents.noteWritten(agentId);
  return PatchSessionResponse.create({
    key: answer.key,
    path: (await deps.agents.find(agentId, context))?.storePath ?? storePathFor(deps.config(), agentId, deps),
    entryJson: answer.entryJson,
    resolvedJson: Buffer.from(JSON.stringify(resolvedBy(deps, agentId, parsePatch(answer.entryJson)))),
  });
}

async function assertKnownAgent(deps: HandlerDeps, given: string | undefined, context: CallContext): Promise<void> {
  if (given === undefined) return;
  if ((await deps.agents.find(slugAgentId(given), context)) !== undefined) return;
  if (await deps.agents.hasStore(slugAgentId(given), context)) return;
  throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${given.slice(0, 64)}"`);
}

function parsePatch(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new SessionError('VALIDATION', 'the patch is not valid JSON');
  }
  if (!isJsonObject(value)) throw new SessionError('VALIDATION', 'the patch must be an object');
  return value;
}

/** Fields that are set once: whether they are set already decides what the patch may do. */
const ONCE: ReadonlySet<string> = new Set([
  'spawnedBy', 'spawnDepth', 'subagentRole', 'subagentControlScope', 'spawnedWorkspaceDir', 'spawnedCwd', 'inheritedToolAllow',
  'inheritedToolDeny',
]);

const RESOLVED_LEVELS = ['thinkingLevel', 'verboseLevel', 'reasoningLevel', 'elevatedLevel', 'fastMode'] as const;

/** Model and toggles that hold now: the entry's own, else the agent's. */
function resolvedBy(deps: HandlerDeps, agentId: ReturnType<typeof asAgentId>, entry: JsonObject): JsonObject {
  const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  const own = modelFor(deps.config(), agentId);
  const model = text(entry.modelOverride) ?? own?.model;
  const provider = text(entry.modelOverride) === undefined ? own?.provider : (text(entry.providerOverride) ?? own?.provider);
  const levels = RESOLVED_LEVELS.flatMap((name) => (entry[name] === undefined ? [] : [[name, entry[name]] as const]));
  const fallbacks = agentSettings(deps.config(), agentId).model.fallbacks;
  return {
    ...(provider !== undefined && { modelProvider: provider }),
    ...(model !== undefined && { model }),
    ...(fallbacks.length > 0 && { modelFallbacks: [...fallbacks] }),
    ...Object.fromEntries(levels),
  };
}
