/** What a tool of the sessions works with, and what it answers. */
import type { ReplyRoute, SessionRow } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { AgentId, JsonObject, Parsed } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { Sight } from '../auth/sight';
import type { HandlerDeps } from '../deps';

/** The session on whose behalf a tool runs. */
export interface ToolCaller {
  readonly agentId: AgentId;
  /** Canonical. */
  readonly key: string;
  /** Undefined: the session has no row (yet). */
  readonly row: SessionRow | undefined;
  readonly sight: Sight;
}

export interface ToolCall {
  readonly deps: HandlerDeps;
  readonly caller: ToolCaller;
  readonly context: CallContext;
  readonly runId: string | undefined;
  /** Where the calling run answers. */
  readonly replyRoute: ReplyRoute | undefined;
  /** Distance of the calling run from a person's message. */
  readonly hops: number;
  readonly traceId: string | undefined;
  /** Where the chain began; undefined: with this run, or not known. */
  readonly traceAgentId: string | undefined;
  readonly costUsd: number | undefined;
}

export interface ToolAnswer {
  readonly details: JsonObject;
  /** For people and models that read text; absent: the details as JSON. */
  readonly text?: string;
  readonly endsTurn?: boolean;
}

/** Arguments that are not what the tool takes; told to the model like any other outcome. */
export class InvalidArguments extends Error {
  override readonly name = 'InvalidArguments';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '));
  }
}

/** @throws InvalidArguments */
export function argumentsOf<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new InvalidArguments(parsed.problems);
}

export const failed = (error: string, more: JsonObject = {}): ToolAnswer => ({ details: { status: 'error', error, ...more } });
export const forbidden = (error: string, more: JsonObject = {}): ToolAnswer => ({ details: { status: 'forbidden', error, ...more } });

/** A refusal as a model hears it: nothing of it may be thrown into the model's loop. */
export function refusedAnswer(error: SessionError): ToolAnswer {
  if (error.faces.status === 'PERMISSION_DENIED') return forbidden(error.message);
  return failed(error.reason === 'INTERNAL' ? 'tool execution failed' : error.message);
}
