/** What a fork makes of an entry (lifecycle §9): a child with a transcript of its own. */
import type { JsonObject, JsonValue } from '../json';
import { pick } from './reset-entry';
import { createEntryFields } from './touch';

/** How the parent thinks and speaks, which the child goes on with. */
const STYLE = ['thinkingLevel', 'fastMode', 'verboseLevel', 'reasoningLevel', 'responseUsage'];
const MODEL = ['providerOverride', 'modelOverride', 'modelOverrideSource', 'authProfileOverride', 'authProfileOverrideSource'];

export interface ForkRequest {
  readonly parentKey: string;
  readonly sessionId: string;
  readonly sessionFile: string;
  readonly nowMs: number;
  /** Members that the caller gives; they come before inherited ones. */
  readonly given?: Readonly<Record<string, JsonValue | undefined>>;
}

/**
 * The child's members. Style, model and `sendPolicy: "deny"` are inherited; label, routing, elevation,
 * exec settings, queue settings, counters and bindings belong to the parent alone, and permission to
 * send is asked for again under the child's own key.
 */
export function forkEntry(parent: JsonObject, request: ForkRequest): Record<string, JsonValue> {
  const denied = parent['sendPolicy'] === 'deny' ? { sendPolicy: 'deny' } : {};
  const inherited = { parentSessionKey: request.parentKey, ...pick(parent, [...STYLE, ...MODEL]), ...denied };
  return { ...createEntryFields(request, { ...inherited, ...request.given }), sessionStartedAt: request.nowMs, lastInteractionAt: request.nowMs, systemSent: false, abortedLastRun: false };
}
