/** One pass over a transcript: its counts, and whether its lines hang together. Bounded memory. */
import { KeyFingerprints } from '../sessions-file/key-fingerprints';
import type { ByteSource } from '../transcript/byte-source';
import type { LineFacts } from '../transcript/line-facts';
import { scanTranscript, type TranscriptScan } from '../transcript/scan-transcript';

/** Tool calls remembered while their result is awaited; older ones count as unpaired. */
const OPEN_CALLS_MAX = 10_000;

export interface TranscriptCheck {
  readonly scan: TranscriptScan;
  /** Lines whose parent (or a leaf's target) is not an earlier line. */
  readonly brokenParentsCount: number;
  /** Number of the first such line, from 1; undefined without one. */
  readonly firstBrokenLine: number | undefined;
  readonly duplicateIdsCount: number;
  readonly callsWithoutResultCount: number;
  readonly resultsWithoutCallCount: number;
  /** A summary stands for messages that are elsewhere. */
  readonly hasSummary: boolean;
}

export async function checkTranscript(source: ByteSource): Promise<TranscriptCheck> {
  const structure = new StructureCheck();
  const scan = await scanTranscript(source, {
    onLine: ({ facts, number }) => {
      if (facts) structure.line(facts, number);
    },
  });
  return { scan, ...structure.result() };
}

class StructureCheck {
  readonly #ids = new KeyFingerprints();
  readonly #openCalls = new Set<string>();
  #brokenParentsCount = 0;
  #firstBrokenLine: number | undefined;
  #duplicateIdsCount = 0;
  #droppedCallsCount = 0;
  #resultsWithoutCallCount = 0;
  #hasSummary = false;

  line(facts: LineFacts, number: number): void {
    if (!this.#knows(facts.parentId) || !this.#knows(facts.movesLeafTo)) {
      this.#brokenParentsCount += 1;
      this.#firstBrokenLine ??= number;
    }
    this.#hasSummary ||= facts.record['type'] === 'compaction';
    if (facts.id !== undefined && this.#ids.add(Buffer.from(facts.id))) this.#duplicateIdsCount += 1;
    if (facts.role === 'assistant' || facts.role === 'toolResult') this.#tools(facts);
  }

  result(): Omit<TranscriptCheck, 'scan'> {
    return {
      brokenParentsCount: this.#brokenParentsCount,
      firstBrokenLine: this.#firstBrokenLine,
      duplicateIdsCount: this.#duplicateIdsCount,
      callsWithoutResultCount: this.#openCalls.size + this.#droppedCallsCount,
      resultsWithoutCallCount: this.#resultsWithoutCallCount,
      hasSummary: this.#hasSummary,
    };
  }

  #knows(id: string | null | undefined): boolean {
    return id === undefined || id === null || this.#ids.has(Buffer.from(id));
  }

  #tools(facts: LineFacts): void {
    const message = (facts.kind === 'simple' ? facts.record : facts.record['message']) as { content?: unknown; toolCallId?: unknown };
    if (facts.role === 'toolResult') {
      const { toolCallId } = message;
      if (typeof toolCallId === 'string' && !this.#openCalls.delete(toolCallId)) this.#resultsWithoutCallCount += 1;
      return;
    }
    if (!Array.isArray(message.content)) return;
    for (const block of message.content as readonly unknown[]) {
      if (typeof block !== 'object' || block === null) continue;
      const { type, id }: { type?: unknown; id?: unknown } = block;
      if (type === 'toolCall' && typeof id === 'string') this.#openCalls.add(id);
    }
    for (const oldest of this.#openCalls) {
      if (this.#openCalls.size <= OPEN_CALLS_MAX) break;
      this.#openCalls.delete(oldest);
      this.#droppedCallsCount += 1;
    }
  }
}
