/**
 * One subscription for everything that comes back to this connection: `_INBOX_<service>.<id>.<n>`,
 * with a number for each open question. Bounded by what is open; a number is never used twice.
 */
import { SessionError } from '@sessions/domain';
import type { Msg, Subscription } from 'nats';
import type { Headers } from '../call-meta';
import type { NatsLink } from './link';
import { NO_RESPONDERS } from './wire';

/** Why an answer will not come. */
export type Lost = 'connection' | 'refused' | 'closed';

export interface InboxEntry {
  /** Where the question went. */
  readonly subject: string;
  message(msg: Msg): void;
  lost(why: Lost): void;
}

export interface InboxPlace {
  readonly reply: string;
  close(): void;
}

export class Inbox {
  readonly #link: NatsLink;
  readonly #prefix: string;
  readonly #subscription: Subscription;
  readonly #entries = new Map<string, InboxEntry>();
  readonly #endLost: () => void;
  readonly #endRefused: () => void;
  #last = 0;

  constructor(link: NatsLink, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
    this.#subscription = link.nc.subscribe(`${prefix}.*`, { callback: (error, msg) => this.#deliver(error, msg) });
    this.#endLost = link.onLost(() => this.#loseAll('connection'));
    this.#endRefused = link.onRefused((subject) => {
      for (const entry of [...this.#entries.values()]) if (entry.subject === subject) entry.lost('refused');
    });
  }

  /** Open questions; for tests of things that must not leave any behind. */
  get size(): number {
    return this.#entries.size;
  }

  ready(): Promise<void> {
    return this.#link.confirm(`${this.#prefix}.*`, this.#subscription);
  }

  open(entry: InboxEntry): InboxPlace {
    this.#last += 1;
    const token = this.#last.toString(36);
    this.#entries.set(token, entry);
    return { reply: `${this.#prefix}.${token}`, close: () => void this.#entries.delete(token) };
  }

  /** A prefix of subjects of its own, for what arrives under its own subject: jobs do. */
  newPrefix(): string {
    this.#last += 1;
    return `${this.#prefix}.${this.#last.toString(36)}`;
  }

  /** One question, one answer. @throws Unanswered */
  request(subject: string, payload: Uint8Array | string, headers: Headers | undefined, timeoutMs: number): Promise<Msg> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        place.close();
        cancel();
        act();
      };
      const place = this.open({
        subject,
        message: (msg) => finish(() => (msg.headers?.code === NO_RESPONDERS ? reject(new Unanswered('no-responders', subject)) : resolve(msg))),
        lost: (why) => finish(() => reject(new Unanswered(why, subject))),
      });
      const cancel = this.#link.clock.startTimer(timeoutMs, () => finish(() => reject(new Unanswered('timeout', subject))));
      try {
        this.#link.send(subject, payload, { reply: place.reply, ...(headers !== undefined && { headers }) });
      } catch (error) {
        finish(() => reject(error));
      }
    });
  }

  close(): void {
    this.#endLost();
    this.#endRefused();
    this.#loseAll('closed');
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
  }

  #deliver(error: Error | null, msg: Msg): void {
    // A refused subscription is found by `ready`, and reported by the link.
    if (error !== null) return;
    this.#entries.get(msg.subject.slice(this.#prefix.length + 1))?.message(msg);
  }

  #loseAll(why: Lost): void {
    for (const entry of [...this.#entries.values()]) entry.lost(why);
  }
}

/** A question without answer, and why. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';

  constructor(
    readonly why: Lost | 'no-responders' | 'timeout',
    readonly subject: string,
  ) {
    super(`${subject} did not answer: ${why}`);
  }
}

export function refusedError(subject: string): SessionError {
  return new SessionError('CONFIG_INVALID', `the NATS server does not let this service publish to ${subject}`, {
    facts: { subject },
    hint: 'compare the permissions of its NATS user with docs/protocols/bus.md',
  });
}
