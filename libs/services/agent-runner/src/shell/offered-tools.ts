/** The tools that a run may use: what there is, less what configuration and the run itself deny. */
import type { JsonObject, SessionConfig } from '@sessions/domain';

export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ToolFacts {
  readonly config: SessionConfig;
  readonly sessionKey: string;
  readonly entry: JsonObject;
  readonly deniedTools: readonly string[];
}

/** Which tools a run is offered. */
export type OfferTools = (facts: ToolFacts) => readonly OfferedTool[];

export function offeredTools(_facts: ToolFacts): readonly OfferedTool[] {
  return [];
}
