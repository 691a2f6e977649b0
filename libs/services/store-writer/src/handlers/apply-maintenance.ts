/**
 * ApplyMaintenance: a batch of a plan, each action in a mutation of its own that looks at it once more,
 * several side by side: they share the syncs that each of them waits for.
 * A repeated request answers what each action came to the first time; a batch that broke off goes on.
 */
import { createHash } from 'node:crypto';
import { ActionResult, ApplyMaintenanceResponse, type ApplyMaintenanceRequest, type MaintenanceAction } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import type { AgentStore, HoldRequest } from '@sessions/store';
import { decideAction, type ActionAnswer, type ActionRequest } from '../decisions/decide-maintenance';
import { sidecarsOf } from '../decisions/session-files';
import { ANNOUNCE_BOUNDS, ANNOUNCE_UNLINK } from '../maintenance/gather-facts';
import { lookAtTranscript } from '../maintenance/look-at-transcript';
import { commitHeld, type OpenAgentStore, type OwnedAgent } from '../owned-agent';
import { requestHash } from './request-hash';
import { actorOf } from './session-holds';

/** Actions of one request (contracts). */
export const ACTIONS_MAX = 200;
/** Actions under way at a time: what each of them waits for is a sync, and those that wait share one. */
const AT_ONCE_MAX = 8;

/** @throws VALIDATION; STORE_UNREADABLE, DISK_FULL or READ_ONLY with what was done so far done */
export async function applyMaintenance(agent: OwnedAgent, request: ApplyMaintenanceRequest, context: CallContext): Promise<ApplyMaintenanceResponse> {
  const { actions, activeKey } = request;
  if (actions.length > ACTIONS_MAX) throw new SessionError('VALIDATION', `a batch has at most ${String(ACTIONS_MAX)} actions`);
  if (!(await agent.hasStore())) throw new SessionError('SESSION_NOT_FOUND', 'the agent has no store');
  return agent.use(async (open) => {
    const answers = await severalAtOnce(actions, async (action, index) => {
      context.signal.throwIfAborted();
      return action.kind === 'unlink-temp' ? unlinkTemp(open.store, action) : perform(open, action, { context, index, activeKey });
    });
    const results = answers.map(toResult);
    const removedKeys = answers.flatMap(({ key }) => (key === null ? [] : [key]));
    tellOf(open, actions.filter((_, index) => results[index]?.outcome === 'done'));
    if (results.some(({ outcome }, index) => outcome === 'done' && !isAnnouncement(actions[index]))) {
      open.events.publish({ kind: 'changed', key: '', sessionId: undefined, reason: 'cleanup', row: undefined });
      // Those who follow one of the sessions look for themselves.
      for (const key of removedKeys) agent.deps.feed.changed(agent.agentId, key);
    }
    const { entriesCount, seq, epoch } = await open.store.info();
    return ApplyMaintenanceResponse.create({ epoch, storeSeq: seq, results, rowCount: entriesCount });
  });
}

/**
 * Does all of them, at most `AT_ONCE_MAX` at a time, begun in their order. After a failure none is begun,
 * and it is thrown when those under way have ended.
 */
async function severalAtOnce<In, Out>(items: readonly In[], work: (item: In, index: number) => Promise<Out>): Promise<Out[]> {
  const done: Out[] = [];
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const index = next;
      next += 1;
      try {
        done[index] = await work(items[index] as In, index);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, items.length) }, worker));
  if (failure !== undefined) throw failure.error;
  return done;
}

interface Occasion {
  readonly context: CallContext;
  readonly index: number;
  readonly activeKey: string | undefined;
}

type Answer = Pick<ActionAnswer, 'outcome' | 'reason' | 'archivedBytes' | 'freedBytes' | 'archivedAs' | 'key'>;

async function perform(open: OpenAgentStore, action: MaintenanceAction, { context, index, activeKey }: Occasion): Promise<Answer> {
  const { kind, key, file, expectedSessionId, expectedUpdatedAtMs, expectedSizeBytes, expectedMtimeMs } = action;
  const asked = { kind, key, file, expectedSessionId, expectedUpdatedAtMs, expectedSizeBytes, expectedMtimeMs, activeKey, actor: actorOf(context) };
  const row = await rowOf(open.store, action);
  // Held by somebody else: nobody waits for that here.
  if (row?.file !== null && row?.file !== undefined && (await open.store.facts.isLockedByOthers(row.file))) return { ...NOTHING, outcome: 'skipped', reason: 'locked' };
  let tries = 0;
  try {
    const outcome = await commitHeld<ActionAnswer>(open, {
      // It is read anew where the session got other files meanwhile.
      files: async (store) => holdsFor(action, (tries += 1) === 1 ? row : await rowOf(store, action)),
      request: async (held, store) => {
        const decided: ActionRequest = { ...asked, held, isLocked: false, transcriptState: await stateFor(store, action), announcedAtMs: isOfStore(kind) ? await announcedAtMs(store, kind) : undefined };
        return { method: 'ApplyMaintenance', context: { ...context, idempotencyKey: actionKey(context, index) }, contentHash: requestHash('ApplyMaintenance', [kind, key ?? '', file ?? '']), plan: (view) => decideAction(decided, view) };
      },
    });
    return outcome.result;
  } catch (error) {
    // What concerns this one file alone does not end the batch.
    if (!(error instanceof SessionError) || !['DAMAGED', 'SESSION_LOCKED', 'VALIDATION', 'ENTRY_CHANGED'].includes(error.reason)) throw error;
    return { ...NOTHING, outcome: 'skipped', reason: error.reason === 'SESSION_LOCKED' ? 'locked' : error.reason === 'ENTRY_CHANGED' ? 'changed' : 'damaged' };
  }
}

