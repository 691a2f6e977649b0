/**
 * The transcript that undoes a truncation: the original bytes, then the lines that were appended since.
 * Which those are is told by the last line of the original that a reader can name: it was kept.
 */
import { SessionError } from '@sessions/domain';
import { readLineFacts, scanTranscript, type ArchivedFile, type ByteSource, type HeldFiles, type Piece, type StagedTranscript } from '@sessions/store';

const NEWLINE = 0x0a;

/** @throws STRUCTURE_REFUSED when the live transcript has nothing of the original's end. */
export async function stageUndo(held: HeldFiles, { from, to }: ArchivedFile): Promise<StagedTranscript> {
  return held.read(to, async (original, bytes) => {
    const last = await lastLine(original);
    const pieces: Piece[] = [{ source: original, offset: 0, bytes }];
    if (bytes > 0 && !(await endsInLine(original, bytes))) pieces.push({ text: '\n' });
    if (held.get(from).found === undefined) return held.stage(pieces);
    return held.read(from, async (live, liveBytes) => {
      const end = await endOfLine(live, last);
      if (end === undefined) throw new SessionError('STRUCTURE_REFUSED', 'the transcript has changed since it was cut: which lines are new cannot be told', { hint: 'reset the session, then restore the archive by its name' });
      return held.stage([...pieces, { source: live, offset: end, bytes: liveBytes - end }]);
    });
  });
}

interface LastLine {
  /** Undefined: its lines have none. */
  readonly id: string | undefined;
  readonly text: string;
}

async function lastLine(source: ByteSource): Promise<LastLine> {
  let last: { id: string | undefined; offset: number; bytes: number } | undefined;
  await scanTranscript(source, {
    onLine: ({ facts, offset, bytes }) => {
      if (facts !== undefined && (facts.id !== undefined || last?.id === undefined)) last = { id: facts.id, offset, bytes };
    },
  });
  const found = last as { id: string | undefined; offset: number; bytes: number } | undefined;
  return { id: found?.id, text: found === undefined ? '' : await textAt(source, found) };
}

/** End of the last line that is the given one, by its id, else by its bytes. */
async function endOfLine(source: ByteSource, { id, text }: LastLine): Promise<number | undefined> {
  let end: number | undefined;
  const same: { offset: number; bytes: number }[] = [];
  await scanTranscript(source, {
    onLine: ({ facts, offset, bytes }) => {
      if (id !== undefined) end = facts?.id === id ? offset + bytes : end;
      else if (bytes - 1 === Buffer.byteLength(text) && facts !== undefined && JSON.stringify(facts.record) === JSON.stringify(readLineFacts(Buffer.from(text))?.record)) same.push({ offset, bytes });
    },
  });
  const [first] = same;
  return end ?? (first === undefined ? undefined : first.offset + first.bytes);
}

async function textAt(source: ByteSource, { offset, bytes }: { readonly offset: number; readonly bytes: number }): Promise<string> {
  const buffer = Buffer.alloc(bytes - 1);
  await source.read(buffer, 0, buffer.length, offset);
  return buffer.toString('utf8');
}

async function endsInLine(source: ByteSource, bytes: number): Promise<boolean> {
  const last = Buffer.alloc(1);
  await source.read(last, 0, 1, bytes - 1);
  return last[0] === NEWLINE;
}
