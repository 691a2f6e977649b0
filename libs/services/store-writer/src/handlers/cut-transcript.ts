/**
 * Stages the last lines of a held transcript. Reads the whole file once for its number of lines, and
 * only the lines around the cut a second time: memory and parsing grow with the lines that stay, not
 * with the transcript. What the plan needs to know of lines before those stands in for them.
 */
import { SessionError, isJsonObject, lineLinks, parseTranscriptLine, planTruncation, rewriteLine, type KeptLine, type LineLinks } from '@sessions/domain';
import type { BranchLine, ByteSource, HeldFiles, Piece } from '@sessions/store';
import type { Cut } from '../decisions/decide-truncate';
import { countLines, lastLines, textOf, type LineCount } from './transcript-lines';

/** Lines before the cut that are looked at too: a call that is brought in with its result. */
const LINES_BEFORE = 64;

/** @param keptMax most lines that may stay of a transcript that has more. @throws VALIDATION */
export async function cutTranscript(held: HeldFiles, file: string, maxLines: number, keptMax: number): Promise<Cut> {
  return held.read(file, async (source, bytes) => {
    const counted = await countLines(source, bytes);
    if (counted.lines === 0) return { ok: true, compacted: false, reason: 'no transcript', keptLines: 0 };
    if (counted.lines <= maxLines) return { ok: true, compacted: false, reason: 'below limit', keptLines: counted.lines };
    if (maxLines > keptMax) throw new SessionError('VALIDATION', `a truncation keeps at most ${String(keptMax)} lines; the transcript has ${String(counted.lines)}`, { facts: { maxLines, lines: counted.lines } });
    for (let around = maxLines + LINES_BEFORE; ; around *= 2) {
      const window = await readWindow(source, bytes, counted, around);
      const plan = planTruncation(window.links, maxLines);
      if (!plan.ok) return plan;
      if (!plan.compacted) return plan;
      const hasMessage = plan.lines.some(({ number }) => window.places.get(number)?.isMessage === true);
      if (!hasMessage && !window.isWhole) continue;
      const staged = await held.stage(piecesOf(source, plan.lines, window.places));
      const keepsSummary = plan.lines.some(({ number }) => window.places.get(number)?.isCompaction === true);
      return { ok: true, compacted: true, staged, keptLines: staged.lines, summaryDropped: plan.summaryDropped || (counted.hasCompaction && !keepsSummary) };
    }
  });
}

interface Place extends BranchLine {
  readonly isMessage: boolean;
  readonly isCompaction: boolean;
}

interface Window {
  readonly links: readonly LineLinks[];
  /** By number of the line. */
  readonly places: ReadonlyMap<number, Place>;
  /** Nothing stands before it but the header. */
  readonly isWhole: boolean;
}

async function readWindow(source: ByteSource, bytes: number, counted: LineCount, linesMax: number): Promise<Window> {
  const raw = await lastLines(source, bytes, { linesMax, physicalLines: counted.physicalLines });
  const links: LineLinks[] = [];
  const places = new Map<number, Place>();
  const add = (number: number, place: BranchLine, text: string): void => {
    const link = lineLinks(parseTranscriptLine(text, number));
    if (link === undefined) return;
    links.push(link);
    places.set(number, { ...place, isMessage: link.isMessage, isCompaction: link.type === 'compaction' });
  };
  const isWhole = raw.length >= counted.lines;
  const { first } = counted;
  if (!isWhole && first !== undefined && isHeader(await textOf(source, first))) add(first.number, first, await textOf(source, first));
  const headerLength = links.length;
  for (const { number, offset, bytes: length, text } of raw) add(number, { offset, bytes: length }, text);
  if (!isWhole) links.splice(headerLength, 0, ...standIns(links));
  return { links, places, isWhole };
}

/** Lines before the window that lines in it name: parents, and the first line that a summary kept. */
function standIns(links: readonly LineLinks[]): LineLinks[] {
  const there = new Set(links.map(({ id }) => id));
  const missing = (ids: readonly (string | null | undefined)[]): string[] => [...new Set(ids)].filter((id): id is string => typeof id === 'string' && !there.has(id));
  const boundaries = missing(links.map(({ firstKeptId }) => firstKeptId));
  const parents = missing(links.map(({ parentId }) => parentId)).filter((id) => !boundaries.includes(id));
  let number = 0;
  const line = (id: string, parentId: string | null): LineLinks => {
    number -= 1;
    return { number, kind: 'native', type: 'message', id, hasOwnId: true, parentId, isSide: false, movesLeafTo: undefined, labels: undefined, isMessage: true, callIds: [], resultOf: undefined, firstKeptId: undefined, keptByNumber: false };
  };
  const chain = boundaries.map((id, index) => line(id, boundaries[index - 1] ?? null));
  return [...chain, ...parents.map((id) => line(id, boundaries.at(-1) ?? null))];
}

function isHeader(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && value['type'] === 'session';
  } catch {
    return false;
  }
}

/** Lines that follow each other unchanged are copied in one go. */
async function* piecesOf(source: ByteSource, lines: readonly KeptLine[], places: ReadonlyMap<number, Place>): AsyncGenerator<Piece> {
  let run: { offset: number; bytes: number } | undefined;
  for (const { number, rewrite } of lines) {
    const place = places.get(number);
    if (place === undefined) continue;
    if (rewrite === undefined && run !== undefined && run.offset + run.bytes === place.offset) {
      run.bytes += place.bytes;
      continue;
    }
    if (run !== undefined) yield { source, ...run };
    run = rewrite === undefined ? { offset: place.offset, bytes: place.bytes } : undefined;
    if (rewrite !== undefined) yield { text: `${rewriteLine(await textOf(source, place), rewrite)}\n` };
  }
  if (run !== undefined) yield { source, ...run };
}
