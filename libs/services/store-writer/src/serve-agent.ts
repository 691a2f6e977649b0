/** The methods of one agent's store, on the subjects of its owner. */
import { StoreServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext, Handlers } from '@sessions/bus';
import { ackDelivery } from './handlers/ack-delivery';
import { applyMaintenance } from './handlers/apply-maintenance';
import { appendRecords } from './handlers/append-records';
import { beginTurn } from './handlers/begin-turn';
import { cancelRun } from './handlers/cancel-run';
import { claimChild, releaseChild } from './handlers/claim-child';
import { createSession } from './handlers/create-session';
import { deleteSession } from './handlers/delete-session';
import { deliver } from './handlers/deliver';
import { erase } from './handlers/erase';
import { failCompaction, installCompaction } from './handlers/end-compaction';
import { finishTurn } from './handlers/finish-turn';
import { forkSession } from './handlers/fork-session';
import { getEntry } from './handlers/get-entry';
import { getRun } from './handlers/get-run';
import { getTraceCost } from './handlers/get-trace-cost';
import { noteTraceAgent } from './handlers/note-trace-agent';
import { importSession } from './handlers/import-session';
import { listArchives } from './handlers/list-archives';
import { listEntries } from './handlers/list-entries';
import { listPending } from './handlers/list-pending';
import { noteTrajectory } from './handlers/note-trajectory';
import { patchEntry } from './handlers/patch-entry';
import { preview } from './handlers/preview';
import { putChunk } from './handlers/put-chunk';
import { readBranch } from './handlers/read-branch';
import { readFacts } from './handlers/read-facts';
import { readHistory } from './handlers/read-history';
import { readUsage } from './handlers/read-usage';
import { recordUsage } from './handlers/record-usage';
import { repair } from './handlers/repair';
import { requestCompaction } from './handlers/request-compaction';
import { resolveApproval } from './handlers/resolve-approval';
import { resetSession } from './handlers/reset-session';
import { resolveKey } from './handlers/resolve-key';
import { restoreSession } from './handlers/restore-session';
import { search } from './handlers/search';
import { getFile, listFiles } from './handlers/session-files';
import { storeInfo } from './handlers/store-info';
import { truncateTranscript } from './handlers/truncate-transcript';
import { verify } from './handlers/verify';
import { appendNotesOf } from './handlers/append-notes';
import { dropAttachments, writeAttachments } from './handlers/write-attachments';
import type { OwnedAgent } from './owned-agent';
import type { OwnerChecks } from './ownership';
import type { CallMetrics } from './call-metrics';
import { withoutRuns } from './stop-runs';
import type { Uploads } from './uploads';

export type StoreHandlers = Partial<Handlers<typeof StoreServiceService>>;

export interface AgentServiceDeps {
  readonly agent: OwnedAgent;
  readonly uploads: Uploads;
  readonly metrics: CallMetrics;
  readonly checks: OwnerChecks;
}

type Unary<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;

