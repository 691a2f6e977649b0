/** The second door of the domain, for tests: builders and generators. */
export { agentIds, carelessIds, channels, conversationIds, keyParts } from './testing/key-arbitraries';
export { conversationEnvelopes, directEnvelopes, dmScopes, envelopes, rawConfigs, syntheticEnvelopes } from './testing/inbound-arbitraries';
