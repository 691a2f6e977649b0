/**
 * Whether a process should get work. Live: it runs. Ready: it has started, is not draining, and no
 * part of it is down. A degraded part (old values kept, a checkpoint late) still serves.
 */

export type PartState = 'ok' | 'degraded' | 'down';
export type Phase = 'starting' | 'serving' | 'draining' | 'stopped';

export interface PartHealth {
  readonly state: PartState;
  /** A stable word for a state that is not ok. */
  readonly reason?: string;
}

export interface HealthReport {
  readonly phase: Phase;
  readonly ready: boolean;
  /** The worst state of all parts. */
  readonly state: PartState;
  readonly parts: Readonly<Record<string, PartHealth>>;
}

export interface Health {
  setPhase(phase: Phase): void;
  /** Sets the state of one part; `reason` for every state but ok. */
  setPart(name: string, state: PartState, reason?: string): void;
  /** Forgets a part that is no longer there, such as a store that was closed. */
  removePart(name: string): void;
  report(): HealthReport;
  /** Calls `listener` after each change of the report. @returns a function that ends it. */
  onChange(listener: (report: HealthReport) => void): () => void;
}

const SEVERITY: Readonly<Record<PartState, number>> = { ok: 0, degraded: 1, down: 2 };

export function createHealth(): Health {
  const parts = new Map<string, PartHealth>();
  const listeners = new Set<(report: HealthReport) => void>();
  let phase: Phase = 'starting';

  const report = (): HealthReport => {
    let state: PartState = 'ok';
    for (const part of parts.values()) if (SEVERITY[part.state] > SEVERITY[state]) state = part.state;
    return { phase, ready: phase === 'serving' && state !== 'down', state, parts: Object.fromEntries(parts) };
  };
  const changed = (): void => {
    const now = report();
    for (const listener of [...listeners]) listener(now);
  };

  return {
    setPhase(next) {
      if (next === phase) return;
      phase = next;
      changed();
    },
    setPart(name, state, reason) {
      const before = parts.get(name);
      if (before?.state === state && before.reason === reason) return;
      parts.set(name, { state, ...(reason !== undefined && { reason }) });
      changed();
    },
    removePart(name) {
      if (parts.delete(name)) changed();
    },
    report,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
