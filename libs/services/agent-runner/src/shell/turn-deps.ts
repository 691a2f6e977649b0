/** What every part of a turn works with. */
import type { BeginTurnResponse, TurnJob } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import type { SessionConfig } from '@sessions/domain';
import type { Logger } from '@sessions/host';
import type { AskOwner } from '../owner-calls';
import type { OfferTools } from './offered-tools';
import type { TurnEntry } from './turn-request';

export interface TurnDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly owner: AskOwner;
  readonly config: () => SessionConfig;
  readonly logger: Logger;
  /** `service:<name>/<instance>`, who calls; `<name>/<instance>`, who holds the run. */
  readonly caller: string;
  readonly runnerId: string;
  readonly heartbeatMs?: number;
  readonly firstPauseMs?: number;
  /** Whether what turns do is recorded, and how long the end of one waits for it, milliseconds. Default: it is, FLUSH_MS. */
  readonly trajectory?: { readonly enabled: boolean; readonly flushTimeoutMs: number };
  /** Default: the session tools that configuration allows. */
  readonly offerTools?: OfferTools;
}

/** One turn, as it was begun. */
export interface BegunTurn {
  readonly job: TurnJob;
  readonly begun: BeginTurnResponse;
  /** The session's entry when the turn began. */
  readonly entry: TurnEntry;
}

/** Where in the store the turn stands. */
export function placeOf({ job: { agentId, runId, attempt }, begun: { sessionId } }: BegunTurn): { readonly agentId: string; readonly sessionId: string; readonly runId: string; readonly attempt: number } {
  return { agentId, sessionId, runId, attempt };
}
