/**
 * The bytes of a transcript that goes on after a compaction. What stands before the cut is looked
 * through while messages still come; only the lines from there on are read while they wait. Memory
 * grows with those lines and with the branch's length in lines, not in bytes.
 */
import { headerOf, isStateType, lineLinks, parseTranscriptLine, planSuccessor, rewriteLine, sessionHeaderLine, tailLine, type HeadLine, type JsonObject, type KeptLine, type TailLine } from '@sessions/domain';
import { readLineFacts, type AgentStore, type BranchLine, type ByteSource, type HeldFiles, type Piece, type StagedTranscript, type StoredEntry } from '@sessions/store';
import { NotRotated } from '../decisions/decide-rotate';
import { branchOf } from './read-branch';
import { forwardLines, textOf } from './transcript-lines';

/** A header line is read up to this length. Bytes. */
const HEADER_BYTES_MAX = 64 * 1024;
const NEWLINE = 0x0a;

/** A transcript up to where its lines go on. */
export interface SuccessorHead {
  readonly file: string;
  readonly sessionId: string;
  readonly cwd: string | undefined;
  readonly head: readonly HeadLine[];
  /** Places of `head` by their numbers. */
  readonly places: ReadonlyMap<number, BranchLine>;
  /** The line by which the file is known again: the first kept one, or the snapshot's tip. */
  readonly anchor: BranchLine & { readonly id: string };
  /** Where the lines begin that go on. */
  readonly from: number;
}

export interface Cut {
  readonly snapshotTipId: string;
  readonly cutId: string | undefined;
}

/** @returns undefined when the snapshot or the cut is not on the branch. */
export async function successorHead(store: AgentStore, entry: StoredEntry & { readonly file: string; readonly sessionId: string }, { snapshotTipId, cutId }: Cut): Promise<SuccessorHead | undefined> {
  const branch = await branchOf(store, entry, undefined);
  if (branch === undefined) return undefined;
  const anchorId = cutId ?? snapshotTipId;
  return store.files.readTranscript(entry.file, async (source) => {
    const head: HeadLine[] = [];
    const places = new Map<number, BranchLine>();
    for (const [at, line] of branch.lines.entries()) {
      const facts = readLineFacts(Buffer.from(await textOf(source, line)));
      const type: unknown = facts?.record['type'];
      const isAnchor = facts?.id === anchorId;
      // Numbers below 1: those of the lines that go on count from there.
      const number = -1 - at;
      if (typeof type === 'string' && isStateType(type) && !(isAnchor && cutId !== undefined)) {
        head.push({ number, type, id: facts?.id, bytes: line.bytes });
        places.set(number, line);
      }
      if (!isAnchor) continue;
      const from = cutId === undefined ? line.offset + line.bytes : line.offset;
      return { file: entry.file, sessionId: entry.sessionId, cwd: await cwdOf(source), head, places, anchor: { ...line, id: anchorId }, from };
    }
    return undefined;
  });
}

async function cwdOf(source: ByteSource): Promise<string | undefined> {
  const bytes = Buffer.alloc(HEADER_BYTES_MAX);
  const { bytesRead } = await source.read(bytes, 0, bytes.length, 0);
  const end = bytes.subarray(0, bytesRead).indexOf(NEWLINE);
  return end === -1 ? undefined : headerOf(parseTranscriptLine(bytes.toString('utf8', 0, end), 1))?.cwd;
}

export interface SuccessorRequest extends Cut {
  readonly key: string;
  readonly sessionId: string;
  readonly nowMs: number;
  /** Where the transcript before names none. */
  readonly cwd: string;
  readonly summaryId: string;
  readonly keepIds: ReadonlySet<string>;
  readonly summary: (place: { readonly parentId: string | null; readonly firstKeptEntryId: string; readonly nowMs: number }) => JsonObject;
}

export interface StagedSuccessor {
  readonly staged: StagedTranscript;
  readonly firstKeptEntryId: string;
}

/** @throws NotRotated */
export async function stageSuccessor(held: HeldFiles, before: SuccessorHead, request: SuccessorRequest): Promise<StagedSuccessor> {
  const { key, sessionId, nowMs, snapshotTipId, cutId, summaryId, keepIds, summary } = request;
  const { tail: end } = held.get(before.file);
  return held.read(before.file, async (source, size) => {
    const known = readLineFacts(Buffer.from(await textOf(source, before.anchor)));
    if (known?.id !== before.anchor.id) throw new NotRotated('the transcript was changed');
    const tail: TailLine[] = [];
    const places = new Map(before.places);
    let number = 0;
    for await (const line of forwardLines(source, before.from, size)) {
      number += 1;
      const parsed = parseTranscriptLine(line.text, number + 1);
      const links = lineLinks(parsed);
      if (links === undefined) continue;
      places.set(links.number, line);
      tail.push(tailLine(links, parsed.ok ? parsed : undefined));
    }
    const plan = planSuccessor({ head: before.head, tail, cutId, snapshotTipId, leafId: end.leafId, summaryId, keepIds });
    if (!plan.ok) throw new NotRotated(plan.reason);
    const { parentId, firstKeptEntryId } = plan;
    const header = sessionHeaderLine({ sessionId, nowMs, cwd: before.cwd ?? request.cwd, sessionKey: key, parentSession: before.sessionId });
    const staged = await held.stage(pieces(source, { header, lines: [...plan.state, ...plan.tail], places, last: JSON.stringify(summary({ parentId, firstKeptEntryId, nowMs })) }));
    if (staged.tail.leafId !== summaryId) throw new NotRotated('structure would change');
    return { staged, firstKeptEntryId };
  });
}

interface Parts {
  readonly header: string;
  readonly lines: readonly KeptLine[];
  readonly places: ReadonlyMap<number, BranchLine>;
  readonly last: string;
}

async function* pieces(source: ByteSource, { header, lines, places, last }: Parts): AsyncGenerator<Piece> {
  yield { text: `${header}\n` };
  for (const { number, rewrite } of lines) {
    const place = places.get(number);
    if (place === undefined) throw new NotRotated('structure would change');
    yield rewrite === undefined ? { source, offset: place.offset, bytes: place.bytes } : { text: `${rewriteLine(await textOf(source, place), rewrite)}\n` };
  }
  yield { text: `${last}\n` };
}
