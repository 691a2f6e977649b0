import { peerTest, personOf } from './erase-subject';

const ANN = personOf('telegram:700700700', []);

describe('peerTest', () => {
  it.each(['700700700', 'telegram:700700700', 'Telegram:700700700', 'telegram:work:direct:700700700', 'user:700700700', 'Ann (@ann) id:700700700'])('knows the person as %s', (text) => {
    expect(peerTest(ANN)(text)).toBe(true);
    expect(peerTest(personOf('700700700', []))(text)).toBe(true);
  });

  it.each(['discord:700700700', 'discord:user:700700700', 'whatsapp:work:700700700'])('takes the same id on another channel for somebody else: %s', (text) => {
    expect(peerTest(ANN)(text)).toBe(false);
    expect(peerTest(personOf('700700700', []))(text)).toBe(true);
  });

  it.each(['telegram:group:700700700', 'telegram:-1001:topic:700700700', 'channel:700700700', 'slack:thread:700700700'])('takes no place for a person: %s', (text) => {
    for (const person of [ANN, personOf('700700700', [])]) expect(peerTest(person)(text)).toBe(false);
  });

  it('takes an id for no end of a longer one', () => {
    expect(peerTest(personOf('42', []))('12:30:42')).toBe(false);
    expect(peerTest(personOf('42', []))('see you at 12:42')).toBe(false);
    expect(peerTest(personOf('example.org', []))('matrix:@ann:example.org')).toBe(false);
    expect(peerTest(personOf('@ann:example.org', []))('matrix:@ann:example.org')).toBe(true);
    expect(peerTest(personOf('matrix:@ann:example.org', []))('@ann:example.org')).toBe(true);
  });

  it('goes by the channel that stands around a bare id', () => {
    expect(peerTest(ANN)('700700700', { channel: 'discord' })).toBe(false);
    expect(peerTest(ANN)('N id:700700700', { channel: 'discord' })).toBe(false);
    expect(peerTest(ANN)('telegram:700700700', { channel: 'discord' })).toBe(true);
    expect(peerTest(ANN)('700700700', { channel: 'Telegram' })).toBe(true);
    expect(peerTest(personOf('700700700', []))('700700700', { channel: 'discord' })).toBe(true);
  });

  it('takes what programs are called by for no channel', () => {
    for (const text of ['cron:42', 'subagent:42', 'hook:mail:42', 'node-1:42']) expect(peerTest(personOf('42', []))(text)).toBe(false);
  });
});
