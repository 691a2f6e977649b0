/** Generators of inbound messages and of configurations, raw as they arrive from outside. */
import fc from 'fast-check';
import { agentIds, carelessIds, channels, conversationIds } from './key-arbitraries';

export const dmScopes = fc.constantFrom('main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer');

const around = {
  messageId: fc.uuid(),
  text: fc.string({ minLength: 1, maxLength: 40 }),
  accountId: fc.option(fc.constantFrom('default', 'Work Bot', 'second'), { nil: undefined }),
};

/** Direct messages with a sender. */
export const directEnvelopes = fc
  .record({ channel: channels, senderId: carelessIds, ...around })
  .map(({ channel, senderId, messageId, text, accountId }) => defined({ channel, messageId, text, accountId, chatType: 'direct' as const, sender: { id: senderId } }));

/** Messages in groups and rooms, some of them in a thread. */
export const conversationEnvelopes = fc
  .record({ channel: channels, chatType: fc.constantFrom('group' as const, 'channel' as const), id: conversationIds, threadId: fc.option(fc.nat().map(String), { nil: undefined }), senderId: carelessIds, ...around })
  .map(({ id, senderId, ...rest }) => defined({ ...rest, conversation: { id }, sender: { id: senderId } }));

/** Messages of cron, hooks, nodes and web chat. */
export const syntheticEnvelopes = fc.oneof(
  fc.record({ jobId: conversationIds, runId: fc.uuid(), target: fc.constantFrom('isolated', 'main', 'session:lab'), text: around.text }).map(({ text, ...cron }) => ({ origin: { kind: 'cron' }, cron, text })),
  fc.record({ hookId: fc.uuid(), text: around.text }).map(({ hookId, text }) => ({ origin: { kind: 'hook' }, hook: { hookId }, text })),
  fc.record({ nodeId: conversationIds, text: around.text }).map(({ nodeId, text }) => ({ origin: { kind: 'node' }, node: { nodeId }, text })),
  fc.record({ text: around.text }).map(({ text }) => ({ origin: { kind: 'webchat' }, text })),
);

/** Any well-formed envelope, raw. */
export const envelopes = fc.oneof(directEnvelopes, conversationEnvelopes, syntheticEnvelopes);

/** Valid configuration files that touch routing, resets and maintenance. */
export const rawConfigs = fc
  .record({
    scope: fc.constantFrom('per-sender', 'global'),
    dmScope: dmScopes,
    agents: fc.uniqueArray(agentIds, { maxLength: 3 }),
    mode: fc.constantFrom('warn', 'enforce'),
    pruneAfter: fc.constantFrom('0', '30d', '12h', 7),
    maxEntries: fc.nat(2_000),
    idleMinutes: fc.nat(5_000),
    atHour: fc.integer({ min: 0, max: 23 }),
  })
  .map(({ scope, dmScope, agents, mode, pruneAfter, maxEntries, idleMinutes, atHour }) => ({
    session: { scope, dmScope, maintenance: { mode, pruneAfter, maxEntries }, reset: { mode: 'daily', atHour, idleMinutes } },
    agents: { list: agents.map((id) => ({ id })) },
  }));

function defined<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}
