import type { HistoryRecord, Operation } from './history';
import { Outcomes } from './outcomes';

const operation = { id: 'r1-a', kind: 'patch', key: 'agent:main:crash:1', newSessionId: 's', atMs: 1, slot: 'slot0', messages: [] } as unknown as Operation;
const start: HistoryRecord = { t: 'start', run: 1, operation };
const ok = (run: number, seq: number, repeated: boolean): HistoryRecord => ({ t: 'ok', run, id: operation.id, seq, epoch: run, repeated, answer: '{}' });
const wrong = (...history: HistoryRecord[]): string[] => new Outcomes(history).wrong.map(({ message }) => message);

describe('what a history says of an operation', () => {
  it('is that it was acknowledged once, though the first acknowledgement was written down after the repeat', () => {
    expect(wrong(start, start, ok(2, 7, true), ok(1, 7, false))).toEqual([]);
  });

  it('is wrong when two answers call themselves the first', () => {
    expect(wrong(start, ok(1, 7, false), start, ok(2, 8, false))).toContain('r1-a was acknowledged twice as new');
  });

  it('is wrong when the repeat names another number', () => {
    expect(wrong(start, ok(1, 7, false), start, ok(2, 8, true))).toEqual(['r1-a was acknowledged as number 7 and as number 8']);
  });
});
