import fc from 'fast-check';
import type { AgentId } from '../ids';
import { keyParts } from '../testing/key-arbitraries';
import { formatSessionKey, lookupCandidates, normaliseSessionKey, parentKey, parseSessionKey, toRequestKey, withSuffix } from './session-key';

const clean = (parts: object): unknown => JSON.parse(JSON.stringify(parts));

describe('session keys', () => {
  it('give back the parts they were formatted from', () => {
    fc.assert(fc.property(keyParts, (parts) => expect(clean(parseSessionKey(formatSessionKey(parts)))).toEqual(clean(parts))));
  });

  it('give back any text that they were parsed from, but for blanks around it and the case of words', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string().map((rest) => `agent:main:${rest}`)), (text) => {
        expect(formatSessionKey(parseSessionKey(text)).toLowerCase()).toBe(text.trim().toLowerCase());
      }),
    );
  });

  it('are in normal form once normalised', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), keyParts.map(formatSessionKey)), (text) => {
        const normal = normaliseSessionKey(text);
        expect(normaliseSessionKey(normal)).toBe(normal);
      }),
    );
  });

  it('of direct chats are found under either word', () => {
    fc.assert(
      fc.property(keyParts, (parts) => {
        if (parts.form !== 'direct') return;
        const spelled = (word: 'dm' | 'direct'): string => formatSessionKey({ ...parts, word });
        expect(lookupCandidates(spelled('dm'))).toContain(spelled('direct'));
        expect(lookupCandidates(spelled('direct'))).toContain(spelled('dm'));
      }),
    );
  });

  it('lose their thread again when the parent is asked for', () => {
    fc.assert(
      fc.property(keyParts, fc.constantFrom('thread' as const, 'topic' as const), fc.integer({ min: 1 }), (parts, kind, id) => {
        const key = formatSessionKey(parts);
        expect(parentKey(withSuffix(key, { kind, id: String(id) }))).toBe(key);
      }),
    );
  });

  it('address themselves when used in a request', () => {
    fc.assert(
      fc.property(keyParts, (parts) => {
        const key = normaliseSessionKey(formatSessionKey(parts));
        expect(toRequestKey({ key, defaultAgentId: 'elsewhere' as AgentId })).toEqual({ key, agentId: parts.agentId });
      }),
    );
  });
});
