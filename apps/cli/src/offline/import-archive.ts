/**
 * Hands the sessions of an archive to the owner of a store, one after the other: through the gateway where
 * one listens, else under the store's lock. The owner compares every hash again and decides.
 */
import type { CliContext } from '../cli-context';
import { withGateway } from '../gateway/ask-gateway';
import { refuseBesideOwner, withLocalOwner } from './local-owner';
import type { StoreChoice } from './select-stores';
import { ImportSessionRequest, PutChunkRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { PortableSession } from '@sessions/store';
import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** One piece; base64 of it fits a frame and a message of the bus. */
const PIECE_BYTES = 512 * 1024;

export interface ImportedSession {
  readonly key: string;
  readonly sessionId: string | null;
  /** False: it was there already. */
  readonly imported: boolean;
  readonly lines: number;
  readonly bytes: number;
}

/** What an owner does for an import. */
export interface ImportTarget {
  readonly put: (piece: { readonly uploadId: string; readonly index: number; readonly data: Buffer; readonly last: boolean }) => Promise<void>;
  readonly finish: (uploadId: string, key: string | undefined) => Promise<ImportedSession>;
}

/** @throws SESSION_LOCKED beside a living owner that cannot be asked; what `work` throws */
export async function withImportTarget<T>(context: CliContext, { store, byPath, nowMs }: { readonly store: StoreChoice; readonly byPath: boolean; readonly nowMs: () => number }, work: (target: ImportTarget) => Promise<T>): Promise<T> {
  const { agentId } = store;
  if (!byPath) {
    const done = await withGateway(context, ['sessions.import.chunk', 'sessions.import'], async (call) => ({
      result: await work({
        put: async ({ data, ...piece }) => void (await call('sessions.import.chunk', { agentId, ...piece, data: data.toString('base64') })),
        finish: async (uploadId, key) => {
          const answer = await call('sessions.import', { agentId, uploadId, ...(key === undefined ? {} : { key }) });
          const count = (name: string): number => (typeof answer[name] === 'number' ? answer[name] : 0);
          return { key: String(answer['key']), sessionId: typeof answer['sessionId'] === 'string' ? answer['sessionId'] : null, imported: answer['imported'] === true, lines: count('lines'), bytes: count('bytes') };
        },
      }),
    }));
    if (done !== undefined) return done.result;
  }
  refuseBesideOwner(store, byPath ? 'a store named by --store is changed by nobody else' : 'no gateway answers', `openclaw sessions import <archive> --agent ${agentId}`);
  return withLocalOwner(context, store, nowMs, (owner) =>
    work({
      put: async (piece) => void (await owner.store.putChunk(PutChunkRequest.create({ agentId, ...piece, portable: true }), owner.mutation())),
      finish: async (uploadId, key) => {
        const answer = await owner.store.importSession(ImportSessionRequest.create({ agentId, uploadId, key }), owner.mutation());
        return { key: answer.key, sessionId: answer.sessionId ?? null, imported: answer.imported, lines: answer.lines, bytes: answer.bytes };
      },
    }),
  );
}

/** @throws what the owner refuses with; DAMAGED when the archive is changed meanwhile */
export async function importSession(target: ImportTarget, archive: FileHandle, { offset, bytes }: Pick<PortableSession, 'offset' | 'bytes'>, key: string | undefined): Promise<ImportedSession> {
  const uploadId = randomUUID();
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let at = 0, index = 0; at < bytes; index += 1) {
    const { bytesRead } = await archive.read(piece, 0, Math.min(PIECE_BYTES, bytes - at), offset + at);
    if (bytesRead === 0) throw new SessionError('DAMAGED', 'the archive was cut while it was imported');
    at += bytesRead;
    await target.put({ uploadId, index, data: piece.subarray(0, bytesRead), last: at >= bytes });
  }
  return target.finish(uploadId, key);
}
