/**
 * Tells the bus what a durable mutation changed, in the order of the mutations of the store.
 *
 * An event is never the only copy of anything. Each carries a number that grows by one per event of
 * its session key within an epoch: a subscriber that misses one sees the gap and reads the store.
 */
import { Event } from '@sessions/contracts';
import type { Bus, Subjects } from '@sessions/bus';
import type { JsonObject } from '@sessions/domain';
import type { Clock, Logger } from '@sessions/host';
import type { OpenApproval } from './decisions/open-approval';
import type { LiveFeed } from './live-feed';

/** Lines above this travel as a reference: the subscriber reads them from the store. Bytes. */
export const EVENT_LINE_BYTES_MAX = 256 * 1024;
/** Session keys whose numbers are remembered one by one. */
export const COUNTED_KEYS_MAX = 50_000;

/** Number of the owner's own event of a run, above all that its runner gives. */
const OWNER_RUN_SEQ = 2 ** 40;

/** What subscribers are told of one mutation. */
export type Announcement =
  | {
      readonly kind: 'message';
      readonly key: string;
      readonly sessionId: string;
      readonly messageId: string;
      readonly messageSeq: number;
      /** JSON text of the transcript line. */
      readonly line: string;
      /** Encoded SessionRow after the mutation. */
      readonly row: Uint8Array | undefined;
      readonly runId?: string;
    }
  | {
      readonly kind: 'changed';
      /** Empty: the store as a whole, after a clean-up. */
      readonly key: string;
      readonly sessionId: string | undefined;
      /** A word of the contract: `create`, `send`, `patch`, … */
      readonly reason: string;
      /** Undefined after a deletion. */
      readonly row: Uint8Array | undefined;
      /** The session id that the key had, when it has another one now. */
      readonly previousSessionId?: string;
      /** Messages that stand in its transcript already: it goes on with that one, or was brought back. */
      readonly messageSeq?: number;
    }
  | {
      /** A run began or ended, and the row with it. */
      readonly kind: 'phase';
      readonly key: string;
      readonly sessionId: string;
      readonly phase: 'start' | 'end' | 'error';
      readonly runId: string;
      readonly row: Uint8Array | undefined;
    }
  | {
      /** That an attempt begins, or of a run that the owner ended itself: its runner tells all else. */
      readonly kind: 'run';
      readonly key: string;
      readonly sessionId: string;
      readonly runId: string;
      /** Absent: above all of its runner's. */
      readonly seq?: number;
      readonly data: Readonly<Record<string, string | number | boolean>>;
    }
  | {
      readonly kind: 'delivery';
      readonly key: string;
      readonly sessionId: string;
      readonly deliveryId: string;
      /** `open`, `offered`, `delivered`, `failed`, `cancelled`, `expired`. */
      readonly state: string;
      /** Empty: for another session. */
      readonly channel: string;
      readonly accountId: string | undefined;
    }
  | {
      readonly kind: 'operation';
      readonly key: string;
      readonly sessionId: string;
      readonly operationId: string;
      readonly phase: 'start' | 'end';
      /** Only at the end. */
      readonly completed?: boolean;
      readonly reason?: string;
    }
  | {
      readonly kind: 'approval';
      readonly key: string;
      readonly sessionId: string;
      readonly approval: OpenApproval;
      readonly phase: 'requested' | 'resolved' | 'expired';
      readonly decision?: 'allow-once' | 'deny';
      readonly resolvedBy?: string;
      /** What would be done, as operators' clients show it. */
      readonly request: JsonObject;
    }
  | {
      readonly kind: 'store';
      /** `owner`, `damage`, `repaired`, `touched`. */
      readonly storeKind: string;
      /** Small facts; never a session key or contents. */
      readonly facts: Readonly<Record<string, string | number>>;
    };

/** A place in the order of mutations, taken when one is decided. */
export interface Turn {
  /** Publishes, once every earlier turn has been published or given up. */
  done(announcements: readonly Announcement[]): void;
  /** The mutation did not happen, or nobody knows whether it did. */
  giveUp(): void;
}

export interface EventPublisherDeps {
  readonly bus: Pick<Bus, 'events'>;
  readonly subjects: Subjects;
  readonly agentId: string;
  readonly epoch: number;
  readonly clock: Clock;
  readonly feed: LiveFeed;
  readonly logger: Logger;
}

interface Place {
  settled: readonly Announcement[] | undefined;
}

export class EventPublisher {
  readonly #deps: EventPublisherDeps;
  readonly #order: Place[] = [];
  readonly #seqs: SeqCounters;

  constructor(deps: EventPublisherDeps) {
    this.#deps = deps;
    this.#seqs = new SeqCounters(COUNTED_KEYS_MAX);
  }

  /** To be called when a mutation is decided: decisions are made in the order of their durability. */
  takeTurn(): Turn {
    const place: Place = { settled: undefined };
    this.#order.push(place);
    const settle = (announcements: readonly Announcement[]): void => {
      place.settled = announcements;
      this.#publishSettled();
    };
    return { done: settle, giveUp: () => settle([]) };
  }

