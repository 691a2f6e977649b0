/** The door of the domain: pure decisions, no I/O, no clock, no randomness. */
export { GRPC_STATUS, REASONS, SessionError, isReason } from './errors';
export type { ErrorFacts, GatewayErrorCode, Reason, RetryRule, SessionErrorOptions, StatusName } from './errors';
export { DEFAULT_AGENT_ID, asAgentId, asSessionId, isAgentId, isSessionId, isUuid } from './ids';
export type { AgentId, Epoch, Seq, SessionId, SessionKey } from './ids';
export { isJsonObject } from './json';
export type { JsonObject, JsonValue } from './json';

// Keys
export { KEY_LENGTH_MAX, assertCreatableKey, cronRunKey, formatSessionKey, holdsSuffixMarker, isReservedChannel, lookupCandidates, mainSessionKey, normaliseSessionKey, parentKey, parseSessionKey, toRequestKey, withSuffix } from './keys/session-key';
export type { KeyAddress, KeyForm, KeyRequest, KeySuffix, ParsedKey, RequestKey } from './keys/session-key';
export { TOOL_KINDS, asChatType, chatTypeOf, cliRowKind, gatewayRowKind, isCronRunKey, keyRest, toolChannel, toolRowKind } from './keys/key-kind';
export type { ChatType, CliRowKind, GatewayRowKind, KindFacts, ToolRowKind } from './keys/key-kind';
export { DEFAULT_ACCOUNT_ID, slugAccountId, slugAgentId } from './keys/slug-id';
