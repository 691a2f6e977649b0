/** GetEntry: one entry, byte for byte, in parts where it is long. */
import { lstat } from 'node:fs/promises';
import * as path from 'node:path';
import { GetEntryResponse, SessionFacts, type GetEntryRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { STREAM_ITEMS_BYTES } from '@sessions/bus';
import type { AgentStore, StoredEntry } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { withChildSessions } from './child-sessions';
import { entryOfKey, sessionEntry } from './stored-session';

/** @throws VALIDATION without anything to look for */
export function getEntry(agent: OwnedAgent, request: GetEntryRequest): Promise<GetEntryResponse> {
  const { by } = request;
  if (by === undefined) throw new SessionError('VALIDATION', 'a key or a session id is required');
  return agent.read(
    async (store, open) => {
      const entry = by.$case === 'key' ? await entryOfKey(store, by.value) : await sessionEntry(store, { sessionId: by.value });
      const storeSeq = open.seq;
      if (entry === undefined) return GetEntryResponse.create({ epoch: store.epoch, storeSeq, found: false });
      const bytes = Buffer.from(entry.text);
      const offset = Math.max(0, request.entryOffset ?? 0);
      return GetEntryResponse.create({
        epoch: store.epoch,
        storeSeq,
        found: true,
        key: entry.key,
        entryJson: bytes.subarray(offset, offset + STREAM_ITEMS_BYTES),
        entryBytes: bytes.length,
        facts: request.includeFacts ? await factsOf(store, entry) : undefined,
        encodedRow: Buffer.from(request.withoutChildren === true ? entry.encodedRow : ((await withChildSessions(store, [entry.encodedRow], agent.deps.clock.nowMs()))[0] ?? entry.encodedRow)),
      });
    },
    () => GetEntryResponse.create({ found: false }),
  );
}

async function factsOf(store: AgentStore, { file, sessionId, tail }: StoredEntry): Promise<SessionFacts> {
  if (file === null) return SessionFacts.create({ transcriptState: 'missing' });
  const transcriptPath = path.join(store.layout.dir, file);
  const stats = await lstat(transcriptPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (stats === undefined) return SessionFacts.create({ transcriptPath, transcriptState: 'missing' });
  if (!stats.isFile()) return SessionFacts.create({ transcriptPath, transcriptState: 'unreadable' });
  // The page reads no more than its last message, and counts what has not been counted.
  const page = sessionId === null ? undefined : await store.history({ sessionId, limit: 1, includeTools: true });
  const messageCount = page?.totalMessages ?? tail?.messages;
  return SessionFacts.create({
    messageCount,
    transcriptBytes: stats.size,
    transcriptModifiedAtMs: Math.floor(stats.mtimeMs),
    transcriptPath,
    transcriptState: messageCount === 0 && (tail?.leafId ?? null) === null ? 'header-only' : 'present',
    tipId: tail?.leafId ?? undefined,
  });
}