  /** For what no mutation led to. */
  publish(announcement: Announcement): void {
    try {
      const event = this.#toEvent(announcement);
      const type = announcement.kind === 'phase' ? 'changed' : announcement.kind;
      this.#deps.bus.events.publish(this.#deps.subjects.event(this.#deps.agentId, type, event.sessionKey), Event, event);
    } catch (err) {
      // The number was taken: subscribers see the gap and read the store.
      this.#deps.logger.warn('event could not be published', { agentId: this.#deps.agentId, epoch: this.#deps.epoch, err });
    }
    if (announcement.kind !== 'store') this.#deps.feed.changed(this.#deps.agentId, announcement.key);
  }

  #publishSettled(): void {
    for (let first = this.#order[0]; first?.settled !== undefined; first = this.#order[0]) {
      this.#order.shift();
      for (const announcement of first.settled) this.publish(announcement);
    }
  }

  #toEvent(announcement: Announcement): Event {
    const { agentId, epoch, clock } = this.#deps;
    const head = { agentId, epoch, atMs: clock.nowMs() };
    if (announcement.kind === 'store') {
      const factsJson = Buffer.from(JSON.stringify(announcement.facts));
      return Event.create({ ...head, seq: this.#seqs.next(''), body: { $case: 'store', value: { kind: announcement.storeKind, factsJson } } });
    }
    const { key, sessionId } = announcement;
    if (announcement.kind === 'run') {
      const { runId, data, seq = OWNER_RUN_SEQ } = announcement;
      // Its runner's last number is not known here: a subscriber sees a gap, and asks for the run's state.
      return Event.create({ ...head, sessionKey: key, sessionId, seq, body: { $case: 'run', value: { runId, stream: 'lifecycle', dataJson: Buffer.from(JSON.stringify(data)) } } });
    }
    const keyed = { ...head, sessionKey: key === '' ? undefined : key, sessionId, seq: this.#seqs.next(key) };
    if (announcement.kind === 'delivery') {
      const { deliveryId, state, channel, accountId } = announcement;
      return Event.create({ ...keyed, body: { $case: 'delivery', value: { deliveryId, state, channel, accountId } } });
    }
    if (announcement.kind === 'approval') {
      const { approval, phase, decision, resolvedBy, request } = announcement;
      return Event.create({ ...keyed, body: { $case: 'approval', value: { approvalId: approval.approvalId, phase, decision, resolvedBy, requestedAtMs: approval.requestedAtMs, expiresAtMs: approval.expiresAtMs, requestJson: Buffer.from(JSON.stringify(request)) } } });
    }
    if (announcement.kind === 'operation') {
      const { operationId, phase, completed, reason } = announcement;
      return Event.create({ ...keyed, body: { $case: 'operation', value: { operationId, operation: 'compact', phase, completed, reason } } });
    }
    const { row } = announcement;
    const encodedRow = row === undefined ? undefined : Buffer.from(row);
    if (announcement.kind === 'phase') {
      const { phase, runId } = announcement;
      return Event.create({ ...keyed, body: { $case: 'changed', value: { reason: undefined, phase, runId, encodedRow, previousSessionId: undefined, messageSeq: undefined } } });
    }
    if (announcement.kind === 'changed') {
      const value = { reason: announcement.reason, phase: undefined, runId: undefined, encodedRow, previousSessionId: announcement.previousSessionId, messageSeq: announcement.messageSeq };
      return Event.create({ ...keyed, body: { $case: 'changed', value } });
    }
    const { messageId, messageSeq, line, runId } = announcement;
    const tooLarge = Buffer.byteLength(line) > EVENT_LINE_BYTES_MAX;
    const lineJson = tooLarge ? undefined : Buffer.from(line);
    return Event.create({ ...keyed, body: { $case: 'message', value: { messageId, messageSeq, lineJson, tooLarge, encodedRow, usage: undefined, runId } } });
  }
}

/**
 * One counter a key. When more keys than `keysMax` are counted, the one unused longest is forgotten;
 * a key without a counter begins above every forgotten one, so no number is given out twice.
 */
export class SeqCounters {
  readonly #keysMax: number;
  readonly #lastSeqs = new Map<string, number>();
  #forgottenMax = 0;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  next(key: string): number {
    const seq = (this.#lastSeqs.get(key) ?? this.#forgottenMax) + 1;
    // Taken out first: the order of a Map is that of insertion, and so of last use.
    this.#lastSeqs.delete(key);
    this.#lastSeqs.set(key, seq);
    if (this.#lastSeqs.size > this.#keysMax) {
      const [oldest] = this.#lastSeqs;
      if (oldest !== undefined) {
        this.#lastSeqs.delete(oldest[0]);
        this.#forgottenMax = Math.max(this.#forgottenMax, oldest[1]);
      }
    }
    return seq;
  }
}
