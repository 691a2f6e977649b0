/** ReadBranch: the active branch of a session, root first, in bounded items, as it was when the call came in. */
import { BranchHead, HistoryRecords, TranscriptRecord, type ReadBranchRequest, type ReadBranchResponse } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { STREAM_ITEMS_BYTES, type CallContext } from '@sessions/bus';
import { findBranch, readLineFacts, scanTranscript, type AgentStore, type BranchLine, type ByteSource, type StoredEntry } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { entryOfKey } from './stored-session';

/** @throws SESSION_NOT_FOUND; STALE_PLAN when the tip that was named is not in the transcript; DAMAGED */
export async function* readBranch(agent: OwnedAgent, request: ReadBranchRequest, context: CallContext): AsyncGenerator<ReadBranchResponse> {
  const { key, tipId } = request;
  const opened = await agent.read((store, { seq }) => openBranch(store, key, tipId, seq), () => undefined);
  if (opened === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
  const { head, file, lines } = opened;
  yield { item: { $case: 'head', value: head } };
  for (let at = 0; at < lines.length && !context.signal.aborted; ) {
    const slice = sliceOf(lines, at);
    const records = await agent.use(({ store }) => store.files.readTranscript(file, (source) => recordsOf(source, slice)));
    if (records === undefined) throw new SessionError('STALE_PLAN', 'the transcript was set aside while its branch was read');
    at += slice.length;
    yield* itemsOf(records);
  }
}

interface OpenedBranch {
  readonly head: BranchHead;
  readonly file: string;
  readonly lines: readonly BranchLine[];
}

async function openBranch(store: AgentStore, key: string, tipId: string | undefined, storeSeq: number): Promise<OpenedBranch | undefined> {
  const entry = await entryOfKey(store, key);
  if (entry === undefined) return undefined;
  const found = entry.file === null ? undefined : await branchOf(store, entry, tipId);
  const head = BranchHead.create({ epoch: store.epoch, storeSeq, sessionId: entry.sessionId ?? '', tipId: found?.tipId ?? undefined, recordCount: found?.lines.length ?? 0, transcriptBytes: found?.bytes ?? 0 });
  return { head, file: entry.file ?? '', lines: found?.lines ?? [] };
}

/** Lines of a session's active branch; undefined: it has no transcript. */
export function branchOf(store: AgentStore, entry: Pick<StoredEntry, 'file' | 'tail'>, tipId: string | undefined): Promise<{ readonly lines: readonly BranchLine[]; readonly tipId: string | null; readonly bytes: number } | undefined> {
  return store.files.readTranscript(entry.file ?? '', async (source, bytes) => {
    const known = entry.tail !== undefined && entry.tail.bytes === bytes ? entry.tail : undefined;
    // Lines that come while it is counted stand behind the end that the branch is looked for from.
    const scanned = known ?? (await scanTranscript(upTo(source, bytes)));
    const tip = tipId ?? scanned.leafId;
    const { lines, hasTip } = await findBranch(source, { endOffset: bytes, tipId: tip, kind: scanned.kind === 'simple' ? 'simple' : 'native' });
    if (!hasTip) throw new SessionError('STALE_PLAN', 'the record that was named is not in the transcript');
    return { lines, tipId: tip, bytes };
  });
}

function upTo(source: ByteSource, bytes: number): ByteSource {
  return { read: (buffer, offset, length, position) => (position >= bytes ? Promise.resolve({ bytesRead: 0 }) : source.read(buffer, offset, Math.min(length, bytes - position), position)) };
}

/** Lines of one item; a longer one is alone in it. */
function sliceOf(lines: readonly BranchLine[], from: number): readonly BranchLine[] {
  let bytes = 0;
  let end = from;
  while (end < lines.length && (end === from || bytes + (lines[end]?.bytes ?? 0) <= STREAM_ITEMS_BYTES)) {
    bytes += lines[end]?.bytes ?? 0;
    end += 1;
  }
  return lines.slice(from, end);
}

async function recordsOf(source: ByteSource, lines: readonly BranchLine[]): Promise<TranscriptRecord[]> {
  const records: TranscriptRecord[] = [];
  const texts = await textsOf(source, lines);
  for (const line of texts) {
    const facts = readLineFacts(line);
    const type: unknown = facts?.record['type'];
    const common = { recordId: facts?.id, type: typeof type === 'string' ? type : 'message', role: facts?.role };
    const parts = Math.max(1, Math.ceil(line.length / STREAM_ITEMS_BYTES));
    for (let part = 1; part <= parts; part += 1) {
      const lineJson = line.subarray((part - 1) * STREAM_ITEMS_BYTES, part * STREAM_ITEMS_BYTES);
      records.push(TranscriptRecord.create({ ...common, lineJson, part: parts === 1 ? undefined : { part, parts, totalBytes: line.length } }));
    }
  }
  return records;
}

/** Bytes of each line without its end. Lines that stand side by side, most of a branch, are read together. */
async function textsOf(source: ByteSource, lines: readonly BranchLine[]): Promise<Buffer[]> {
  const texts: Buffer[] = [];
  for (let at = 0; at < lines.length; ) {
    const from = lines[at]?.offset ?? 0;
    let end = from;
    const begin = at;
    for (let next = lines[at]; next !== undefined && next.offset === end; next = lines[at]) {
      end += next.bytes;
      at += 1;
    }
    const run = await readRange(source, from, end - from - 1);
    for (const { offset, bytes } of lines.slice(begin, at)) texts.push(run.subarray(offset - from, offset - from + bytes - 1));
  }
  return texts;
}

async function readRange(source: ByteSource, position: number, length: number): Promise<Buffer> {
  const range = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await source.read(range, done, length - done, position + done);
    if (bytesRead === 0) throw new SessionError('STALE_PLAN', 'the transcript was cut while its branch was read');
    done += bytesRead;
  }
  return range;
}

function* itemsOf(records: readonly TranscriptRecord[]): Generator<ReadBranchResponse> {
  const isLong = records.some(({ part }) => part !== undefined);
  const items = isLong ? records.map((record) => [record]) : [records];
  for (const item of items) yield { item: { $case: 'records', value: HistoryRecords.create({ records: [...item] }) } };
}
