import { HistoryRecords, ReadBranchResponse, TranscriptRecord } from '@sessions/contracts';
import { readBranch } from './read-branch';

const line = (id: string, text: string): string => JSON.stringify({ type: 'message', id, parentId: null, timestamp: '2026-01-01T00:00:00.000Z', message: { role: 'user', content: text } });
const LINES = [line('m1', 'ж'.repeat(1_000)), line('m2', '語'.repeat(1_000))];
const BYTES = Buffer.byteLength(LINES.join(''));

/** An owner with one branch. */
const store = {
  async *readBranch() {
    const records = LINES.map((text, place) => TranscriptRecord.create({ lineNumber: place + 1, lineJson: Buffer.from(text) }));
    yield ReadBranchResponse.create({ item: { $case: 'records', value: HistoryRecords.create({ records }) } });
  },
} as unknown as Parameters<typeof readBranch>[0];
const PLACE = { agentId: 'main', key: 'agent:main:main', signal: new AbortController().signal };

describe('the bound of a branch', () => {
  it('counts bytes, not characters', async () => {
    await expect(readBranch(store, { ...PLACE, bytesMax: BYTES })).resolves.toBeDefined();
    await expect(readBranch(store, { ...PLACE, bytesMax: BYTES - 1 })).rejects.toMatchObject({ reason: 'TOO_LARGE', facts: { bytesMax: BYTES - 1 } });
  });
});
