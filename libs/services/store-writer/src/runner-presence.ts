/**
 * Whether anybody works on a run: its runner answers at the run's own subject while it does. Nobody
 * there, looked at twice, means that the runner is gone, long before its claim ends. A runner that was
 * only cut off for that time finds its attempt superseded; nothing of it is lost or written twice.
 */
import { AgentRuntimeService, DescribeRequest } from '@sessions/contracts';
import { createClient, type Bus, type Client, type Subjects } from '@sessions/bus';
import { SessionError } from '@sessions/domain';

/** A runner that gave no sign of life for so long is looked for. Milliseconds. */
export const LOOK_FOR_RUNNER_MS = 2_000;
/** So often nobody may be there before the runner is taken for gone. */
const ABSENT_TIMES = 2;
const ANSWER_MS = 2_000;

export class RunnerPresence {
  readonly #bus: Bus;
  readonly #subjects: Subjects;
  readonly #caller: string;
  /** Times in a row that nobody was there, by run. */
  readonly #absent = new Map<string, number>();
  readonly #asking = new Set<string>();

  constructor(bus: Bus, subjects: Subjects, owner: string) {
    this.#bus = bus;
    this.#subjects = subjects;
    this.#caller = `service:${owner}`;
  }

  /** @returns true when nobody works on the run any more. Asks once at a time; undefined while it asks, or when it cannot tell */
  async isGone(runId: string): Promise<boolean | undefined> {
    if (this.#asking.has(runId)) return undefined;
    this.#asking.add(runId);
    try {
      const runner: Client<typeof AgentRuntimeService> = createClient(this.#bus, AgentRuntimeService, { caller: this.#caller, subject: (method) => this.#subjects.run(runId, method) });
      await runner.describe(DescribeRequest.create({}), { timeoutMs: ANSWER_MS });
      this.#absent.delete(runId);
      return false;
    } catch (error) {
      if (!(error instanceof SessionError) || error.reason !== 'NO_OWNER' || 'jetstreamAway' in error.facts) {
        this.#absent.delete(runId);
        return undefined;
      }
      const times = (this.#absent.get(runId) ?? 0) + 1;
      // Told once: whoever begins the next attempt is looked at twice again.
      if (times < ABSENT_TIMES) this.#absent.set(runId, times);
      else this.#absent.delete(runId);
      return times >= ABSENT_TIMES;
    } finally {
      this.#asking.delete(runId);
    }
  }

  forget(runId: string): void {
    this.#absent.delete(runId);
  }
}
