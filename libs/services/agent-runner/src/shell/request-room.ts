/**
 * Room for a request that did not fit: the conversation is summarised, and where that is not possible the
 * oldest turns are left out of the next request. Each once; within a turn a summary more often.
 * Bounds: MID_TURN_COMPACTIONS_MAX.
 */
import { contextTokens, estimateLineTokens } from '@sessions/domain';
import type { ReadBranch } from '../read-branch';
import { MID_TURN_REASON } from '../runtime/chat-loop';
import { compactInline } from './compact-inline';
import type { BegunTurn, TurnDeps } from './turn-deps';
import type { TurnStop } from './turn-stop';

/** Of a conversation that does not fit and could not be summarised, this share is shown. */
const LEFT_SHARE = 0.5;
/** Summaries between the requests of one run; after them its requests are held down. */
const MID_TURN_COMPACTIONS_MAX = 8;

export class RequestRoom {
  readonly #deps: TurnDeps;
  readonly #turn: BegunTurn;
  readonly #stop: TurnStop;
  #wasCompacted = false;
  #midTurnCount = 0;
  #contextTokens: number | undefined;

  constructor(deps: TurnDeps, turn: BegunTurn, stop: TurnStop) {
    this.#deps = deps;
    this.#turn = turn;
    this.#stop = stop;
  }

  /** Holds requests down to this; undefined: as the model has it. */
  get contextTokens(): number | undefined {
    return this.#contextTokens;
  }

  /** @returns false: nothing is left to be tried */
  async make(branch: ReadBranch): Promise<boolean> {
    const { job, begun } = this.#turn;
    if (!this.#wasCompacted) {
      this.#wasCompacted = true;
      if (await compactInline(this.#deps, job.agentId, begun.sessionKey, this.#stop.signal)) return true;
      if (!this.#stop.goesOn) return true;
    }
    if (this.#contextTokens !== undefined) return false;
    this.#leaveOut(branch, 'overflow');
    return true;
  }

  /** The next request would not fit beside what tools have answered. As above, and a summary as often as it helps, within bounds. */
  async makeMidTurn(readBranch: () => Promise<ReadBranch>): Promise<void> {
    const { job, begun } = this.#turn;
    this.#midTurnCount += 1;
    if (this.#midTurnCount <= MID_TURN_COMPACTIONS_MAX && (await compactInline(this.#deps, job.agentId, begun.sessionKey, this.#stop.signal))) return;
    if (this.#stop.goesOn) this.#leaveOut(await readBranch(), MID_TURN_REASON);
  }

  #leaveOut(branch: ReadBranch, reason: string): void {
    const tokens = contextTokens(branch.lines.map(({ line }) => line), estimateLineTokens);
    this.#contextTokens = Math.max(1, Math.floor(tokens * LEFT_SHARE));
    this.#deps.logger.warn('the oldest turns of a conversation are left out of its request', { agentId: this.#turn.job.agentId, reason });
  }
}
