/** TruncateTranscript: the last lines stay, the original becomes an archive. */
import { CompactionResult, TruncateTranscriptResponse, type TruncateTranscriptRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HeldFiles } from '@sessions/store';
import { decideTruncate, type Cut, type TruncateAnswer } from '../decisions/decide-truncate';
import type { OwnedAgent } from '../owned-agent';
import { cutTranscript } from './cut-transcript';
import { requestHash } from './request-hash';
import { actorOf, holdsOf, pathsOf } from './session-holds';
import { entryOfKey } from './stored-session';

/** Lines that a truncation may leave: as many are looked at. Of a transcript with fewer lines than were asked for nothing need be. */
export const MAX_LINES_MAX = 1_000_000;

/** @throws VALIDATION, SESSION_NOT_FOUND, SESSION_LOCKED, DISK_FULL, IDEMPOTENCY_MISMATCH; RunsOpen */
export async function truncateTranscript(agent: OwnedAgent, request: TruncateTranscriptRequest, context: CallContext): Promise<TruncateTranscriptResponse> {
  const { key, maxLines } = request;
  if (!Number.isSafeInteger(maxLines) || maxLines < 1) throw new SessionError('VALIDATION', 'maxLines must be at least 1');
  if (!(await agent.hasStore())) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
  const asked = { agentId: agent.agentId, key, actor: actorOf(context) };
  const contentHash = requestHash('TruncateTranscript', [key, maxLines]);
  let file: string | undefined;
  return agent.mutateHeld<TruncateAnswer, TruncateTranscriptResponse>(
    {
      files: async (store) => {
        const holds = await holdsOf(store, key, 'bak');
        file = holds[0]?.file;
        return holds;
      },
      request: async (held) => {
        const cut = await cutOf(held, file, maxLines);
        return { method: 'TruncateTranscript', context, contentHash, plan: (view) => decideTruncate({ ...asked, cut, held }, view) };
      },
    },
    async ({ result, epoch, seq }, store) => {
      const entry = await entryOfKey(store, result.key);
      const [archivedPath] = result.archived === null ? [] : pathsOf(store, [result.archived]);
      const { ok, compacted, reason, keptLines, summaryDropped } = result;
      return TruncateTranscriptResponse.create({
        epoch,
        storeSeq: seq,
        result: CompactionResult.create({ ok, compacted, reason: reason ?? undefined, archivedPath, keptLines, summaryDropped: summaryDropped ? true : undefined }),
        encodedRow: entry === undefined ? undefined : Buffer.from(entry.encodedRow),
      });
    },
  );
}

async function cutOf(held: HeldFiles, file: string | undefined, maxLines: number): Promise<Cut> {
  if (file === undefined || held.get(file).found === undefined) return { ok: true, compacted: false, reason: 'no transcript', keptLines: 0 };
  return cutTranscript(held, file, maxLines, MAX_LINES_MAX);
}
