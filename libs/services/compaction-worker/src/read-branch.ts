/**
 * The branch that is summarised, read through its owner in pages. Lines that an earlier compaction
 * stands for are let go as soon as it is met, so memory grows with what the model sees and not with
 * the transcript. Bounds: BRANCH_BYTES_MAX of lines held.
 */
import { ReadBranchRequest } from '@sessions/contracts';
import { SessionError, parseTranscriptLine, type TranscriptLine } from '@sessions/domain';
import type { StoreClient } from './owner-calls';

/** JSON text of the lines that are held at a time. */
export const BRANCH_BYTES_MAX = 256 * 1024 * 1024;

export interface ReadBranch {
  readonly sessionId: string;
  readonly path: readonly TranscriptLine[];
  /** Length of the transcript's file. */
  readonly transcriptBytes: number;
}

export interface BranchPlace {
  readonly agentId: string;
  readonly key: string;
  readonly tipId: string;
  readonly signal: AbortSignal;
  /** Absent: BRANCH_BYTES_MAX. */
  readonly bytesMax?: number;
}

/** @throws SESSION_NOT_FOUND, STALE_PLAN, TOO_LARGE, or what the owner cannot be reached with */
export async function readBranch(store: StoreClient, { agentId, key, tipId, signal, bytesMax = BRANCH_BYTES_MAX }: BranchPlace): Promise<ReadBranch> {
  let sessionId = '';
  let transcriptBytes = 0;
  let held: { readonly line: TranscriptLine; readonly bytes: number }[] = [];
  let bytes = 0;
  let number = 0;
  let parts: Buffer[] = [];
  const take = (text: string): void => {
    const line = parseTranscriptLine(text, (number += 1));
    if (!line.ok) return;
    const lineBytes = Buffer.byteLength(text);
    held.push({ line, bytes: lineBytes });
    bytes += lineBytes;
    if (line.type === 'compaction') {
      const kept = held.findIndex((each) => each.line.id === line.firstKeptId);
      held = held.slice(kept === -1 ? -1 : kept);
      bytes = held.reduce((sum, each) => sum + each.bytes, 0);
    }
    if (bytes > bytesMax) throw new SessionError('TOO_LARGE', 'the conversation is larger than a worker reads', { facts: { bytesMax } });
  };
  for await (const { item } of store.readBranch(ReadBranchRequest.create({ agentId, key, tipId }), { signal })) {
    if (item?.$case === 'head') ({ sessionId, transcriptBytes } = item.value);
    if (item?.$case !== 'records') continue;
    for (const { lineJson, part } of item.value.records) {
      parts.push(Buffer.from(lineJson));
      if (part !== undefined && part.part < part.parts) continue;
      take(Buffer.concat(parts).toString('utf8'));
      parts = [];
    }
  }
  return { sessionId, path: held.map(({ line }) => line), transcriptBytes };
}
