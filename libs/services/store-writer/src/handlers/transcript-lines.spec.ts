import { countLines } from './transcript-lines';
import type { ByteSource } from '@sessions/store';

const CHUNK_BYTES = 256 * 1024;
const sourceOf = (bytes: Buffer): ByteSource => ({ read: (buffer, offset, length, position) => Promise.resolve({ bytesRead: bytes.copy(buffer, offset, position, position + length) }) });
const count = (text: string): ReturnType<typeof countLines> => countLines(sourceOf(Buffer.from(text)), Buffer.byteLength(text));

it('counts lines that are not blank, and finds the first of them', async () => {
  expect(await count('\n \nfirst\n\nsecond\nunfinished')).toEqual({ lines: 2, physicalLines: 5, first: { number: 3, offset: 3, bytes: 6 }, hasCompaction: false });
  expect(await count('')).toMatchObject({ lines: 0, first: undefined });
});

it('sees that a summary is there, wherever the file is cut in reading', async () => {
  for (const before of [0, 1, 9, 17, 18, 19]) {
    const text = `${'x'.repeat(CHUNK_BYTES - before - 2)}\n{"type":"compaction"}\n`;
    expect((await count(text)).hasCompaction).toBe(true);
  }
  expect((await count(`${'x'.repeat(3 * CHUNK_BYTES)}\n{"type":"message"}\n`)).hasCompaction).toBe(false);
});
