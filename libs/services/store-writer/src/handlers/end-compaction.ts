/** InstallCompaction and FailCompaction: how a compaction ends, once; who comes later is told how it ended. */
import { CompactionResult, FailCompactionResponse, InstallCompactionResponse, type FailCompactionRequest, type InstallCompactionRequest } from '@sessions/contracts';
import { SessionError, agentSettings, isJsonObject, type JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { AgentStore, MutationOutcome, MutationView, StoredEntry } from '@sessions/store';
import { BranchMoved, decideFail, decideInstall, type BranchFacts, type EndCompactionAnswer } from '../decisions/decide-end-compaction';
import { pendingOf, sessionOfOperation } from '../decisions/pending-compaction';
import { withUsage } from '../decisions/plan-usage';
import type { Planned } from '../decisions/planned';
import { newRecordId } from '../new-ids';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { branchIds } from './branch-ids';
import { rotateTranscript } from './rotate-transcript';
import { entryOfKey, sessionEntry } from './stored-session';

/** Longest summary; the entry keeps some of them. Characters. */
export const SUMMARY_CHARS_MAX = 64_000;
/** Longest reason of a failure. */
const REASON_CHARS_MAX = 300;
const DETAILS_BYTES_MAX = 8 * 1024;
/** The branch is looked up this often while messages keep coming. */
const LOOKS_MAX = 20;

/** @throws VALIDATION, TOO_LARGE, STALE_PLAN, ENTRY_CHANGED while messages come faster than the branch is read */
export async function installCompaction(agent: OwnedAgent, request: InstallCompactionRequest, context: CallContext): Promise<InstallCompactionResponse> {
  const { operationId, snapshotTipId, cutId, summary, tokensBefore, tokensAfter } = request;
  if (summary.trim() === '') throw new SessionError('VALIDATION', 'a summary is not empty');
  if (summary.length > SUMMARY_CHARS_MAX) throw new SessionError('TOO_LARGE', `a summary has at most ${String(SUMMARY_CHARS_MAX)} characters`);
  const details = detailsOf(request.detailsJson);
  const newId = newRecordId();
  const installed = async ({ result, epoch, seq }: MutationOutcome<EndCompactionAnswer>, { store, compactions }: Pick<OpenAgentStore, 'store' | 'compactions'>): Promise<InstallCompactionResponse> => {
    compactions.ended(operationId);
    const entry = await entryOfKey(store, result.key);
    return InstallCompactionResponse.create({ epoch, storeSeq: seq, result: resultOf(result, entry), encodedRow: entry === undefined ? undefined : Buffer.from(entry.encodedRow) });
  };
  if (agentSettings(agent.deps.config(), agent.agentId).compaction.truncateAfterCompaction) {
    const rotation = { operationId, snapshotTipId, cutId, summary, tokensBefore, tokensAfter, details, newId };
    const rotated = await rotateTranscript(agent, rotation, { context: endingContext(operationId, context), withCost: (view, planned) => spending(agent, request, view, planned) }, installed);
    if (rotated !== undefined) return rotated;
  }
  for (let look = 1; ; look += 1) {
    const branch = await agent.read((store) => branchOfOperation(store, request), () => undefined);
    try {
      return await agent.mutate<EndCompactionAnswer, InstallCompactionResponse>(
        {
          method: 'EndCompaction',
          context: endingContext(operationId, context),
          plan: (view) => {
            if (branch === undefined) throw stale();
            return spending(agent, request, view, decideInstall({ agentId: agent.agentId, operationId, cutId, summary, tokensBefore, tokensAfter, details, branch, newId }, view));
          },
        },
        (outcome, store, { compactions }) => installed(outcome, { store, compactions }),
      );
    } catch (error) {
      if (!(error instanceof BranchMoved)) throw error;
      if (look >= LOOKS_MAX) throw new SessionError('ENTRY_CHANGED', 'messages come faster than the branch can be read', { facts: { snapshotTipId } });
    }
  }
}

/** @throws STALE_PLAN */
export async function failCompaction(agent: OwnedAgent, request: FailCompactionRequest, context: CallContext): Promise<FailCompactionResponse> {
  const { operationId } = request;
  const reason = request.reason.slice(0, REASON_CHARS_MAX) || 'summarizer failed';
  if (!(await agent.hasStore())) throw stale();
  return agent.mutate<EndCompactionAnswer, FailCompactionResponse>(
    { method: 'EndCompaction', context: endingContext(operationId, context), plan: (view) => spending(agent, request, view, decideFail({ agentId: agent.agentId, operationId, reason }, view)) },
    async ({ result, epoch, seq }, store, { compactions }) => {
      compactions.ended(operationId);
      return FailCompactionResponse.create({ epoch, storeSeq: seq, result: resultOf(result, await entryOfKey(store, result.key)) });
    },
  );
}

/** What the summary cost is in the ledger, whatever became of it; the operation is its run. */
function spending(agent: OwnedAgent, { operationId, usage }: InstallCompactionRequest | FailCompactionRequest, view: MutationView, planned: Planned<EndCompactionAnswer>): Planned<EndCompactionAnswer> {
  const { key, sessionId } = planned.decision.result;
  return withUsage(planned, { key, sessionId, runId: operationId, usage }, view, agent.priceOf);
}

/** One key for every end of an operation: the first one that is durable is the answer to all. */
function endingContext(operationId: string, context: CallContext): CallContext {
  return { ...context, idempotencyKey: `compaction-end:${operationId}` };
}

/** Undefined: there is no such operation, or its snapshot or its cut is no longer on the branch. */
async function branchOfOperation(store: AgentStore, { operationId, snapshotTipId, cutId }: InstallCompactionRequest): Promise<BranchFacts | undefined> {
  const sessionId = sessionOfOperation(operationId);
  const entry = sessionId === undefined ? undefined : await sessionEntry(store, { sessionId });
  if (entry === undefined || entry.file === null) return undefined;
  const pending = pendingOf(membersOf(entry), entry.sessionId);
  if (pending?.operationId !== operationId || pending.snapshotTipId !== snapshotTipId) return undefined;
  const branch = await branchIds(store, entry);
  const at = branch?.ids.lastIndexOf(snapshotTipId) ?? -1;
  if (branch === undefined || at === -1) return undefined;
  if (cutId !== undefined && !branch.ids.slice(0, at + 1).includes(cutId)) return undefined;
  return { file: entry.file, leafId: branch.tipId, firstNewId: branch.ids.slice(at + 1).find((id) => id !== undefined) };
}

function membersOf({ text }: StoredEntry): JsonObject {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : {};
}

/** The summary is in the checkpoint of the entry, as long as the entry has it. */
function resultOf(answer: EndCompactionAnswer, entry: StoredEntry | undefined): CompactionResult {
  const { ok, compacted, reason, operationId, firstKeptEntryId, tokensBefore, tokensAfter, details } = answer;
  const checkpoints = entry === undefined ? undefined : membersOf(entry)['compactionCheckpoints'];
  const checkpoint = (Array.isArray(checkpoints) ? checkpoints.filter(isJsonObject) : []).find((each) => each['checkpointId'] === answer.compactionId);
  const summary = checkpoint?.['summary'];
  return CompactionResult.create({
    ok,
    compacted,
    reason: reason ?? undefined,
    operationId,
    summary: typeof summary === 'string' ? summary : undefined,
    firstKeptEntryId: firstKeptEntryId ?? undefined,
    tokensBefore: tokensBefore ?? undefined,
    tokensAfter: tokensAfter ?? undefined,
    detailsJson: compacted ? Buffer.from(JSON.stringify(details)) : undefined,
  });
}

/** @throws VALIDATION, TOO_LARGE */
function detailsOf(json: Uint8Array | undefined): JsonObject {
  if (json === undefined || json.length === 0) return {};
  if (json.length > DETAILS_BYTES_MAX) throw new SessionError('TOO_LARGE', `details have at most ${String(DETAILS_BYTES_MAX)} bytes`);
  try {
    const value: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
    if (isJsonObject(value)) return value;
  } catch {
    // Refused below, like any other text that is no object.
  }
  throw new SessionError('VALIDATION', 'details are not a JSON object');
}

function stale(): SessionError {
  return new SessionError('STALE_PLAN', 'the compaction is not open any more, or its snapshot left the branch');
}
