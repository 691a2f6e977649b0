import { personOf, peerTest } from './erase-subject';
import { cleansingOf } from './names-in-entry';

const ANN = personOf('telegram:700700700', []);

describe('cleansingOf', () => {
  it('leaves the addresses of one who has the same id on another channel, answers that wait included', () => {
    const namesake = {
      origin: { label: 'N id:700700700', surface: 'discord', from: 'discord:700700700', to: '700700700' },
      route: { channel: 'discord', target: { to: '700700700' } },
      lastChannel: 'discord',
      lastTo: '700700700',
      openDeliveries: [{ channel: 'discord', message: { route: { channel: 'discord', to: '700700700' } } }],
    };
    expect(cleansingOf(namesake, peerTest(ANN))).toBeUndefined();
    const shared = { ...namesake, openDeliveries: [...namesake.openDeliveries, { channel: 'telegram', to: '700700700' }] };
    expect(cleansingOf(shared, peerTest(ANN))).toEqual({ clear: [], set: { openDeliveries: [namesake.openDeliveries[0], { channel: 'telegram' }] } });
  });

  const mine = {
    origin: { label: 'Ben id:800800800', surface: 'telegram', from: 'telegram:800800800', to: '800800800', accountId: 'default' },
    deliveryContext: { channel: 'telegram', to: '800800800', accountId: 'default', threadId: '42' },
    route: { channel: 'telegram', target: { to: '800800800' }, thread: { id: '42' } },
    lastChannel: 'telegram',
    lastTo: '800800800',
    lastAccountId: 'default',
    lastThreadId: '42',
    lastResetReason: 'daily',
    verboseLevel: 'on',
    openDeliveries: [{ deliveryId: 'd1', inReplyTo: { channel: 'telegram', messageId: '42', accountId: 'default' }, message: { text: 'ok', route: { channel: 'telegram', to: '800800800' } } }],
    inheritedToolAllow: ['read'],
    systemPromptReport: { source: 'run', tools: { entries: [{ name: 'agents_list' }] } },
    skillsSnapshot: { skills: [{ name: 'weather' }] },
  };
  it.each(['to', 'accountId', 'default', '42', 'daily', 'on', 'ok', 'read', 'run', 'tools', 'agents_list', 'weather', 'd1', 'id', 'channel'])('takes no member, account, topic, message or word for a person called %s', (id) => {
    for (const word of [id, `telegram:${id}`]) expect(cleansingOf(mine, peerTest(personOf(word, [])))).toBeUndefined();
  });

  it('finds the person where people stand, whatever they are called', () => {
    for (const id of ['to', 'default', '42', 'x']) {
      const entry = { ...mine, lastTo: id, origin: { ...mine.origin, from: `telegram:${id}` }, people: { '42': 'first' } };
      expect(cleansingOf(entry, peerTest(personOf(`telegram:${id}`, [])))).toMatchObject({ clear: ['lastTo'], set: { origin: { to: '800800800', accountId: 'default' } } });
    }
    expect(cleansingOf({ people: { '42': 'first', '43': 'second' } }, peerTest(personOf('42', [])))).toEqual({ clear: [], set: { people: { '43': 'second' } } });
  });

  it('takes the address of a group for none of a person with the same id, and finds theirs beside it', () => {
    const group = {
      chatType: 'group',
      groupId: '42',
      origin: { label: 'Team id:42', surface: 'telegram', chatType: 'group', from: 'telegram:group:42', to: '42' },
      lastChannel: 'telegram',
      lastTo: '42',
      openDeliveries: [{ channel: 'telegram', message: { route: { channel: 'telegram', to: '42' } } }],
    };
    const { groupId: _, ...older } = group;
    for (const word of ['42', 'telegram:42']) for (const entry of [group, older]) expect(cleansingOf(entry, peerTest(personOf(word, [])))).toBeUndefined();
    expect(cleansingOf({ ...group, groupId: '-100', lastTo: '42', origin: { to: '-100' } }, peerTest(personOf('42', [])))).toMatchObject({ clear: ['lastTo'] });
  });
});
