/**
 * The life of a process: start, wait for a signal, drain, end.
 *
 * The first SIGINT or SIGTERM drains. A terminal and a parent that forwards signals deliver the
 * same one twice within moments, so a repeat is taken for impatience only after a pause; it then
 * ends the process at once.
 */
import type { Clock } from './clock';
import type { Host } from './host';

/** A signal that follows the first sooner than this is the same signal, delivered twice. */
export const REPEATED_SIGNAL_MS = 1000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type Signal = (typeof SIGNALS)[number];

/** The part of `process` that this needs. */
export interface SignalSource {
  on(signal: Signal, listener: () => void): unknown;
  off(signal: Signal, listener: () => void): unknown;
}

export interface LifeDeps {
  readonly host: Host;
  readonly signals: SignalSource;
  readonly clock: Clock;
  /** Called once all services take work. */
  readonly onStarted: () => void;
}

/** Exit codes of a shell convention: 130 is an end by SIGINT. */
const EXIT = { CLEAN: 0, UNCLEAN: 1, INTERRUPTED: 130 } as const;

/**
 * @returns the exit code: 0 after a clean end, 1 when something did not finish, 130 when a second
 *   signal cut the drain short
 * @throws what a service throws when it cannot start
 */
export async function runUntilSignal({ host, signals, clock, onStarted }: LifeDeps): Promise<number> {
  let firstAtMs: number | undefined;
  let onFirst: () => void = () => undefined;
  let onImpatient: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (onFirst = resolve));
  const impatient = new Promise<'impatient'>((resolve) => (onImpatient = () => resolve('impatient')));
  const listener = (): void => {
    if (firstAtMs === undefined) {
      firstAtMs = clock.monotonicMs();
      onFirst();
    } else if (clock.monotonicMs() - firstAtMs >= REPEATED_SIGNAL_MS) {
      onImpatient();
    }
  };
  for (const signal of SIGNALS) signals.on(signal, listener);
  try {
    const starting = host.start();
    await Promise.race([starting, first]);
    if (firstAtMs === undefined) {
      onStarted();
      await first;
    }
    const ended = await Promise.race([host.shutdown(), impatient]);
    if (ended === 'impatient') return EXIT.INTERRUPTED;
    return ended ? EXIT.CLEAN : EXIT.UNCLEAN;
  } finally {
    for (const signal of SIGNALS) signals.off(signal, listener);
  }
}
