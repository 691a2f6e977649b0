/** What connections that hear the same share, and what each has for itself. */
import { Channel, Channels, PIECE_BYTES_MAX, SHARED_KEYS_MAX } from './channel';
import { Outbox } from './outbox';
import { numberedFrame, textFrame } from './shared-frame';

const READ = ['operator.read'];
const hearing = (more: { scopes?: readonly string[]; followsAll?: boolean; keys?: readonly string[] } = {}) => ({
  scopes: more.scopes ?? READ,
  followsAll: more.followsAll ?? false,
  followedKeys: new Set(more.keys ?? []),
});

/** Texts of the frames in some bytes; frames are short here. */
function textsOf(parts: readonly Buffer[] | undefined): string[] {
  const bytes = Buffer.concat(parts ?? []);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const [head, length] = short === 126 ? [4, bytes.readUInt16BE(at + 2)] : [2, short];
    texts.push(bytes.toString('utf8', at + head, at + head + length));
    at += head + length;
  }
  return texts;
}

function member(channel: Channel): Outbox & { flush(): void } {
  const outbox = Object.assign(new Outbox(), { flush: () => undefined });
  outbox.follow(channel);
  channel.members.add(outbox);
  return outbox;
}

const open = (): Channel => new Channel(hearing({ followsAll: true }), () => undefined);
const numbered = (name: string) => numberedFrame(name, '{}');
const numberedText = (name: string, seq: number): string => `{"type":"event","event":"${name}","payload":{},"seq":${seq}}`;

describe('the channel of a hearing', () => {
  it('is one for all who hear the same, whatever the order of their words', () => {
    const channels = new Channels(() => undefined);
    const first = channels.of(hearing({ scopes: ['operator.read', 'agent:a'], keys: ['x', 'y'] }), 'c1');
    expect(channels.of(hearing({ scopes: ['agent:a', 'operator.read'], keys: ['y', 'x'] }), 'c2')).toBe(first);
    for (const other of [hearing({ keys: ['x', 'y'] }), hearing({ scopes: ['operator.read', 'agent:a'], keys: ['x'] }), hearing({ scopes: ['operator.read', 'agent:a'], keys: ['x', 'y'], followsAll: true })]) {
      expect(channels.of(other, 'c3')).not.toBe(first);
    }
    expect([...channels]).toHaveLength(4);
    channels.release(first);
    expect([...channels]).not.toContain(first);
  });

  it('keeps to the keys that it was made for, and looks anew at those of one that follows many', () => {
    const channels = new Channels(() => undefined);
    const few = hearing({ keys: ['x'] });
    const shared = channels.of(few, 'c1');
    few.followedKeys.add('y');
    expect([shared.follows('x'), shared.follows('y')]).toEqual([true, false]);
    const many = hearing({ keys: Array.from({ length: SHARED_KEYS_MAX + 1 }, (_, place) => `k${place}`) });
    const own = channels.of(many, 'c1');
    expect(channels.of({ ...many, followedKeys: new Set(many.followedKeys) }, 'c2')).not.toBe(own);
    many.followedKeys.add('y');
    expect(own.follows('y')).toBe(true);
    expect(channels.of(many, 'c1')).toBe(own);
  });

  it('hears of what its scopes let it', () => {
    const channels = new Channels(() => undefined);
    const narrow = channels.of(hearing({ scopes: ['operator.read', 'agent:a'], followsAll: true }), 'c1');
    expect([narrow.seesAgent('a'), narrow.seesAgent('b'), narrow.hearsBroadcasts('a'), narrow.hearsBroadcasts('b')]).toEqual([true, false, true, false]);
    expect(channels.of(hearing({ scopes: [] }), 'c2').hearsBroadcasts('a')).toBe(false);
  });
});

describe('what waits', () => {
  it('is the same bytes for all at the same place, and begins where each came in', () => {
    const channel = open();
    const [first, second] = [member(channel), member(channel)];
    channel.push(textFrame('one'));
    channel.push(textFrame('two'));
    const late = member(channel);
    channel.push(textFrame('three'));
    const [ofFirst, ofSecond] = [first.take(), second.take()];
    expect(textsOf(ofFirst)).toEqual(['one', 'two', 'three']);
    expect(ofSecond?.[0]).toBe(ofFirst?.[0]);
    expect(textsOf(late.take())).toEqual(['three']);
    expect([first.take(), late.take(), first.bytes, late.bytes]).toEqual([undefined, undefined, 0, 0]);
  });

  it('is numbered for each by itself, in one order with its own frames', () => {
    const channel = open();
    const [one, other] = [member(channel), member(channel)];
    one.pushNumbered(numbered('health'), false);
    channel.push(numbered('agent'));
    channel.push(textFrame('plain'));
    one.push(textFrame('answer'));
    channel.push(numbered('chat'));
    const heard: string[] = [];
    for (let parts = one.take(); parts !== undefined; parts = one.take()) heard.push(...textsOf(parts));
    expect(heard).toEqual([numberedText('health', 1), numberedText('agent', 2), 'plain', 'answer', numberedText('chat', 3)]);
    expect(textsOf(other.take())).toEqual([numberedText('agent', 1), 'plain', numberedText('chat', 2)]);
  });

  it('loses its steps for who is behind, and their numbers with them', () => {
    const channel = open();
    const [behind, other] = [member(channel), member(channel)];
    for (const [name, isStep] of [['start', false], ['step', true], ['end', false]] as const) channel.push(numbered(name), isStep);
    behind.leaveOutSteps();
    expect(textsOf(behind.take())).toEqual([numberedText('start', 1), numberedText('end', 3)]);
    expect(textsOf(other.take())).toEqual([numberedText('start', 1), numberedText('step', 2), numberedText('end', 3)]);
  });

  it('leaves in pieces, and is let go of when everybody was sent it', () => {
    const channel = open();
    const [one, other] = [member(channel), member(channel)];
    const frame = textFrame('x'.repeat(50_000));
    const count = 200;
    for (let place = 0; place < count; place += 1) channel.push(frame);
    expect(one.bytes).toBe(count * frame.length);
    let heard = 0;
    for (let parts = one.take(); parts !== undefined; parts = one.take()) {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      expect(bytes).toBeLessThanOrEqual(PIECE_BYTES_MAX);
      heard += bytes / frame.length;
    }
    expect(heard).toBe(count);
    channel.rested();
    // The other has still to be sent all of it.
    expect(other.bytes).toBe(count * frame.length);
    other.clear();
    channel.rested();
    expect([one.bytes, other.bytes]).toEqual([0, 0]);
    channel.push(textFrame('after'));
    expect([textsOf(one.take()), textsOf(other.take())]).toEqual([['after'], ['after']]);
  });

  it('is kept when the channel is changed', () => {
    const [before, after] = [open(), open()];
    const outbox = member(before);
    before.push(textFrame('one'));
    after.push(textFrame('not heard'));
    outbox.follow(after);
    before.push(textFrame('not heard either'));
    after.push(textFrame('two'));
    expect([...textsOf(outbox.take()), ...textsOf(outbox.take())]).toEqual(['one', 'two']);
  });
});
