import type { ByteSource } from './byte-source';
import { HISTORY_PAGE_BYTES_MAX, readHistoryPage, type HistoryPage, type HistoryPageOptions } from './read-history';

function sourceOf(bytes: Buffer, onRead: (length: number) => void = () => undefined): ByteSource {
  return {
    read(buffer, offset, length, position) {
      const bytesRead = bytes.copy(buffer, offset, position, position + length);
      onRead(bytesRead);
      return Promise.resolve({ bytesRead });
    },
  };
}

const HEADER = JSON.stringify({ type: 'session', version: 3, id: 's', timestamp: '2026-06-01T09:00:00.000Z' });

const line = (id: string, parentId: string | null, role: string, extra: object = {}): string =>
  JSON.stringify({ type: 'message', id, parentId, message: { role, content: id }, ...extra });

const fileOf = (...lines: string[]): Buffer => Buffer.from(lines.map((text) => `${text}\n`).join(''));

function readPage(bytes: Buffer, changes: Partial<HistoryPageOptions> = {}): Promise<HistoryPage> {
  return readHistoryPage(sourceOf(bytes), { endOffset: bytes.length, limit: 100, includeTools: true, ...changes });
}

const idsOf = (page: HistoryPage): (string | undefined)[] => page.items.map((item) => item.id);
const seqsOf = (page: HistoryPage): (number | undefined)[] => page.items.map((item) => item.seq);

describe('readHistoryPage', () => {
  const chain = fileOf(HEADER, line('1', null, 'user'), line('2', '1', 'assistant'), line('3', '2', 'toolResult'), line('4', '3', 'assistant'), line('5', '4', 'user'));

  it('numbers messages backwards from a known total', async () => {
    const page = await readPage(chain, { totalMessages: 5, limit: 2 });
    expect(page).toMatchObject({ hasMore: true, nextBefore: 4, totalMessages: 5, malformedLines: 0 });
    expect(idsOf(page)).toEqual(['4', '5']);
    expect(seqsOf(page)).toEqual([4, 5]);
  });

  it('leaves tool results out unless asked for, without renumbering', async () => {
    const page = await readPage(chain, { totalMessages: 5, includeTools: false });
    expect(seqsOf(page)).toEqual([1, 2, 4, 5]);
    expect(page.hasMore).toBe(false);
    expect(page.nextBefore).toBeUndefined();
  });

  it('says there is no more when only tool results are older', async () => {
    const bytes = fileOf(HEADER, line('1', null, 'toolResult'), line('2', '1', 'user'));
    expect(await readPage(bytes, { includeTools: false, limit: 1 })).toMatchObject({ hasMore: false });
    expect(await readPage(bytes, { includeTools: true, limit: 1 })).toMatchObject({ hasMore: true });
  });

  it('answers without numbers when nobody has counted, and counts when numbers are asked for', async () => {
    const uncounted = await readPage(chain, { limit: 2 });
    expect(seqsOf(uncounted)).toEqual([undefined, undefined]);
    expect(uncounted).toMatchObject({ hasMore: true, totalMessages: undefined, nextBefore: undefined });
    const counted = await readPage(chain, { limit: 2, beforeSeq: 4 });
    expect(seqsOf(counted)).toEqual([2, 3]);
    expect(counted).toMatchObject({ totalMessages: 5, nextBefore: 2 });
  });

  it('shows the active branch only', async () => {
    const bytes = fileOf(
      HEADER,
      line('1', null, 'user'),
      line('2', '1', 'assistant'),
      line('2b', '1', 'assistant'),
      line('side', '2b', 'user', { appendMode: 'side' }),
      line('3', '2b', 'user'),
    );
    const page = await readPage(bytes, { totalMessages: 5 });
    expect(idsOf(page)).toEqual(['1', '2b', '3']);
    expect(seqsOf(page)).toEqual([1, 3, 5]);
  });

  it('follows a leaf line', async () => {
    const bytes = fileOf(HEADER, line('1', null, 'user'), line('2', '1', 'assistant'), JSON.stringify({ type: 'leaf', id: 'l', parentId: '2', targetId: '1' }));
    expect(idsOf(await readPage(bytes))).toEqual(['1']);
    expect(idsOf(await readPage(Buffer.concat([bytes, fileOf(line('3', '1', 'user'))])))).toEqual(['1', '3']);
  });

  it('does not show what lies before the root of the branch', async () => {
    const bytes = fileOf(HEADER, line('1', null, 'user'), line('2', '1', 'user'), line('x', null, 'user'), line('y', 'x', 'user'));
    const page = await readPage(bytes, { limit: 2 });
    expect(idsOf(page)).toEqual(['x', 'y']);
    expect(page.hasMore).toBe(false);
  });

  it('keeps showing what is older than a line that cannot be read', async () => {
    const bytes = fileOf(HEADER, line('1', null, 'user'), '{"broken', line('3', '2', 'user'), '', line('4', '3', 'user'));
    const page = await readPage(bytes, { totalMessages: 3 });
    expect(idsOf(page)).toEqual(['1', '3', '4']);
    expect(seqsOf(page)).toEqual([1, 2, 3]);
    expect(page.malformedLines).toBe(1);
  });

  it('reads simple lines in file order', async () => {
    const bytes = fileOf('{"role":"user","content":"a"}', '{"role":"assistant","content":"b"}');
    const page = await readPage(bytes, { totalMessages: 2 });
    expect(page.items.map((item) => [item.seq, item.role, item.id])).toEqual([
      [1, 'user', undefined],
      [2, 'assistant', undefined],
    ]);
  });

  it('never returns a half-written line', async () => {
    const bytes = Buffer.concat([chain, Buffer.from(line('6', '5', 'user'))]);
    expect(idsOf(await readPage(bytes, { limit: 1 }))).toEqual(['5']);
  });

  it('ends a page before it grows beyond the bound, but shows a message that is larger by itself', async () => {
    const third = 'x'.repeat(HISTORY_PAGE_BYTES_MAX / 3);
    const bytes = fileOf(
      line('1', null, 'user', { pad: third + third + third + third }),
      line('2', '1', 'user', { pad: third }),
      line('3', '2', 'user', { pad: third }),
      line('4', '3', 'user', { pad: third }),
    );
    const page = await readPage(bytes, { totalMessages: 4 });
    expect(idsOf(page)).toEqual(['3', '4']);
    expect(page).toMatchObject({ hasMore: true, nextBefore: 3 });
    expect(idsOf(await readPage(bytes, { totalMessages: 4, beforeSeq: 2 }))).toEqual(['1']);
  });

  it('reads no more of a long transcript than the page needs', async () => {
    const pad = 'x'.repeat(500);
    const bytes = fileOf(HEADER, ...Array.from({ length: 5000 }, (_, n) => line(String(n), n === 0 ? null : String(n - 1), 'user', { pad })));
    let bytesRead = 0;
    const page = await readHistoryPage(sourceOf(bytes, (length) => (bytesRead += length)), {
      endOffset: bytes.length,
      totalMessages: 5000,
      limit: 50,
      includeTools: false,
    });
    expect(seqsOf(page)[0]).toBe(4951);
    expect(bytesRead).toBeLessThanOrEqual(64 * 1024);
    const next = await readHistoryPage(sourceOf(bytes), { ...page.older, endOffset: page.older?.endOffset ?? 0, limit: 3, includeTools: false });
    expect(seqsOf(next)).toEqual([4948, 4949, 4950]);
  });
});
