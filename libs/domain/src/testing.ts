/** The second door of the domain, for tests: builders and generators. */
export { anyCharacters } from './testing/text-arbitraries';
export { agentIds, carelessIds, channels, conversationIds, keyParts } from './testing/key-arbitraries';
export { conversationEnvelopes, directEnvelopes, dmScopes, envelopes, rawConfigs, syntheticEnvelopes } from './testing/inbound-arbitraries';
export { chatMessages, nativeTranscripts, oddLines, simpleTranscripts } from './testing/transcript-arbitraries';
export type { KnownTranscript } from './testing/transcript-arbitraries';
export { entryTexts, memberNames, nativeEntries, oddEntries, simpleEntries } from './testing/entry-arbitraries';
export { assistant, branchOf, brokenConversations, nativeLines, parseLines, toolCall, toolConversations, toolResult, userText } from './testing/tool-arbitraries';
export { FACTS_NOW_MS, factsOf, storeFacts } from './testing/maintenance-arbitraries';
