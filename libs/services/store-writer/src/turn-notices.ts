/**
 * Notices of turns that somebody may begin, put on the queue when they become due: at once, or after the
 * quiet that their message waits for; again when an attempt was lost, and every half minute while nobody
 * has begun them. The entry is the truth: what is forgotten here is told again by the next owner.
 */
import { TurnJob } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import { turnLane } from '@sessions/domain';
import type { Clock, Logger, Timer } from '@sessions/host';
import { activeRun, type OpenRun } from './decisions/open-run';
import { dueAtMs } from './decisions/quiet-time';

/** How often a turn that nobody has begun is told again. */
export const TELL_TURN_AGAIN_MS = 30_000;

export interface TurnNoticesDeps {
  readonly bus: Pick<Bus, 'jobs'>;
  readonly subjects: Subjects;
  readonly agentId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds, default TELL_TURN_AGAIN_MS. */
  readonly tellAgainMs?: number;
}

export class TurnNotices {
  readonly #deps: TurnNoticesDeps;
  /** When a run's attempt was last told, on the monotonic clock. */
  readonly #told = new Map<string, { readonly attempt: number; readonly atMs: number; readonly times: number }>();
  /** Of keys whose next turn waits for quiet. */
  readonly #quiet = new Map<string, Timer>();
  #closed = false;

  constructor(deps: TurnNoticesDeps) {
    this.#deps = deps;
  }

  /**
   * Tells the active run of a key, if it waits for somebody who begins it.
   * @param runsNow the runs of the key whenever they are asked for, as they may be others after the quiet.
   */
  tellDue(key: string, runsNow: () => readonly OpenRun[]): void {
    this.#quiet.get(key)?.cancel();
    this.#quiet.delete(key);
    const { clock } = this.#deps;
    const runs = runsNow();
    const active = activeRun(runs);
    if (active === undefined || this.#closed || (active.state === 'running' && active.runnerId !== undefined)) return;
    if (this.#told.get(active.runId)?.attempt !== active.attempt) {
      const nowMs = clock.nowMs();
      const waitMs = dueAtMs(runs, nowMs) - nowMs;
      if (waitMs > 0) {
        this.#quiet.set(key, clock.setTimer(waitMs, () => this.tellDue(key, runsNow), { keepsAlive: false }));
        return;
      }
    }
    this.#tell(key, active);
  }

  forget(runId: string): void {
    this.#told.delete(runId);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#quiet.values()) timer.cancel();
    this.#quiet.clear();
  }

  #tell(key: string, { runId, attempt }: OpenRun): void {
    const { bus, subjects, agentId, logger, clock, tellAgainMs = TELL_TURN_AGAIN_MS } = this.#deps;
    const told = this.#told.get(runId);
    const atMs = clock.monotonicMs();
    if (told?.attempt === attempt && atMs - told.atMs < tellAgainMs) return;
    const times = told?.attempt === attempt ? told.times + 1 : 0;
    this.#told.set(runId, { attempt, atMs, times });
    // The queue takes no second message of an id for some time: a repeat has one of its own.
    const again = times === 0 ? '' : `:${String(clock.nowMs())}`;
    bus.jobs
      .publish(subjects.job(turnLane(key), agentId), TurnJob, TurnJob.create({ agentId, runId, attempt, sessionKey: key }), `turn:${agentId}:${runId}:${String(attempt)}${again}`)
      .catch((err: unknown) => logger.warn('a turn could not be put on the queue; it is tried again', { agentId, err }));
  }
}
