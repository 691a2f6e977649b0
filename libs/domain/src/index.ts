/** The door of the domain: pure decisions, no I/O, no clock, no randomness. */
export { GRPC_STATUS, REASONS, SessionError, isReason } from './errors';
export type { ErrorFacts, GatewayErrorCode, Reason, RetryRule, SessionErrorOptions, StatusName } from './errors';
export { DEFAULT_AGENT_ID, asAgentId, asSessionId, isAgentId, isSessionId, isUuid } from './ids';
export type { AgentId, Epoch, Seq, SessionId, SessionKey } from './ids';
export { isJsonObject } from './json';
export type { JsonObject, JsonValue } from './json';
