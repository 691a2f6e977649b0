/** A compaction installed into a transcript of its own, which the key goes on with; the one before stays for its checkpoint. */
import { RUNS_MEMBER, isJsonObject, successorFileName, type JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { AgentStore, MutationOutcome, MutationView, StoredEntry } from '@sessions/store';
import { summaryRecord, type EndCompactionAnswer, type InstallRequest } from '../decisions/decide-end-compaction';
import { NotRotated, decideRotate, mayRotate } from '../decisions/decide-rotate';
import { runsOf } from '../decisions/open-run';
import { pendingOf, sessionOfOperation } from '../decisions/pending-compaction';
import type { Planned } from '../decisions/planned';
import { FilesMoved } from '../decisions/session-files';
import { commitHeld, type OpenAgentStore, type OwnedAgent } from '../owned-agent';
import { newSessionOf } from './new-session-of';
import { stageSuccessor, successorHead, type SuccessorHead } from './stage-successor';
import { sessionEntry } from './stored-session';

export type Rotating = Omit<InstallRequest, 'agentId' | 'branch'> & { readonly snapshotTipId: string };

export interface Ending {
  readonly context: CallContext;
  /** What the summary cost goes into the ledger with it. */
  readonly withCost: (view: MutationView, planned: Planned<EndCompactionAnswer>) => Planned<EndCompactionAnswer>;
}

/**
 * @returns undefined when the operation cannot end so, for a transcript whose lines cannot go on
 *   elsewhere, or an operation that is over: it is installed as without rotation then, which says why not.
 * @throws STALE_PLAN, SESSION_LOCKED, DISK_FULL
 */
export async function rotateTranscript<R>(agent: OwnedAgent, rotating: Rotating, { context, withCost }: Ending, after: (outcome: MutationOutcome<EndCompactionAnswer>, open: OpenAgentStore) => Promise<R>): Promise<R | undefined> {
  const { agentId } = agent;
  if (!(await agent.hasStore())) return undefined;
  return agent.use(async (open) => {
    let found: Found | undefined;
    // Looked for anew whenever the session has another transcript by the time that it is held.
    const look = async (store: AgentStore): Promise<Found> => {
      found = await findOperation(store, rotating);
      if (found === undefined) throw new NotRotated('the compaction is not open any more');
      return found;
    };
    const { sessionId, cwd } = newSessionOf(agent, '');
    const nowMs = agent.deps.clock.nowMs();
    const file = successorFileName(sessionId, nowMs);
    try {
      const outcome = await commitHeld<EndCompactionAnswer>(open, {
        // The bytes before are not counted: they stay where they are.
        files: async (store) => [{ file: (await look(store)).head.file, kind: 'reset', nameOnly: true }, { file, kind: 'reset' }],
        request: async (held) => {
          const { key, head, keepIds } = found as Found;
          if (!held.has(head.file)) throw new FilesMoved();
          const { snapshotTipId, cutId, newId } = rotating;
          const made = await stageSuccessor(held, head, { key, sessionId, nowMs, cwd, snapshotTipId, cutId, summaryId: newId, keepIds, summary: (place) => summaryRecord(rotating, place) });
          const asked = { ...rotating, agentId, held, file: head.file, successor: { sessionId, file, ...made } };
          return { method: 'EndCompaction', context, plan: (view) => withCost(view, decideRotate(asked, view)) };
        },
      });
      return await after(outcome, open);
    } catch (error) {
      if (!(error instanceof NotRotated)) throw error;
      agent.deps.logger.warn('a compacted transcript grows on: its lines cannot go on in another one', { agentId, reason: error.why });
      return undefined;
    }
  });
}

interface Found {
  readonly key: string;
  readonly head: SuccessorHead;
  readonly keepIds: ReadonlySet<string>;
}

async function findOperation(store: AgentStore, { operationId, snapshotTipId, cutId }: Rotating): Promise<Found | undefined> {
  const sessionId = sessionOfOperation(operationId);
  const entry = sessionId === undefined ? undefined : await sessionEntry(store, { sessionId });
  if (entry === undefined || !hasTranscript(entry)) return undefined;
  const members: unknown = JSON.parse(entry.text);
  if (!isJsonObject(members as JsonObject) || !mayRotate(members as JsonObject)) return undefined;
  const pending = pendingOf(members as JsonObject, entry.sessionId);
  if (pending?.operationId !== operationId || pending.snapshotTipId !== snapshotTipId) return undefined;
  const head = await successorHead(store, entry, { snapshotTipId, cutId });
  return head === undefined ? undefined : { key: entry.key, head, keepIds: messagesOfRuns(members as JsonObject) };
}

function hasTranscript(entry: StoredEntry): entry is StoredEntry & { readonly file: string; readonly sessionId: string } {
  return entry.file !== null && entry.sessionId !== null;
}

/** Messages that turns are about which have not ended. */
function messagesOfRuns(members: JsonObject): ReadonlySet<string> {
  return new Set(members[RUNS_MEMBER] === undefined ? [] : runsOf(members).flatMap(({ messageId }) => messageId ?? []));
}
