/** What a row's transcript is, for `--fix-missing`: there, empty, elsewhere or not to be judged. Reads at most 4 KiB. */
import { EMPTY_TRANSCRIPT_BYTES_MAX, judgeTranscript, parseTranscriptLine, transcriptFileName, isSessionId, type TranscriptState } from '@sessions/domain';
import type { StoreFiles } from '@sessions/store';

/** Where transcripts are read. */
export type TranscriptSource = { readonly files: Pick<StoreFiles, 'readTranscript'> };

export interface LookedAt {
  readonly state: TranscriptState;
  /** For `misplaced`: where it stands. */
  readonly foundFile?: string;
}

export async function lookAtTranscript(store: TranscriptSource, file: string | null, sessionId: string | null): Promise<LookedAt> {
  const canonical = sessionId !== null && isSessionId(sessionId) ? transcriptFileName(sessionId) : undefined;
  try {
    const recorded = file === null ? undefined : await contentOf(store, file);
    if (recorded !== undefined) return { state: judgeTranscript({ found: 'at-session-file', ...recorded }) };
    const other = canonical === undefined || canonical === file ? undefined : await contentOf(store, canonical);
    if (other === undefined) return { state: 'missing' };
    const state = judgeTranscript({ found: 'at-canonical-name', ...other });
    return state === 'misplaced' ? { state, foundFile: canonical as string } : { state };
  } catch {
    // A link, a directory, no permission: nothing says that it is empty.
    return { state: 'unreadable' };
  }
}

async function contentOf(store: TranscriptSource, file: string): Promise<{ sizeBytes: number; lines?: ReturnType<typeof parseTranscriptLine>[]; endsClean?: boolean } | undefined> {
  return store.files.readTranscript(file, async (source, bytes) => {
    if (bytes > EMPTY_TRANSCRIPT_BYTES_MAX) return { sizeBytes: bytes };
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await source.read(buffer, 0, bytes, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    const lines = text.split('\n').map((line, index) => parseTranscriptLine(line, index + 1));
    return { sizeBytes: bytes, lines, endsClean: text.endsWith('\n') || text === '' };
  });
}
