import { Event } from '@sessions/contracts';
import { EventPlaces, hasOwnId } from './event-places';
import type { Place } from './event-places';

const KEY = 'agent:main:main';

function message(seq: number, messageSeq: number, { epoch = 1, sessionId = 's1', key = KEY } = {}): Event {
  const value = { messageId: `m${messageSeq}`, messageSeq, lineJson: undefined, tooLarge: false, encodedRow: undefined, usage: undefined, runId: undefined };
  return Event.create({ agentId: 'main', sessionKey: key, sessionId, epoch, seq, body: { $case: 'message', value } });
}

function changed(seq: number, { epoch = 1, sessionId = 's1', messageSeq = undefined as number | undefined } = {}): Event {
  const value = { reason: 'reset', phase: undefined, runId: undefined, encodedRow: undefined, previousSessionId: undefined, messageSeq };
  return Event.create({ agentId: 'main', sessionKey: KEY, sessionId, epoch, seq, body: { $case: 'changed', value } });
}

describe('places in the events of sessions', () => {
  it('see no gap in numbers that follow each other, nor in the first one', () => {
    const places = new EventPlaces();
    expect(places.note(message(7, 3))).toBeUndefined();
    expect(places.note(message(8, 4))).toBeUndefined();
    expect(places.recent()).toMatchObject([{ key: KEY, seq: 8, messageSeq: 4 }]);
  });

  it('say from where to read when a number is missing, or another epoch begins', () => {
    const places = new EventPlaces();
    places.note(message(7, 3));
    expect(places.note(message(9, 5))).toMatchObject({ seq: 7, messageSeq: 3, sessionId: 's1' });
    expect(places.note(message(1, 6, { epoch: 2 }))).toMatchObject({ epoch: 1, messageSeq: 5 });
  });

  it('are not set back by an older owner, nor by a number that came before', () => {
    const places = new EventPlaces();
    places.note(message(5, 5, { epoch: 2 }));
    expect(places.note(message(9, 4, { epoch: 1 }))).toBeUndefined();
    expect(places.note(message(4, 4, { epoch: 2 }))).toBeUndefined();
    expect(places.note(message(6, 6, { epoch: 2 }))).toBeUndefined();
  });

  it('begin at 0 in a transcript that was seen to begin', () => {
    const places = new EventPlaces();
    places.note(message(1, 8));
    places.note(changed(2, { sessionId: 's2' }));
    expect(places.recent()[0]).toMatchObject({ sessionId: 's2', messageSeq: 0 });
  });

  it('begin behind what was told of it in a transcript that goes on with another', () => {
    const places = new EventPlaces();
    places.note(message(1, 8));
    places.note(changed(2, { sessionId: 's2', messageSeq: 3 }));
    expect(places.recent()[0]).toMatchObject({ sessionId: 's2', messageSeq: 3 });
    expect(places.note(message(4, 5, { sessionId: 's2' }))).toMatchObject({ sessionId: 's2', messageSeq: 3 });
  });

  it('hold the id of the message heard last, where it has one of its own', () => {
    const places = new EventPlaces();
    places.note(message(1, 8));
    places.note(changed(2));
    expect(places.recent()[0]).toMatchObject({ messageSeq: 8, recordId: 'm8' });
    places.note(changed(3, { messageSeq: 11 }));
    expect(places.recent()[0]).toMatchObject({ messageSeq: 11, recordId: undefined });
    expect([hasOwnId('L5'), hasOwnId(''), hasOwnId('9f0c11aa')]).toEqual([false, false, true]);
  });

  it('take what was read, unless later events led further', () => {
    const places = new EventPlaces();
    const read = (sessionId: string, messageSeq: number): void => {
      const from = places.recent()[0] as Place;
      places.noteRead(from, { ...from, sessionId, messageSeq, recordId: `m${messageSeq}` }, (id) => id === 's1');
    };
    places.note(message(1, 8));
    // A cut gave other numbers.
    read('s1', 3);
    expect(places.recent()[0]).toMatchObject({ sessionId: 's1', messageSeq: 3, recordId: 'm3' });
    const from = places.recent()[0] as Place;
    places.note(message(2, 4));
    places.noteRead(from, { ...from, messageSeq: 3, recordId: 'm3' }, () => true);
    expect(places.recent()[0]).toMatchObject({ sessionId: 's1', messageSeq: 4 });
    places.noteRead(from, { ...from, sessionId: 's2', messageSeq: 1, recordId: 'x' }, (id) => id === 's1');
    expect(places.recent()[0]).toMatchObject({ sessionId: 's2', messageSeq: 1 });
  });

  it('do not know from where to read before a message was heard', () => {
    const places = new EventPlaces();
    places.note(changed(1));
    expect(places.note(changed(3))).toMatchObject({ messageSeq: undefined });
  });

  it('forget the session that was unheard longest', () => {
    const places = new EventPlaces(2);
    for (const key of ['a', 'b', 'a', 'c']) places.note(message(key === 'a' ? places.recent().length + 1 : 1, 1, { key }));
    expect(places.recent().map(({ key }) => key)).toEqual(['c', 'a']);
  });
});
