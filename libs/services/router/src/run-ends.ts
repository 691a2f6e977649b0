/**
 * Who waits for the end of a run, woken by what the bus tells of it. An event is a notice and may be
 * lost: a waiter looks at the run itself whenever it is woken, and now and then without a reason.
 */
import type { Event } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import type { Clock } from '@sessions/host';
import type { FanOut } from './fan-out';

export interface RunWatch {
  /**
   * Resolves when something was heard of the run's end since the last call, when `waitMs` are over,
   * or when `signal` aborts.
   */
  next(waitMs: number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface RunEnds {
  /** From this moment on nothing that is heard is missed. */
  watch(runId: string): RunWatch;
}

export function createRunEnds(fanOut: Pick<FanOut, 'add'>, clock: Clock): RunEnds {
  const waiting = new Map<string, Set<() => void>>();
  fanOut.add((event) => {
    const runId = endedRunOf(event);
    if (runId !== undefined) for (const wake of waiting.get(runId) ?? []) wake();
  });
  return {
    watch(runId) {
      let isHeard = false;
      let wake: () => void = () => undefined;
      const hear = (): void => {
        isHeard = true;
        wake();
      };
      const watchers = waiting.get(runId) ?? new Set();
      waiting.set(runId, watchers.add(hear));
      return {
        async next(waitMs, signal) {
          if (!isHeard && !signal.aborted && waitMs > 0) {
            const heard = new Promise<void>((resolve) => (wake = resolve));
            const timer = clock.setTimer(waitMs, wake, { keepsAlive: false });
            signal.addEventListener('abort', wake, { once: true });
            await heard;
            signal.removeEventListener('abort', wake);
            timer.cancel();
          }
          isHeard = false;
        },
        stop() {
          watchers.delete(hear);
          if (watchers.size === 0 && waiting.get(runId) === watchers) waiting.delete(runId);
        },
      };
    },
  };
}

/** The run whose end an event tells, by the owner or by its runner; undefined: none. */
export function endedRunOf({ body }: Event): string | undefined {
  if (body?.$case === 'changed') return body.value.phase === 'end' || body.value.phase === 'error' ? body.value.runId : undefined;
  if (body?.$case !== 'run' || body.value.stream !== 'lifecycle') return undefined;
  const phase = phaseOf(body.value.dataJson);
  return phase === 'end' || phase === 'error' ? body.value.runId : undefined;
}

function phaseOf(dataJson: Uint8Array): JsonValue | undefined {
  try {
    const data = JSON.parse(Buffer.from(dataJson).toString('utf8')) as JsonValue;
    return isJsonObject(data) ? data.phase : undefined;
  } catch {
    return undefined;
  }
}
