/**
 * The conversation that a turn is about, read through its owner in pages. Lines that a compaction
 * stands for are let go as soon as it is met, so memory grows with what a model sees and not with
 * the transcript. Bounds: BRANCH_BYTES_MAX of lines held.
 */
import { ReadBranchRequest, TranscriptRecord } from '@sessions/contracts';
import { SessionError, parseTranscriptLine, type TranscriptLine } from '@sessions/domain';
import type { StoreClient } from './owner-calls';

/** JSON text of the lines that are held at a time. */
export const BRANCH_BYTES_MAX = 256 * 1024 * 1024;

export interface BranchLine {
  readonly line: TranscriptLine;
  readonly text: string;
}

export interface ReadBranch {
  readonly sessionId: string;
  /** Id of the last line; undefined: there is none. */
  readonly tipId: string | undefined;
  readonly lines: readonly BranchLine[];
}

export interface BranchPlace {
  readonly agentId: string;
  readonly key: string;
  /** Absent: the present tip. */
  readonly tipId?: string;
  readonly signal: AbortSignal;
  /** Absent: BRANCH_BYTES_MAX. */
  readonly bytesMax?: number;
}

/** @throws SESSION_NOT_FOUND, STALE_PLAN, TOO_LARGE, or what the owner cannot be reached with */
export async function readBranch(store: StoreClient, { agentId, key, tipId, signal, bytesMax = BRANCH_BYTES_MAX }: BranchPlace): Promise<ReadBranch> {
  let sessionId = '';
  let held: BranchLine[] = [];
  let bytes = 0;
  const take = (text: string, number: number): void => {
    const line = parseTranscriptLine(text, number);
    if (!line.ok) return;
    held.push({ line, text });
    bytes += Buffer.byteLength(text);
    if (line.type === 'compaction') {
      const kept = held.findIndex((each) => each.line.id === line.firstKeptId);
      held = held.slice(kept === -1 ? -1 : kept);
      bytes = held.reduce((sum, each) => sum + Buffer.byteLength(each.text), 0);
    }
    if (bytes > bytesMax) throw new SessionError('TOO_LARGE', 'the conversation is larger than a runner reads', { facts: { bytesMax } });
  };
  const joined = joinParts(take);
  for await (const { item } of store.readBranch(ReadBranchRequest.create({ agentId, key, ...(tipId === undefined ? {} : { tipId }) }), { signal })) {
    if (item?.$case === 'head') sessionId = item.value.sessionId;
    if (item?.$case === 'records') for (const record of item.value.records) joined(record);
  }
  return { sessionId, tipId: held.at(-1)?.line.id, lines: held };
}

/** Long lines come in parts: calls `take` once for each whole line. */
export function joinParts(take: (text: string, number: number) => void): (record: TranscriptRecord) => void {
  let parts: Buffer[] = [];
  let number = 0;
  return ({ lineJson, part }) => {
    parts.push(Buffer.from(lineJson));
    if (part !== undefined && part.part < part.parts) return;
    take(Buffer.concat(parts).toString('utf8'), (number += 1));
    parts = [];
  };
}
