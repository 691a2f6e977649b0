/** The bus within one process: what standalone runs on. Nothing of it outlives the process. */
import type { Bus } from '../bus';
import type { BusClock } from '../clock';
import { systemClock } from '../clock';
import type { BusTiming } from '../timing';
import { DEFAULT_TIMING } from '../timing';
import { InProcEvents } from './events';
import { InProcJobs } from './jobs';
import { InProcLeases } from './lease';
import { createPassing } from './passing';
import { InProcRpc } from './rpc';

export interface InProcessBusOptions {
  readonly clock?: BusClock;
  readonly timing?: Partial<BusTiming>;
  /** Encode and decode every message as a wire would, instead of passing the object. Default false. */
  readonly copy?: boolean;
  /** For tests of readers: true loses that message (from 1) of a stream on its way. */
  readonly losesStreamMessage?: (subject: string, seq: number) => boolean;
  /** For tests of followers: true loses that event on its way. */
  readonly losesEvent?: (subject: string) => boolean;
}

/** A bus within one process; it never reconnects, so its gaps are made by tests. */
export interface InProcessBus extends Bus {
  /** Tells every subscriber of events what a reconnect would: that some may be lost. */
  noteGap(): void;
}

/** A bus that every service of this process shares. */
export function createInProcessBus(options: InProcessBusOptions = {}): InProcessBus {
  const clock = options.clock ?? systemClock;
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const passing = createPassing(options.copy ?? false);
  const rpc = new InProcRpc({ clock, timing, passing, losesStreamMessage: options.losesStreamMessage });
  const events = new InProcEvents(passing, options.losesEvent);
  const jobs = new InProcJobs(clock, timing, passing);
  const leases = new InProcLeases(clock, timing);
  return {
    clock,
    rpc,
    events,
    jobs,
    leases,
    noteGap: () => events.noteGap(),
    async close() {
      leases.close();
      await Promise.all([rpc.close(), events.close(), jobs.close()]);
    },
  };
}
