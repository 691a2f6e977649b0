import fc from 'fast-check';
import { parseConfig, type SessionConfig } from '../config/parse-config';
import { parseEnvelope } from '../inbound/envelope';
import { isCronRunKey } from '../keys/key-kind';
import { formatSessionKey, normaliseSessionKey, parentKey, parseSessionKey } from '../keys/session-key';
import { slugAccountId } from '../keys/slug-id';
import { conversationEnvelopes, directEnvelopes, dmScopes, envelopes, rawConfigs } from '../testing/inbound-arbitraries';
import { originPatch } from './origin-metadata';
import { resolveRoute } from './resolve-session-key';

function config(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error('the configuration is refused');
  return result.config;
}

const keyOf = (raw: unknown, settings: SessionConfig): string => resolveRoute(parseEnvelope(raw), settings).sessionKey;
const folded = (text: string): string => text.trim().toLowerCase();
const isOpaque = (channel: string, chatType: string): boolean => channel === 'matrix' || (channel === 'signal' && chatType === 'group');

describe('routing', () => {
  it('gives one key to direct messages exactly when the scope says they belong together', () => {
    fc.assert(
      fc.property(directEnvelopes, directEnvelopes, dmScopes, fc.boolean(), (left, drawn, dmScope, samePeer) => {
        const right = samePeer ? { ...drawn, sender: left.sender } : drawn;
        const identity = (message: typeof left): string[] => {
          const parts = [slugAccountId(message.accountId ?? ''), message.channel, folded(message.sender.id)];
          return { main: [], 'per-peer': parts.slice(2), 'per-channel-peer': parts.slice(1), 'per-account-channel-peer': parts }[dmScope] ?? parts;
        };
        const settings = config({ session: { dmScope } });
        const together = JSON.stringify(identity(left)) === JSON.stringify(identity(right));
        expect(keyOf(left, settings) === keyOf(right, settings)).toBe(together);
      }),
      { numRuns: 500 },
    );
  });

  it('gives one key to messages of one thread of one conversation, and of no other', () => {
    fc.assert(
      fc.property(conversationEnvelopes, conversationEnvelopes, fc.boolean(), (left, drawn, sameConversation) => {
        const right = sameConversation ? { ...drawn, channel: left.channel, chatType: left.chatType, conversation: left.conversation } : drawn;
        const identity = (message: typeof left): string =>
          JSON.stringify([message.channel, message.chatType, isOpaque(message.channel, message.chatType) ? message.conversation.id : folded(message.conversation.id), message.threadId ?? null]);
        const settings = config({});
        expect(keyOf(left, settings) === keyOf(right, settings)).toBe(identity(left) === identity(right));
      }),
      { numRuns: 500 },
    );
  });

  it('never puts a direct message into the session of a group', () => {
    fc.assert(
      fc.property(directEnvelopes, conversationEnvelopes, dmScopes, (direct, conversation, dmScope) => {
        const settings = config({ session: { dmScope } });
        expect(keyOf(direct, settings)).not.toBe(keyOf(conversation, settings));
      }),
    );
  });

  it('writes keys in normal form, which parse into what was routed', () => {
    fc.assert(
      fc.property(envelopes, rawConfigs, (raw, settings) => {
        const route = resolveRoute(parseEnvelope(raw), config(settings));
        expect(normaliseSessionKey(route.sessionKey)).toBe(route.sessionKey);
        expect(formatSessionKey(parseSessionKey(route.sessionKey))).toBe(route.sessionKey);
        expect(parseSessionKey(route.sessionKey).agentId ?? route.agentId).toBe(route.agentId);
        expect(isCronRunKey(route.sessionKey)).toBe(false);
      }),
    );
  });

  it('is a function of message and configuration alone', () => {
    fc.assert(
      fc.property(envelopes, rawConfigs, (raw, settings) => {
        const twice = [0, 1].map(() => {
          const envelope = parseEnvelope(structuredClone(raw));
          const route = resolveRoute(envelope, config(structuredClone(settings)));
          return { route, patch: originPatch(envelope, route) };
        });
        expect(twice[0]).toEqual(twice[1]);
      }),
    );
  });

  it('puts a thread beside its conversation: without it, the key is the parent', () => {
    fc.assert(
      fc.property(conversationEnvelopes, (message) => {
        const settings = config({});
        const inThread = keyOf({ ...message, threadId: '7' }, settings);
        const { threadId: _, ...outside } = message;
        expect(parentKey(inThread)).toBe(keyOf(outside, settings));
      }),
    );
  });
});
