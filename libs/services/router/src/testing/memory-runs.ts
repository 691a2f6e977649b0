/**
 * Runs of the stores in memory: queued in order, begun and ended as a test says, told on the bus in
 * the order of a real one. No runner: the test is it.
 */
import { Event, RunEvent, RunState } from '@sessions/contracts';
import type { ChangedEvent, RunRequest } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import type { MemoryAside } from './memory-operations';

export interface RunEnding {
  readonly outcome?: string;
  readonly text?: string;
  readonly stopReason?: string;
  readonly errorMessage?: string;
}

export interface MemoryRunsParts {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly nowMs: number;
  readonly asideOf: (agentId: string) => MemoryAside;
  /** Tells that a row changed. */
  readonly changed: (agentId: string, key: string, value: Partial<ChangedEvent>) => void;
  /** Appends an assistant's message. */
  readonly append: (agentId: string, key: string, text: string) => void;
}

export class MemoryRuns {
  /** False: messages are kept and no turn runs, as an owner without runs does. */
  takes = false;
  readonly #seqs = new Map<string, number>();

  constructor(private readonly parts: MemoryRunsParts) {}

  /** Opens a run; it begins at once when nothing else of its key runs. */
  open(agentId: string, key: string, { runId }: RunRequest, messageId: string): RunState {
    const { runs } = this.parts.asideOf(agentId);
    const before = this.#openOf(agentId, key);
    const run = RunState.create({ runId, sessionKey: key, state: 'queued', acceptedAtMs: this.parts.nowMs, position: before.length, messageId });
    runs.set(runId, run);
    if (before.length === 0) this.#begin(agentId, run);
    return run;
  }

  /** What a runner says of a run. */
  say(agentId: string, runId: string, data: object, stream = 'assistant'): void {
    const run = this.#run(agentId, runId);
    const seq = (this.#seqs.get(runId) ?? 0) + 1;
    this.#seqs.set(runId, seq);
    const value = RunEvent.create({ runId, stream, dataJson: Buffer.from(JSON.stringify(data)) });
    const event = Event.create({ agentId, sessionKey: run.sessionKey, epoch: 1, seq, atMs: this.parts.nowMs + seq * 1000, body: { $case: 'run', value } });
    this.parts.bus.events.publish(this.parts.subjects.event(agentId, 'run', run.sessionKey), Event, event);
  }

  /** Ends a run; the next of its key begins. */
  end(agentId: string, runId: string, { outcome = 'ok', text, stopReason = 'stop', errorMessage }: RunEnding = {}): void {
    const run = this.#run(agentId, runId);
    if (run.state === 'ended') return;
    const wasQueued = run.state === 'queued';
    if (text !== undefined) this.parts.append(agentId, run.sessionKey, text);
    const told = outcome === 'error' ? { phase: 'error', error: errorMessage } : { phase: 'end', stopReason, aborted: outcome === 'aborted' };
    // Nobody runs what waits, so nobody but the owner tells of its end.
    if (!wasQueued) this.say(agentId, runId, { ...told, ...(text !== undefined && { text }) }, 'lifecycle');
    Object.assign(run, { state: 'ended', outcome, text, stopReason, errorMessage, endedAtMs: this.parts.nowMs, position: undefined });
    this.parts.changed(agentId, run.sessionKey, { phase: outcome === 'error' ? 'error' : 'end', runId });
    const next = wasQueued ? undefined : this.#openOf(agentId, run.sessionKey).find(({ state }) => state === 'queued');
    if (next !== undefined) this.#begin(agentId, next);
  }

  #begin(agentId: string, run: RunState): void {
    Object.assign(run, { state: 'running', startedAtMs: this.parts.nowMs, position: undefined });
    this.say(agentId, run.runId, { phase: 'start' }, 'lifecycle');
    this.parts.changed(agentId, run.sessionKey, { phase: 'start', runId: run.runId });
  }

  #openOf(agentId: string, key: string): RunState[] {
    return [...this.parts.asideOf(agentId).runs.values()].filter(({ sessionKey, state }) => sessionKey === key && state !== 'ended');
  }

  #run(agentId: string, runId: string): RunState {
    const run = this.parts.asideOf(agentId).runs.get(runId);
    if (run === undefined) throw new Error(`the store of ${agentId} has no run ${runId}`);
    return run;
  }
}
