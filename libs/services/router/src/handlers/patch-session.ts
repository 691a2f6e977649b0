/**
 * PatchSession: fields of an entry, set or cleared one by one; the row is made when it is missing.
 * What a field may be is judged by the owner, inside the mutation, with the entry at hand.
 */
import { FieldChange, PatchEntryRequest, PatchSessionResponse } from '@sessions/contracts';
import type { PatchSessionRequest } from '@sessions/contracts';
import { PATCH_FIELDS, SessionError, agentRuntimeOf, asAgentId, assertCreatableKey, isJsonObject, modelFor, slugAgentId, storePathFor } from '@sessions/domain';
import type { AgentId, JsonObject, JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { assertSeesAgent, isRestricted } from '../auth/scopes';
import { agentOfKey } from '../auth/shown-links';
import { notVisible } from '../auth/sight';
import { assertJsonShape } from '../large/json-shape';
import { assertKnownAgent, assertOneAgent } from './known-agent';
import { resolveAddress } from './resolve-address';

/**
 * @throws VALIDATION (each member that is no field of a patch is named), KEY_INVALID, LABEL_IN_USE, AGENT_UNKNOWN for an agent named beside the key
 * that is neither configured nor on disk, ENTRY_CHANGED when what was expected no longer holds,
 * NOT_VISIBLE for a caller that would reach beyond its agents
 */
export async function patchSession(deps: HandlerDeps, request: PatchSessionRequest, context: CallContext): Promise<PatchSessionResponse> {
  await assertKnownAgent(deps, request.agentId, context);
  assertOneAgent(request);
  const address = await resolveAddress(deps, request, context);
  assertCreatableKey(address.key);
  const agentId = asAgentId(address.agentId);
  const patch = parseObject(request.patchJson);
  refuseOtherMembers(patch);
  assertWithinSight(patch, context);
  const answer = await deps.stores.mutate(
    'patchEntry',
    PatchEntryRequest.create({
      agentId,
      key: address.key,
      changes: Object.entries(patch).map(([name, value]) =>
        FieldChange.create({ name, valueJson: value === null || value === undefined ? undefined : Buffer.from(JSON.stringify(value)) }),
      ),
      expectedUpdatedAtMs: request.expectedUpdatedAtMs,
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
    resolvedJson: Buffer.from(JSON.stringify(resolvedBy(deps, agentId, parseObject(answer.entryJson)))),
  });
}

const FIELDS: ReadonlySet<string> = new Set(PATCH_FIELDS);
/** Characters of a member's name that are repeated to the client. */
const NAME_SHOWN_MAX = 64;
/** Of many wrong members so many are named. */
const PROBLEMS_TOLD_MAX = 20;

/** The owner lets the services set more than clients may: what an entry holds of runs and threads is none of their business. */
function refuseOtherMembers(patch: JsonObject): void {
  const strange = Object.keys(patch).filter((name) => !FIELDS.has(name));
  if (strange.length === 0) return;
  throw new SessionError('VALIDATION', strange.slice(0, PROBLEMS_TOLD_MAX).map((name) => `the field ${JSON.stringify(name.slice(0, NAME_SHOWN_MAX))} cannot be patched`).join('; '));
}

/** Directories of the machine that the owner of a store looks into for the session. */
const PLACES: readonly string[] = ['spawnedWorkspaceDir', 'spawnedCwd'];

/**
 * Who is restricted to some agents sees by an entry no more than they do: no directory of their choice
 * (another agent's store is one), and no parent under an agent that is hidden.
 */
function assertWithinSight(patch: JsonObject, { scopes }: CallContext): void {
  if (isRestricted(scopes) && PLACES.some((name) => typeof patch[name] === 'string')) throw notVisible();
  const { spawnedBy } = patch;
  if (typeof spawnedBy === 'string') assertSeesAgent(scopes, agentOfKey(spawnedBy, slugAgentId('')));
}

function parseObject(bytes: Uint8Array): JsonObject {
  assertJsonShape(bytes);
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new SessionError('VALIDATION', 'the patch is not valid JSON');
  }
  if (!isJsonObject(value)) throw new SessionError('VALIDATION', 'the patch must be an object');
  return value;
}

const RESOLVED_LEVELS = ['thinkingLevel', 'verboseLevel', 'reasoningLevel', 'elevatedLevel', 'fastMode'] as const;

/** Model and toggles that hold now: the entry's own, else the agent's. */
function resolvedBy(deps: HandlerDeps, agentId: AgentId, entry: JsonObject): JsonObject {
  const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  const own = modelFor(deps.config(), agentId);
  const override = text(entry.modelOverride);
  const provider = override === undefined ? own?.provider : (text(entry.providerOverride) ?? own?.provider);
  const model = override ?? own?.model;
  const levels = RESOLVED_LEVELS.flatMap((name) => (entry[name] === undefined ? [] : [[name, entry[name]] as const]));
  return {
    ...(provider !== undefined && { modelProvider: provider }),
    ...(model !== undefined && { model }),
    agentRuntime: { ...agentRuntimeOf(provider) },
    ...Object.fromEntries(levels),
  };
}