type Row = Awaited<ReturnType<AgentStore['entry']>>;

async function rowOf(store: AgentStore, { key }: MaintenanceAction): Promise<Row> {
  return key === undefined ? undefined : store.entry({ key });
}

const NOTHING = { archivedBytes: 0, freedBytes: 0, archivedAs: null, key: null } as const;

function holdsFor({ kind, file }: MaintenanceAction, row: Row): HoldRequest[] {
  if (kind === 'unlink-archive') return file === undefined ? [] : [{ file, nameOnly: true }];
  if (kind === 'archive-orphan') return file === undefined ? [] : [{ file, kind: 'deleted' }];
  const named = kind === 'repair-session-file' && file !== undefined ? [{ file, nameOnly: true }] : [];
  if (row === undefined || row.file === null) return named;
  const files = kind === 'repair-session-file' ? [] : [row.file, ...sidecarsOf(row.file, row.sessionId ?? '')];
  return [...named, ...files.map((name): HoldRequest => ({ file: name, kind: 'deleted' }))];
}

function isAnnouncement(action: MaintenanceAction | undefined): boolean {
  return action?.kind === 'announce-removal' || isOfStore(action?.kind);
}

/** Once what was announced is durable: counts and times only, a key may name a person. */
function tellOf({ events }: OpenAgentStore, actions: readonly MaintenanceAction[]): void {
  const removals = actions.filter(({ kind }) => kind === 'announce-removal');
  const tell = (facts: Readonly<Record<string, string | number>>): void => events.publish({ kind: 'store', storeKind: 'maintenance', facts });
  if (removals.length > 0) tell({ notice: 'removal', sessions: removals.length, firstAtMs: Math.min(...removals.map(({ notBeforeMs }) => notBeforeMs ?? 0)) });
  for (const { kind, sessionsCount, notBeforeMs } of actions) if (kind === ANNOUNCE_BOUNDS) tell({ notice: 'bounds', sessions: sessionsCount ?? 0, firstAtMs: notBeforeMs ?? 0 });
  for (const { kind, filesCount, bytes } of actions) if (kind === ANNOUNCE_UNLINK) tell({ notice: 'unlink', files: filesCount ?? 0, bytes: bytes ?? 0 });
}

/** Announcements that stand in the manifest. */
function isOfStore(kind: string | undefined): boolean {
  return kind === ANNOUNCE_UNLINK || kind === ANNOUNCE_BOUNDS;
}

async function announcedAtMs(store: AgentStore, kind: string): Promise<number | undefined> {
  let firstAtMs: number | undefined;
  for await (const { reason, atMs } of store.facts.archiveRecords()) if (reason === kind) firstAtMs = Math.min(atMs, firstAtMs ?? atMs);
  return firstAtMs;
}

async function stateFor(store: AgentStore, { kind, key }: MaintenanceAction): Promise<ActionRequest['transcriptState']> {
  if (kind !== 'prune-missing' && kind !== 'repair-session-file') return undefined;
  const row = key === undefined ? undefined : await store.entry({ key });
  return row === undefined ? undefined : (await lookAtTranscript(store, row.file, row.sessionId)).state;
}

/** A repeated request finds each action's own first answer. */
function actionKey(context: CallContext, index: number): string {
  return createHash('sha256').update(`${idempotencyKeyOf(context)} action ${String(index)}`).digest('hex');
}

async function unlinkTemp(store: AgentStore, { file }: MaintenanceAction): Promise<Answer> {
  const freedBytes = file === undefined ? undefined : await store.facts.removeStaleTemp(file);
  if (freedBytes === undefined) return { ...NOTHING, outcome: 'skipped', reason: 'changed' };
  return { ...NOTHING, outcome: 'done', reason: null, freedBytes };
}

function toResult({ outcome, reason, archivedBytes, freedBytes, archivedAs }: Answer): ActionResult {
  return ActionResult.create({ outcome, reason: reason ?? undefined, archivedBytes, freedBytes, archivedAs: archivedAs ?? undefined });
}
