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

  it('may be that an unanswered reset came before mutations that were acknowledged', () => {
    const send = { ...operation, id: 'r1-s', kind: 'send' } as Operation;
    const reset = { ...operation, id: 'r1-r', kind: 'reset', newSessionId: 't' } as Operation;
    const late = { ...operation, id: 'r1-l', kind: 'patch' } as Operation;
    const begun = ({ id }: Operation, seq: number): HistoryRecord[] => [{ t: 'ok', run: 1, id, seq, epoch: 1, repeated: false, answer: '{}' }];
    const history: HistoryRecord[] = [{ t: 'start', run: 1, operation: send }, ...begun(send, 1), { t: 'start', run: 1, operation: reset }, { t: 'start', run: 1, operation: late }, ...begun(late, 3)];
    const states = new Outcomes(history).possibleStates(operation.key);
    expect(states).toContainEqual({ sessionId: 's', members: { lastSend: 'r1-s', slot0: 'r1-l' } });
    expect(states).toContainEqual({ sessionId: 't', members: { lastSend: 'r1-r', slot0: 'r1-l' } });
  });

  it('is wrong when the repeat names another number', () => {
    expect(wrong(start, ok(1, 7, false), start, ok(2, 8, true))).toEqual(['r1-a was acknowledged as number 7 and as number 8']);
  });
});
