/**
 * The claim on a run: taken by BeginTurn, kept by repeating it, lost when another attempt holds the
 * run or nobody could be asked for too long. What the owner has for the run (that it shall stop,
 * messages that were steered into it) comes with each repetition.
 */
import { randomUUID } from 'node:crypto';
import { BeginTurnRequest, type BeginTurnResponse, type TurnJob } from '@sessions/contracts';
import type { Bus } from '@sessions/bus';
import { isSuperseded, type AskOwner } from '../owner-calls';

export const HEARTBEAT_MS = 10_000;
/** A claim lasts 60 s at its owner; who could not renew it stops before. Milliseconds. */
export const CLAIM_TRUST_MS = 50_000;
/** An owner that cannot be reached when a turn is to begin has the notice given back; one that is lost later is waited for. Milliseconds. */
const TAKE_MS = 5_000;
const RENEW_MS = 25_000;

export interface ClaimDeps {
  readonly bus: Bus;
  readonly owner: AskOwner;
  /** `<name>/<instance>`. */
  readonly runnerId: string;
  readonly heartbeatMs?: number;
}

export interface ClaimListener {
  /** The claim is lost: nothing may be written any more. */
  readonly onLost: () => void;
  readonly onNews: (news: BeginTurnResponse) => void | Promise<void>;
}

export class Claim {
  readonly #deps: ClaimDeps;
  readonly #job: TurnJob;
  readonly #nonce = randomUUID();
  #calls = 0;
  #keptAtMs = 0;
  #listener: ClaimListener | undefined;
  #cancelTimer = (): void => undefined;
  #asking: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(deps: ClaimDeps, job: TurnJob) {
    this.#deps = deps;
    this.#job = job;
  }

  /** A key for one more mutation of this attempt. */
  nextKey(): string {
    return `turn:${this.#nonce}:${String((this.#calls += 1))}`;
  }

  /** @throws as BeginTurn: RUN_NOT_FOUND, STALE_PLAN, RUN_STILL_ACTIVE, or what the owner cannot be reached with */
  async take(): Promise<BeginTurnResponse> {
    const begun = await this.#begin(TAKE_MS);
    this.noteKept();
    return begun;
  }

  keep(listener: ClaimListener): void {
    this.#listener = listener;
    this.#schedule();
  }

  /** A mutation of the run went well: that renews it too. */
  noteKept(): void {
    this.#keptAtMs = this.#deps.bus.clock.nowMs();
  }

  /** Asks the owner now, after what is asked already. @param takeSteered with the messages that wait to be steered in */
  look(takeSteered = false): Promise<void> {
    this.#asking = this.#asking.then(() => this.#renew(takeSteered));
    return this.#asking;
  }

  /** Resolves when nothing is asked any more. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancelTimer();
    await this.#asking;
  }

  #begin(deadlineMs: number, takeSteered = false): Promise<BeginTurnResponse> {
    const { agentId, runId, attempt } = this.#job;
    const idempotencyKey = this.nextKey();
    const { owner, runnerId } = this.#deps;
    return owner(agentId, (store) => store.beginTurn(BeginTurnRequest.create({ agentId, runId, runnerId, attempt, takeSteered }), { idempotencyKey }), { deadlineMs });
  }

  async #renew(takeSteered: boolean): Promise<void> {
    if (this.#isOver) return;
    try {
      const news = await this.#begin(RENEW_MS, takeSteered);
      this.noteKept();
      if (!this.#isOver) await this.#listener?.onNews(news);
    } catch (error) {
      const isLost = isSuperseded(error) || this.#deps.bus.clock.nowMs() - this.#keptAtMs > CLAIM_TRUST_MS;
      if (isLost && !this.#isOver) {
        this.#isOver = true;
        this.#listener?.onLost();
      }
    }
  }

  #schedule(): void {
    if (this.#isOver) return;
    this.#cancelTimer = this.#deps.bus.clock.startTimer(this.#deps.heartbeatMs ?? HEARTBEAT_MS, () => void this.look().then(() => this.#schedule()));
  }
}
