/**
 * What a run tells those who watch once its owner has told that it begins: `run` events of its life and its words, `tool` events of its
 * tools. Notices only, numbered per run; who misses one reads the transcript.
 * Bounds: DELTA_MS between two deltas, what comes between goes with the next; the whole text up to
 * TEXT_BYTES_MAX goes with each, beyond it the piece alone; TOOL_BYTES_MAX of a tool's data.
 */
import { Event, RunEvent, ToolEvent } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import { firstRunSeq, type JsonObject } from '@sessions/domain';

export const DELTA_MS = 50;
export const TEXT_BYTES_MAX = 128 * 1024;
export const TOOL_BYTES_MAX = 64 * 1024;

export interface RunPlace {
  readonly agentId: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly epoch: number;
  /** Numbers of a later attempt are above those of an earlier one. */
  readonly attempt: number;
}

export class RunEvents {
  readonly #bus: Bus;
  readonly #subjects: Subjects;
  readonly #place: RunPlace;
  #seq: number;
  #text = '';
  #waiting = '';
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(bus: Bus, subjects: Subjects, place: RunPlace) {
    this.#bus = bus;
    this.#subjects = subjects;
    this.#place = place;
    // The owner has told that the run begins.
    this.#seq = firstRunSeq(place.attempt);
  }

  /** A piece of the answer; pieces of one answer after those of another begin a paragraph. */
  delta(piece: string): void {
    this.#text += piece;
    this.#waiting += piece;
    if (this.#bus.clock.nowMs() - this.#toldAtMs >= DELTA_MS) this.#flush();
  }

  /** The present answer is whole; another one may follow. */
  answerEnds(): void {
    this.#flush();
    if (this.#text !== '' && !this.#text.endsWith('\n\n')) {
      this.#text += '\n\n';
      this.#waiting = '\n\n';
    }
  }

  tool(phase: 'start' | 'update' | 'result', toolCallId: string, name: string, data: Uint8Array | undefined, ok?: boolean): void {
    this.#flush();
    const cut = data !== undefined && data.length > TOOL_BYTES_MAX;
    const dataJson = data === undefined ? undefined : cut ? Buffer.from(JSON.stringify(beginningOf(data))) : Buffer.from(data);
    const { runId } = this.#place;
    this.#publish('tool', { $case: 'tool', value: ToolEvent.create({ runId, toolCallId, name, phase, cut, ok, dataJson }) });
  }

  /** The last words of the run, before its end is written down. */
  end({ startedAtMs, text, stopReason, aborted, errorMessage }: { readonly startedAtMs: number; readonly text: string; readonly stopReason: string; readonly aborted: boolean; readonly errorMessage: string | undefined }): void {
    this.#flush();
    this.#run('lifecycle', { phase: 'finishing', aborted, stopReason });
    const whole: JsonObject = Buffer.byteLength(text) <= TEXT_BYTES_MAX ? { text } : {};
    const times: JsonObject = { startedAt: startedAtMs, endedAt: this.#bus.clock.nowMs() };
    if (errorMessage === undefined) this.#run('lifecycle', { phase: 'end', ...times, ...whole, stopReason, ...(aborted ? { aborted } : {}) });
    else this.#run('lifecycle', { phase: 'error', ...times, ...whole, error: errorMessage, errorMessage });
  }

  #flush(): void {
    if (this.#waiting === '' || this.#waiting === '\n\n') return;
    const data: JsonObject = Buffer.byteLength(this.#text) <= TEXT_BYTES_MAX ? { text: this.#text, delta: this.#waiting } : { delta: this.#waiting };
    this.#waiting = '';
    this.#toldAtMs = this.#bus.clock.nowMs();
    this.#run('assistant', data);
  }

  #run(stream: 'lifecycle' | 'assistant', data: JsonObject): void {
    const { runId } = this.#place;
    this.#publish('run', { $case: 'run', value: RunEvent.create({ runId, stream, dataJson: Buffer.from(JSON.stringify(data)) }) });
  }

  #publish(type: 'run' | 'tool', body: NonNullable<Event['body']>): void {
    const { agentId, sessionKey, sessionId, epoch } = this.#place;
    this.#seq += 1;
    const event = Event.create({ agentId, sessionKey, sessionId, epoch, seq: this.#seq, atMs: this.#bus.clock.nowMs(), body });
    this.#bus.events.publish(this.#subjects.event(agentId, type, sessionKey), Event, event);
  }
}

function beginningOf(data: Uint8Array): string {
  // Escaping may double what is shown.
  return Buffer.from(data.subarray(0, TOOL_BYTES_MAX / 2)).toString('utf8').replace(/\uFFFD+$/u, '');
}
