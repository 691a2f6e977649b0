import fc from 'fast-check';
import type { ByteSource } from './byte-source';
import { readHistoryPage, type HistoryPage, type HistoryPageOptions } from './read-history';
import { scanTranscript } from './scan-transcript';

function sourceOf(bytes: Buffer): ByteSource {
  return { read: (buffer, offset, length, position) => Promise.resolve({ bytesRead: bytes.copy(buffer, offset, position, position + length) }) };
}

const HEADER = JSON.stringify({ type: 'session', version: 3, id: 's', timestamp: '2026-06-01T09:00:00.000Z' });

const line = (id: string, parentId: string | null, role: string, extra: object = {}): string =>
  JSON.stringify({ type: 'message', id, parentId, message: { role, content: id }, ...extra });

function readPage(bytes: Buffer, changes: Partial<HistoryPageOptions> = {}): Promise<HistoryPage> {
  return readHistoryPage(sourceOf(bytes), { endOffset: bytes.length, limit: 100, includeTools: true, ...changes });
}

const seqsOf = (page: HistoryPage): (number | undefined)[] => page.items.map((item) => item.seq);

describe('readHistoryPage over any tree', () => {
  /** Trees as they grow: each line hangs on an earlier one, on none, or stands beside the branch. */
  const trees = fc.array(
    fc.record({
      parent: fc.oneof({ weight: 6, arbitrary: fc.constant('leaf' as const) }, fc.nat(30)),
      kind: fc.constantFrom('user', 'assistant', 'toolResult', 'custom', 'side', 'leaf', 'blank'),
    }),
    { maxLength: 30 },
  );

  it('pages through any tree to the same messages as a reader that loads it whole', async () => {
    await fc.assert(
      fc.asyncProperty(trees, fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.boolean(), async (steps, limit, includeTools, bySeq) => {
        const lines = [HEADER];
        const parents = new Map<string, string | null>();
        const shown = new Map<string, number>();
        let leaf: string | null = null;
        let total = 0;
        steps.forEach(({ parent, kind }, index) => {
          if (kind === 'blank') return lines.push('');
          const ids = [...parents.keys()];
          const id = `n${index}`;
          const parentId: string | null = parent === 'leaf' ? leaf : (ids[parent % (ids.length + 1)] ?? null);
          if (kind === 'leaf') {
            leaf = parentId ?? leaf;
            parents.set(id, leaf);
            return lines.push(JSON.stringify({ type: 'leaf', id, parentId: leaf, targetId: leaf }));
          }
          parents.set(id, parentId);
          if (kind !== 'side') leaf = id;
          if (kind === 'custom') return lines.push(JSON.stringify({ type: 'custom', id, parentId }));
          total += 1;
          const role = kind === 'side' ? 'user' : kind;
          if (includeTools || role !== 'toolResult') shown.set(id, total);
          return lines.push(line(id, parentId, role, kind === 'side' ? { appendMode: 'side' } : {}));
        });
        const expected: number[] = [];
        for (let id: string | null = leaf; id !== null; id = parents.get(id) ?? null) {
          const seq = shown.get(id);
          if (seq !== undefined) expected.unshift(seq);
        }
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect((await scanTranscript(sourceOf(bytes))).messageCount).toBe(total);
        const seen: (number | undefined)[] = [];
        let page = await readPage(bytes, { limit, includeTools, totalMessages: total });
        for (;;) {
          seen.unshift(...seqsOf(page));
          expect(page.items.length).toBeLessThanOrEqual(limit);
          if (!page.hasMore || !page.older) break;
          expect(page.items).toHaveLength(limit);
          page = bySeq
            ? await readPage(bytes, { limit, includeTools, totalMessages: total, beforeSeq: page.nextBefore })
            : await readPage(bytes, { limit, includeTools, ...page.older });
        }
        expect(seen).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});
