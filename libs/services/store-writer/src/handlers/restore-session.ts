/** RestoreSession: an archive back in its place, byte for byte; what is live becomes an archive first. */
import { StoreServiceRestoreSessionResponse, type StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { readHistoryPage, type AgentStore, type HeldFiles, type HoldRequest, type StagedTranscript } from '@sessions/store';
import { decideRestore, noArchive, type ChosenArchive, type RestoreAnswer } from '../decisions/decide-restore';
import type { OwnedAgent } from '../owned-agent';
import { chooseArchive } from './choose-archive';
import { goneSince } from './gone-since';
import { answeredEntry } from './entry-json';
import { restoreCheckpoint } from './restore-checkpoint';
import { requestHash } from './request-hash';
import { actorOf, holdsOf, pathsOf } from './session-holds';
import { stageUndo } from './stage-undo';
import { entryOfKey } from './stored-session';

/** @throws ARCHIVE_NOT_FOUND, DAMAGED, ENTRY_CHANGED, STRUCTURE_REFUSED, SESSION_LOCKED, IDEMPOTENCY_MISMATCH; RunsOpen */
export async function restoreSession(agent: OwnedAgent, request: StoreServiceRestoreSessionRequest, context: CallContext): Promise<StoreServiceRestoreSessionResponse> {
  const { key, archive: named, checkpointId, dryRun } = request;
  if (!(await agent.hasStore())) throw noArchive(key);
  if (checkpointId !== undefined) return restoreCheckpoint(agent, request, checkpointId, context);
  if (dryRun) return agent.use(async ({ store, seq }) => preview(store, seq, key, await choose(store, key, named)));
  let archive: ChosenArchive | undefined;
  const asked = { agentId: agent.agentId, key, actor: actorOf(context) };
  const contentHash = requestHash('RestoreSession', [key, named ?? '']);
  return agent.mutateHeld<RestoreAnswer, StoreServiceRestoreSessionResponse>(
    {
      files: async (store) => {
        archive = await choose(store, key, named);
        return archive === undefined ? [] : holdsFor(store, key, archive);
      },
      request: async (held, store) => {
        const staged = await stage(held, archive);
        const messages = staged?.tail.messages ?? (await messagesIn(store, held, archive));
        return { method: 'RestoreSession', context, contentHash, plan: (view) => decideRestore({ ...asked, archive, held, staged, messages }, view) };
      },
    },
    async ({ result, epoch, seq }, store) => {
      // What names no session that can be used is back all the same.
      const entry = (await entryOfKey(store, result.key)) ?? (await store.entry({ key: result.key }));
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      return StoreServiceRestoreSessionResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        sessionId: result.sessionId,
        restored: pathsOf(store, result.restored),
        archived: pathsOf(store, result.archived),
        entryJson: answeredEntry(entry.text),
        encodedRow: Buffer.from(entry.encodedRow),
        previousSessionId: result.previousSessionId ?? undefined,
      });
    },
  );
}

async function choose(store: AgentStore, key: string, named: string | undefined): Promise<ChosenArchive | undefined> {
  return chooseArchive(store, { key, named, entry: await entryOfKey(store, key) });
}

async function holdsFor(store: AgentStore, key: string, archive: ChosenArchive): Promise<HoldRequest[]> {
  const live = await holdsOf(store, key, archive.kind, archive.kind === 'deleted');
  return [...archive.files.flatMap(({ from, to }) => [{ file: from, kind: archive.kind }, { file: to }]), ...live];
}

async function stage(held: HeldFiles, archive: ChosenArchive | undefined): Promise<StagedTranscript | undefined> {
  const [main] = archive?.files ?? [];
  if (archive?.kind !== 'bak' || main === undefined || held.get(main.to).found === undefined) return undefined;
  return stageUndo(held, main);
}

/** Of an archive that comes back as it is: the number of its last message. */
async function messagesIn(store: AgentStore, held: HeldFiles, archive: ChosenArchive | undefined): Promise<number> {
  const [main] = archive?.files ?? [];
  if (main === undefined || held.get(main.to).found === undefined) return 0;
  const newest = await store.files.readTranscript(main.to, (source, bytes) => readHistoryPage(source, { endOffset: bytes, beforeSeq: Number.MAX_SAFE_INTEGER, limit: 1, includeTools: true }));
  return newest?.items.at(-1)?.seq ?? 0;
}

async function preview(store: AgentStore, storeSeq: number, key: string, archive: ChosenArchive | undefined): Promise<StoreServiceRestoreSessionResponse> {
  if (archive === undefined) throw noArchive(key);
  const entry = await entryOfKey(store, key);
  return StoreServiceRestoreSessionResponse.create({
    epoch: store.epoch,
    storeSeq,
    key: entry?.key ?? archive.key ?? key,
    sessionId: archive.sessionId,
    restored: pathsOf(store, archive.files.map(({ from }) => from)),
    previousSessionId: entry?.sessionId ?? undefined,
  });
}