/** Methods that are missing here are refused by name (`UNSUPPORTED`). */
export function createAgentHandlers({ agent, uploads, metrics, checks }: AgentServiceDeps): StoreHandlers {
  const { assertOwner, assertMayAnswer } = checks;
  const unary = <Request extends { readonly agentId: string }, Response>(method: string, handler: Unary<Request, Response>): Unary<Request, Response> =>
    metrics.timed(method, async (request, context) => {
      assertOwner();
      assertAgent(agent, request.agentId);
      const answer = await handler(request, context);
      // A process that slept in between answers for nobody. What it made durable is found by the same key.
      assertMayAnswer();
      return answer;
    });
  async function* checked<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const item of items) {
      assertMayAnswer();
      yield item;
    }
  }
  return {
    listEntries: unary('ListEntries', (request) => listEntries(agent, request)),
    getEntry: unary('GetEntry', (request) => getEntry(agent, request)),
    resolveKey: unary('ResolveKey', (request) => resolveKey(agent, request)),
    preview: unary('Preview', (request) => preview(agent, request)),
    search: unary('Search', (request) => search(agent, request)),
    readUsage: unary('ReadUsage', (request) => readUsage(agent, request)),
    listFiles: unary('ListFiles', (request) => listFiles(agent, request)),
    getFile: unary('GetFile', (request) => getFile(agent, request)),
    storeInfo: unary('StoreInfo', (request) => storeInfo(agent, request)),
    readHistory: async function* (request, context) {
      assertOwner();
      assertAgent(agent, request.agentId);
      yield* checked(readHistory(agent, request, context));
    },
    readBranch: async function* (request, context) {
      assertOwner();
      assertAgent(agent, request.agentId);
      yield* readBranch(agent, request, context);
    },
    readFacts: async function* (request, context) {
      assertOwner();
      assertAgent(agent, request.agentId);
      yield* readFacts(agent, request, context);
    },
    listPending: unary('ListPending', (request) => listPending(agent, request)),
    listArchives: unary('ListArchives', (request) => listArchives(agent, request)),
    verify: async function* (request, context) {
      assertOwner();
      assertAgent(agent, request.agentId);
      yield* checked(verify(agent, context));
    },
    repair: unary('Repair', (request) => repair(agent, request)),
    createSession: unary('CreateSession', (request, context) => createSession(agent, request, context)),
    deliver: unary('Deliver', (request, context) => deliver(agent, uploads, request, context)),
    appendRecords: unary('AppendRecords', (request, context) => appendRecords(agent, uploads, request, context)),
    patchEntry: unary('PatchEntry', (request, context) => patchEntry(agent, request, context)),
    resetSession: unary('ResetSession', (request, context) => withoutRuns(agent, { key: request.key, reason: 'reset', queuedToo: true, waitMs: request.waitMs }, () => resetSession(agent, request, context))),
    deleteSession: unary('DeleteSession', (request, context) => withoutRuns(agent, { key: request.key, reason: 'delete', queuedToo: true, waitMs: request.waitMs }, () => deleteSession(agent, request, context))),
    restoreSession: unary('RestoreSession', (request, context) => withoutRuns(agent, { key: request.key, reason: 'reset', queuedToo: true, waitMs: request.waitMs }, () => restoreSession(agent, request, context))),
    erase: unary('Erase', (request) => erase(agent, uploads, request)),
    forkSession: unary('ForkSession', (request, context) => forkSession(agent, request, context)),
    truncateTranscript: unary('TruncateTranscript', (request, context) => withoutRuns(agent, { key: request.key, reason: 'compact', queuedToo: false, waitMs: request.waitMs }, () => truncateTranscript(agent, request, context))),
    requestCompaction: unary('RequestCompaction', (request, context) => withoutRuns(agent, { key: request.key, reason: 'compact', queuedToo: false }, () => requestCompaction(agent, request, context))),
    installCompaction: unary('InstallCompaction', (request, context) => installCompaction(agent, request, context)),
    failCompaction: unary('FailCompaction', (request, context) => failCompaction(agent, request, context)),
    applyMaintenance: unary('ApplyMaintenance', (request, context) => applyMaintenance(agent, request, context)),
    getRun: unary('GetRun', (request) => getRun(agent, request)),
    getTraceCost: unary('GetTraceCost', (request) => getTraceCost(agent, request)),
    noteTraceAgent: unary('NoteTraceAgent', (request, context) => noteTraceAgent(agent, request, context)),
    beginTurn: unary('BeginTurn', (request, context) => beginTurn(agent, request, context)),
    finishTurn: unary('FinishTurn', (request, context) => finishTurn(agent, request, context)),
    cancelRun: unary('CancelRun', (request, context) => cancelRun(agent, request, context)),
    ackDelivery: unary('AckDelivery', (request, context) => ackDelivery(agent, request, context)),
    recordUsage: unary('RecordUsage', (request, context) => recordUsage(agent, request, context)),
    importSession: unary('ImportSession', (request, context) => importSession(agent, uploads, request, context)),
    claimChild: unary('ClaimChild', (request, context) => claimChild(agent, request, context)),
    releaseChild: unary('ReleaseChild', (request, context) => releaseChild(agent, request, context)),
    putChunk: unary('PutChunk', (request) => putChunk(agent, uploads, request)),
    resolveApproval: unary('ResolveApproval', (request, context) => resolveApproval(agent, request, context)),
    appendNotes: unary('AppendNotes', (request) => appendNotesOf(agent, request)),
    noteTrajectory: unary('NoteTrajectory', (request) => noteTrajectory(agent, request)),
    writeAttachments: unary('WriteAttachments', (request) => writeAttachments(agent, uploads, request)),
    dropAttachments: unary('DropAttachments', (request) => dropAttachments(agent, request)),
  };
}

function assertAgent(agent: OwnedAgent, agentId: string): void {
  if (agentId === agent.agentId) return;
  throw new SessionError('VALIDATION', `the request names another agent than its subject`, { facts: { agentId: agent.agentId } });
}
