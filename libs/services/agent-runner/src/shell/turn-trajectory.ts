/**
 * What a turn does, as its owner writes it into the trajectory of the session. Noted beside the turn and
 * sent in batches: no step waits for it, and what cannot be sent is left out.
 * Bounds: WAITING_MAX notes and WAITING_BYTES_MAX; what comes beyond them is counted and said.
 */
import { NoteTrajectoryRequest, TrajectoryNote } from '@sessions/contracts';
import { TRAJECTORY_EVENT_BYTES_MAX, boundedTrajectoryData, oversizedTrajectoryData, type JsonObject, type ModelRef } from '@sessions/domain';
import type { TurnDeps } from './turn-deps';

/** What is noted within it is sent together. */
const GATHER_MS = 200;
/** One call at the owner, claims included. */
const SEND_MS = 30_000;
const BATCH_MAX = 256;
/** Requests end at 900 KiB. */
const BATCH_BYTES = 512 * 1024;
const WAITING_MAX = 1_024;
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
/** Longest wait for the last notes of a turn that has ended. Milliseconds. */
export const FLUSH_MS = 10_000;

/** Whose they are. */
export interface TrajectoryPlace {
  readonly agentId: string;
  readonly key: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly attempt: number;
}

export type NotedModel = Partial<ModelRef> & { readonly api?: string | undefined };

export class TurnTrajectory {
  readonly #deps: Pick<TurnDeps, 'bus' | 'owner' | 'trajectory'>;
  readonly #place: TrajectoryPlace;
  #isOn: boolean;
  #seq = 0;
  #model: NotedModel = {};
  #last: { readonly type: string; readonly data: JsonObject } | undefined;
  #waiting: TrajectoryNote[] = [];
  #waitingBytes = 0;
  #leftOut = 0;
  #sending: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(deps: Pick<TurnDeps, 'bus' | 'owner' | 'trajectory'>, place: TrajectoryPlace) {
    this.#deps = deps;
    this.#place = place;
    this.#isOn = deps.trajectory?.enabled ?? true;
  }

  /** False: nothing is recorded, so nothing need be gathered for it. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** The model that answers from now on. */
  use(model: NotedModel): void {
    this.#model = model;
  }

  /** What was noted last. */
  get last(): { readonly type: string; readonly data: JsonObject } | undefined {
    return this.#last;
  }

  /** Never throws, never waits. */
  note(type: string, data: JsonObject = {}): void {
    if (!this.#isOn) return;
    this.#last = { type, data };
    const json = Buffer.from(JSON.stringify(boundedTrajectoryData(data)), 'utf8');
    const dataJson = json.length <= TRAJECTORY_EVENT_BYTES_MAX / 2 ? json : Buffer.from(JSON.stringify(oversizedTrajectoryData(json.length)));
    if (this.#waiting.length >= WAITING_MAX || this.#waitingBytes + dataJson.length > WAITING_BYTES_MAX) {
      this.#leftOut += 1;
      return;
    }
    const { provider, model, api } = this.#model;
    this.#waiting.push(TrajectoryNote.create({ type, atMs: this.#deps.bus.clock.nowMs(), seq: (this.#seq += 1), attempt: this.#place.attempt, modelProvider: provider, model, modelApi: api, dataJson }));
    this.#waitingBytes += dataJson.length;
    this.#cancelTimer ??= this.#deps.bus.clock.startTimer(GATHER_MS, () => void this.#send());
  }

  /** Sends what waits now. */
  send(): void {
    void this.#send();
  }

  /** Resolves when what was noted is written, or cannot be. */
  async end(): Promise<void> {
    const { bus, trajectory } = this.#deps;
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => (cancel = bus.clock.startTimer(trajectory?.flushTimeoutMs ?? FLUSH_MS, resolve)));
    await Promise.race([this.#send(), late]);
    cancel();
    this.#isOn = false;
  }

  #send(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll();
    return this.#sending ?? Promise.resolve();
  }

  async #sendAll(): Promise<void> {
    while (this.#isOn && this.#waiting.length > 0) {
      const isKept = await this.#sendBatch(this.#takeBatch());
      this.#isOn &&= isKept;
      if (this.#leftOut === 0) continue;
      const events = this.#leftOut;
      this.#leftOut = 0;
      this.note('trace.truncated', { reason: 'trajectory-queue-limit', events });
    }
    if (!this.#isOn) this.#waiting = [];
    // In the same step as the last look at what waits: nothing stays behind unsent.
    this.#sending = undefined;
  }

  /** @returns false: no more are wanted, or the owner is away for longer than notes are kept for it. */
  async #sendBatch(notes: TrajectoryNote[]): Promise<boolean> {
    const { agentId, key, sessionId, runId } = this.#place;
    const request = NoteTrajectoryRequest.create({ agentId, key, sessionId, runId, notes });
    return this.#deps.owner(agentId, (store) => store.noteTrajectory(request), { deadlineMs: SEND_MS }).then(({ isRecorded }) => isRecorded, () => false);
  }

  #takeBatch(): TrajectoryNote[] {
    let bytes = 0;
    let count = 0;
    for (const { dataJson } of this.#waiting) {
      if (count >= BATCH_MAX || (count > 0 && bytes + dataJson.length > BATCH_BYTES)) break;
      bytes += dataJson.length;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
