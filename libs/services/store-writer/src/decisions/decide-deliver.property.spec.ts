import fc from 'fast-check';
import { anyCharacters } from '@sessions/domain/testing';
import { parseEntry, type JsonObject } from '@sessions/domain';
import { MemoryStore } from '../testing/memory-store';
import { decideDeliver } from './decide-deliver';

const keys = fc.constantFrom('agent:main:main', 'agent:main:telegram:direct:1', 'agent:main:telegram:dm:1', 'agent:main:discord:channel:9', 'agent:main:cron:job');
const step = fc.record({ key: keys, text: fc.string({ maxLength: 40, unit: anyCharacters }), bookkeeping: fc.boolean(), elapsedMs: fc.nat(1000), isCron: fc.boolean() });

describe('any sequence of messages', () => {
  it('leaves each transcript a chain from its header, and each entry with what others put into it', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<JsonObject[string]>), (steps, foreign) => {
        const store = new MemoryStore();
        // As JSON has it: -0 is printed as 0.
        const unknown = JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(foreign).map(([name, value]) => [`x-${name}`, value])))) as JsonObject;
        store.put('agent:main:main', { sessionId: 'foreign', updatedAt: 1, ...unknown });
        const sent = new Map<string, string[]>();
        steps.forEach(({ key, text, bookkeeping, elapsedMs, isCron }, index) => {
          store.nowMs += elapsedMs;
          const beginsSession = isCron && key === 'agent:main:cron:job';
          const planned = decideDeliver(
            {
              agentId: 'main',
              key,
              role: 'user',
              content: text,
              bookkeeping,
              origin: {},
              requireExisting: false,
              mentioned: true,
              beginsSession,
              session: { sessionId: `s-${String(index)}`, cwd: '/w', storeFormat: 'native' },
              recordId: index.toString(16).padStart(8, '0'),
            },
            store.view,
          );
          const { sessionId, messageSeq } = store.apply(planned);
          const texts = sent.get(sessionId) ?? [];
          sent.set(sessionId, [...texts, text]);
          expect(messageSeq).toBe(texts.length + 1);
        });
        for (const [sessionId, texts] of sent) {
          const [header, ...lines] = store.lines(`${sessionId}.jsonl`);
          expect(header).toMatchObject({ type: 'session', id: sessionId });
          expect(lines.map((line) => line['parentId'])).toEqual([null, ...lines.slice(0, -1).map((line) => line['id'])]);
          expect(lines.map((line) => (line['message'] as { content: { text: string }[] }).content[0]?.text)).toEqual(texts);
        }
        expect(store.members('agent:main:main')).toMatchObject(unknown);
        for (const text of store.entries.values()) expect(parseEntry(JSON.parse(text)).listed).toBe(true);
        const liveIds = [...store.entries.keys()].map((key) => store.members(key)['sessionId']);
        expect(new Set(liveIds).size).toBe(liveIds.length);
      }),
    );
  });
});
