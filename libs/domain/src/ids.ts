/**
 * Identities as branded types: a session key cannot be passed where a session id is wanted.
 */
import { SessionError } from './errors';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** `[a-z0-9][a-z0-9_-]{0,63}`; names a store and is a literal subject token. */
export type AgentId = Branded<string, 'AgentId'>;
/** The address of a conversation, stable over resets: `agent:<agentId>:…`. */
export type SessionKey = Branded<string, 'SessionKey'>;
/** Identity of a transcript; a reset changes it. */
export type SessionId = Branded<string, 'SessionId'>;
/** Grows by one at each change of a store's owner. */
export type Epoch = Branded<number, 'Epoch'>;
/** Order number of a mutation in one store: contiguous, never reused. */
export type Seq = Branded<number, 'Seq'>;

const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SESSION_ID = /^[a-z0-9][a-z0-9._-]{0,127}$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The agent a configuration without agents has. */
export const DEFAULT_AGENT_ID = 'main' as AgentId;

/** True for ids that are literal agent ids; nothing is slugged. */
export function isAgentId(value: string): value is AgentId {
  return AGENT_ID.test(value);
}

/** @throws VALIDATION when `value` is no agent id. */
export function asAgentId(value: string): AgentId {
  if (!isAgentId(value)) {
    throw new SessionError('VALIDATION', `invalid agent id ${JSON.stringify(value)}: expected [a-z0-9][a-z0-9_-]{0,63}`);
  }
  return value;
}

/**
 * True for ids that are safe as a file name inside a sessions directory
 * (measured grammar of the original; `..` never).
 */
export function isSessionId(value: string): value is SessionId {
  return SESSION_ID.test(value) && !value.includes('..');
}

/** @throws VALIDATION when `value` cannot name a transcript. */
export function asSessionId(value: string): SessionId {
  if (!isSessionId(value)) {
    throw new SessionError('VALIDATION', `invalid session id ${JSON.stringify(value)}: expected [a-z0-9][a-z0-9._-]{0,127} without ".."`);
  }
  return value;
}

/** True for the textual form of a UUID of any version; such strings never become new keys. */
export function isUuid(value: string): boolean {
  return UUID.test(value);
}
