import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LINE_BYTES_MAX } from '../types';
import { linesBackwards, readTail, TAIL_CHUNK_BYTES } from './backward-reader';
import type { ByteSource } from './byte-source';

describe('readTail', () => {
  let directory: string;
  const handles: FileHandle[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tail-'));
  });
  afterEach(async () => {
    for (const handle of handles.splice(0)) await handle.close();
    rmSync(directory, { recursive: true });
  });

  async function put(content: string | Buffer): Promise<{ source: FileHandle; endOffset: number }> {
    const file = join(directory, 'a.jsonl');
    writeFileSync(file, content);
    const handle = await open(file, 'r');
    handles.push(handle);
    return { source: handle, endOffset: Buffer.byteLength(content) };
  }

  const tail = async (content: string | Buffer, linesMax = 100, bytesMax = 1 << 20) => {
    const { source, endOffset } = await put(content);
    return readTail(source, { endOffset, linesMax, bytesMax });
  };

  it('returns the last lines in file order, with their places', async () => {
    expect(await tail('{"a":1}\n{"b":2}\n{"ü":3}\n', 2)).toEqual({
      lines: [
        { text: '{"b":2}', offset: 8, bytes: 8 },
        { text: '{"ü":3}', offset: 16, bytes: 9 },
      ],
      damage: [],
      startOffset: 8,
      reachedStart: false,
    });
  });

  it('never returns bytes after the last newline', async () => {
    expect((await tail('{"a":1}\n{"half":')).lines).toMatchObject([{ text: '{"a":1}' }]);
    expect(await tail('{"half":')).toEqual({ lines: [], damage: [], startOffset: 0, reachedStart: true });
    expect(await tail('')).toEqual({ lines: [], damage: [], startOffset: 0, reachedStart: true });
  });

  it('leaves out blank lines', async () => {
    expect((await tail('1\n\n  \r\n2\n\n')).lines.map((line) => line.text)).toEqual(['1', '2']);
  });

  it('keeps to the bytes allowed but always returns one line', async () => {
    const lines = `${'x'.repeat(99)}\n`.repeat(5);
    expect(await tail(lines, 100, 250)).toMatchObject({ lines: [{ offset: 300 }, { offset: 400 }], startOffset: 300, reachedStart: false });
    expect(await tail(lines, 100, 1)).toMatchObject({ lines: [{ offset: 400 }], startOffset: 400 });
  });

  it('goes on where a page ended', async () => {
    const { source, endOffset } = await put(Array.from({ length: 25 }, (_, n) => `${n}\n`).join(''));
    const seen: string[] = [];
    for (let end = endOffset; end > 0; ) {
      const page = await readTail(source, { endOffset: end, linesMax: 7, bytesMax: 1 << 20 });
      seen.unshift(...page.lines.map((line) => line.text));
      end = page.startOffset;
      expect(page.reachedStart).toBe(end === 0);
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => String(n)));
  });

  it('decodes only the lines that are accepted', async () => {
    const { source, endOffset } = await put('tool\nuser 1\ntool\nuser 2\ntool\n');
    const page = await readTail(source, { endOffset, linesMax: 1, bytesMax: 1000, accept: (content) => content[0] === 'u'.charCodeAt(0) });
    expect(page.lines).toEqual([{ text: 'user 2', offset: 17, bytes: 7 }]);
    expect(page.startOffset).toBe(17);
  });

  it('reads only the chunks that it needs', async () => {
    const { source, endOffset } = await put(`${'x'.repeat(999)}\n`.repeat(5000));
    let bytesAsked = 0;
    const counting: ByteSource = {
      read: (buffer, offset, length, position) => {
        bytesAsked += length;
        return source.read(buffer, offset, length, position);
      },
    };
    const page = await readTail(counting, { endOffset, linesMax: 10, bytesMax: 1 << 20 });
    expect(page.lines).toHaveLength(10);
    expect(bytesAsked).toBe(TAIL_CHUNK_BYTES);
  });

  it('reports a line beyond the bound without reading it into memory as one', async () => {
    const content = Buffer.concat([Buffer.from('first\n'), Buffer.alloc(LINE_BYTES_MAX, 0x78), Buffer.from('\nlast\n')]);
    expect(await tail(content)).toEqual({
      lines: [
        { text: 'first', offset: 0, bytes: 6 },
        { text: 'last', offset: 6 + LINE_BYTES_MAX + 1, bytes: 5 },
      ],
      damage: [{ offset: 6, bytes: LINE_BYTES_MAX + 1 }],
      startOffset: 0,
      reachedStart: true,
    });
  });

  it('returns a line of exactly the bound', async () => {
    const content = Buffer.concat([Buffer.alloc(LINE_BYTES_MAX - 1, 0x78), Buffer.from('\n')]);
    const { source, endOffset } = await put(content);
    const page = await readTail(source, { endOffset, linesMax: 1, bytesMax: 1 });
    expect(page.damage).toEqual([]);
    expect(page.lines[0]?.bytes).toBe(LINE_BYTES_MAX);
  });

  it('says so when the file is shorter than it was', async () => {
    const { source } = await put('a\nb\n');
    await expect(readTail(source, { endOffset: 10, linesMax: 1, bytesMax: 1 })).rejects.toMatchObject({ reason: 'DAMAGED' });
  });

  it('yields the same lines for every size of chunk', async () => {
    const { source, endOffset } = await put('a\n\nbcdef\nüü\n\nlonger line here\ntorn');
    for (let chunkBytes = 1; chunkBytes < 40; chunkBytes += 1) {
      const lines: string[] = [];
      for await (const batch of linesBackwards(source, endOffset, chunkBytes)) lines.unshift(...batch.map((line) => `${line.offset}:${line.content?.toString()}`).reverse());
      expect(lines).toEqual(['0:a', '2:', '3:bcdef', '9:üü', '14:', '15:longer line here']);
    }
  });
});
