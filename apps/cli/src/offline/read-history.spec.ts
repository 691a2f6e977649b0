/** Pages of transcripts that nobody has counted: places instead of ordinals. */
import { formatPosition, parsePosition } from './history-position';
import { readHistory } from './read-history';
import type { HistoryQuery, History } from './read-history';
import { COUNT_BYTES_MAX } from '@sessions/store';
import type { AgentId } from '@sessions/domain';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MESSAGES = 2_500;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-history-'));
  const text = 'x'.repeat(Math.ceil((COUNT_BYTES_MAX * 1.2) / MESSAGES));
  const lines = Array.from({ length: MESSAGES }, (_, index) => JSON.stringify({ type: 'message', id: `m${index}`, parentId: index === 0 ? null : `m${index - 1}`, message: { role: 'user', content: `${index} ${text}` } }));
  writeFileSync(join(directory, 's.jsonl'), `${lines.join('\n')}\n`);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const read = (query: Partial<HistoryQuery>): Promise<History> =>
  readHistory({ store: { agentId: 'main' as AgentId, path: join(directory, 'sessions.json') }, key: 'k', entry: {}, row: undefined, file: 's.jsonl', warning: undefined }, { limit: 2, before: null, includeTools: false, ...query });
const numbers = ({ messages }: History): number[] => messages.map(({ message }) => Number.parseInt(String(message['content']), 10));

describe('a transcript too long to be counted for a page', () => {
  it('is paged back by places, and they survive being written down', async () => {
    const last = await read({});
    expect(numbers(last)).toEqual([MESSAGES - 2, MESSAGES - 1]);
    expect(last).toMatchObject({ totalCount: null, hasMore: true, nextBefore: { nextId: `m${MESSAGES - 3}` } });
    const place = parsePosition(formatPosition(last.nextBefore as Exclude<History['nextBefore'], number | null>));
    expect(numbers(await read({ before: place ?? null }))).toEqual([MESSAGES - 4, MESSAGES - 3]);
  });

  it('is numbered when a number is asked for', async () => {
    expect(numbers(await read({ before: 3 }))).toEqual([0, 1]);
  });

  it('is read whole in pages', async () => {
    const all = await read({ limit: null });
    expect(numbers(all)).toEqual(Array.from({ length: MESSAGES }, (_, index) => index));
    expect(all).toMatchObject({ hasMore: false, nextBefore: null });
  });

  it('has no place behind its end', async () => {
    await expect(read({ before: { endOffset: 2 * COUNT_BYTES_MAX } })).rejects.toMatchObject({ reason: 'VALIDATION' });
    for (const text of ['@', '@x', '@1:%', 'm1', '@99999999999999999999']) expect(parsePosition(text)).toBeUndefined();
  });
});
