/**
 * Search in what was said, without an owner: the live transcripts themselves, read through, those of
 * the newest sessions first, with the acknowledged lines that stand in the journal alone. Reads only;
 * costs the transcripts that it has to read.
 */
import { snippetOf, type SearchTerm } from '@sessions/domain';
import { storeLayout } from '../files/layout';
import { openInside } from '../files/safe-path';
import { placeAppends } from '../recovery';
import { searchedText, SEARCHED_ROLES, writtenAtMs } from '../session-index/message-texts';
import type { TextHit } from '../session-index/worker-protocol';
import { scanTranscript } from '../transcript/scan-transcript';
import { overlaid } from './offline-transcript';
import { journalOverlay, type ReaderOptions } from './store-reader';

/** A session whose transcript is read. */
export interface SearchedSession {
  readonly key: string;
  readonly sessionId: string;
  /** Transcript's name inside the store's directory. */
  readonly file: string;
  /** Nothing in it is newer; null: not known. */
  readonly updatedAtMs: number | null;
}

export interface OfflineSearch {
  readonly terms: readonly SearchTerm[];
  /** At or after; of the message. */
  readonly sinceMs?: number;
  /** Before. */
  readonly untilMs?: number;
  readonly limit: number;
}

export interface OfflineSearchReply {
  /** Newest first, at most `limit`. */
  readonly hits: readonly TextHit[];
  /** There are more, or there may be: not everything was read. */
  readonly hasMore: boolean;
  /** Transcripts that could not be read. */
  readonly unreadableCount: number;
}

/** @param sessions the newest first; of one with several transcripts the present one before those that it went on from */
export async function searchOffline(options: ReaderOptions, sessions: Iterable<SearchedSession>, { terms, sinceMs = 0, untilMs = Number.MAX_SAFE_INTEGER, limit }: OfflineSearch): Promise<OfflineSearchReply> {
  const layout = storeLayout(options.agentId, options.sessionsFile);
  const appends = placeAppends(await journalOverlay(layout, 0));
  let hits: TextHit[] = [];
  let hasMore = false;
  let unreadableCount = 0;
  for (const session of sessions) {
    const oldest = hits[limit - 1];
    const newestHere = session.updatedAtMs ?? Number.MAX_SAFE_INTEGER;
    if (newestHere < sinceMs) continue;
    if (oldest !== undefined && newestHere < oldest.atMs) {
      hasMore = true;
      break;
    }
    try {
      hits.push(...(await hitsOf(session)));
    } catch {
      unreadableCount += 1;
    }
    hits = withoutRepeats(hits);
    hits.sort((a, b) => b.atMs - a.atMs || b.messageSeq - a.messageSeq);
    hasMore ||= hits.length > limit;
    hits = hits.slice(0, limit);
  }
  return { hits, hasMore, unreadableCount };

  async function hitsOf({ key, sessionId, file }: SearchedSession): Promise<TextHit[]> {
    const found: TextHit[] = [];
    const handle = await openInside(layout.dir, file);
    try {
      const size = handle === undefined ? 0 : (await handle.stat()).size;
      const pieces = (appends.get(file) ?? []).map(({ offset, op }) => ({ offset, bytes: op.bytes })).filter(({ offset, bytes }) => offset <= size && offset + bytes.length > size);
      const end = pieces.reduce((furthest, { offset, bytes }) => Math.max(furthest, offset + bytes.length), size);
      let messageSeq = 0;
      let lastAtMs = 0;
      await scanTranscript(overlaid(handle, size, pieces, end), {
        onLine: ({ facts, number }) => {
          if (facts?.role === undefined) return;
          messageSeq += 1;
          lastAtMs = writtenAtMs(facts) ?? lastAtMs;
          if (!SEARCHED_ROLES.has(facts.role) || lastAtMs < sinceMs || lastAtMs >= untilMs) return;
          const snippet = snippetOf(searchedText(facts), terms);
          if (snippet === undefined) return;
          found.push({ key, sessionId, messageId: facts.id ?? `L${String(number)}`, messageSeq, role: facts.role, atMs: lastAtMs, ...snippet });
          // Newest last in a file: of the earlier ones no more than the answer has room for.
          if (found.length > limit + 1) found.shift();
        },
      });
    } finally {
      await handle?.close();
    }
    return found;
  }
}

/** What a compaction kept stands in the transcript before it too, under one id: the first that was read counts. */
function withoutRepeats(hits: readonly TextHit[]): TextHit[] {
  const seen = new Map<string, string>();
  return hits.filter(({ key, sessionId, messageId, atMs }) => {
    const name = JSON.stringify([key, messageId, atMs]);
    const first = seen.get(name);
    if (first === undefined) seen.set(name, sessionId);
    return first === undefined || first === sessionId;
  });
}
