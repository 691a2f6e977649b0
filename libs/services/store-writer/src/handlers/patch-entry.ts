/** PatchEntry: single fields of an entry, compared with what the caller expects it to be. */
import { PatchEntryResponse, type PatchEntryRequest } from '@sessions/contracts';
import { assertCreatableKey, storedSpellings, modelFor } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { decidePatch, type PatchAnswer } from '../decisions/decide-patch';
import { readFieldChanges } from '../decisions/field-patch';
import type { OwnedAgent } from '../owned-agent';
import { goneSince } from './gone-since';
import { answeredEntry } from './entry-json';
import { newSessionOf } from './new-session-of';
import { requestHash } from './request-hash';
import { workspaceOf } from '../workspace/agent-workspace';
import { assertOwnPlaces } from '../workspace/session-workspace';

/** @throws VALIDATION, KEY_INVALID, SESSION_NOT_FOUND, ENTRY_CHANGED, LABEL_IN_USE, IDEMPOTENCY_MISMATCH */
export async function patchEntry(agent: OwnedAgent, request: PatchEntryRequest, context: CallContext): Promise<PatchEntryResponse> {
  const { key, touch, create, expectedUpdatedAtMs, expectedSessionId } = request;
  if (create) assertCreatableKey(key);
  const fields = readFieldChanges(request.changes);
  assertOwnPlaces(fields, workspaceOf(agent));
  const patch = {
    agentId: agent.agentId,
    key,
    fields,
    expectedUpdatedAtMs,
    expectedSessionId,
    touch,
    create,
    defaultModel: modelFor(agent.deps.config(), agent.agentId),
    session: newSessionOf(agent, key),
  };
  const contentHash = requestHash('PatchEntry', [key, fields, expectedSessionId ?? '', touch, create]);
  return agent.mutate<PatchAnswer, PatchEntryResponse>(
    { method: 'PatchEntry', context, contentHash, plan: (view) => decidePatch(patch, view) },
    async ({ result, epoch, seq }, store) => {
      const entry = await store.entry({ anyOf: storedSpellings(result.key) });
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      return PatchEntryResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        entryJson: answeredEntry(entry.text),
        encodedRow: Buffer.from(entry.encodedRow),
        created: result.created,
      });
    },
  );
}
