/**
 * The store-writers of one bus, as each of them sees the others.
 *
 * A writer announces itself by a lease `writer.<token of its name>` and serves the pool's two methods
 * once more on a subject of its own, `<p>.rpc.writer.<token>.<Method>`: there it answers for itself
 * and passes nothing on. Membership is a hint: a writer that died is listed until its lease ends,
 * one whose bucket is away is not listed though it serves. Nothing rests on it but placement.
 */
import { hostname } from 'node:os';
import { StoreServiceService } from '@sessions/contracts';
import { createClient, subjectToken, type Bus, type Client, type LeaseHolder, type Subjects } from '@sessions/bus';
import type { LeaseTerms } from '@sessions/domain';
import type { Clock, Logger } from '@sessions/host';
import { LEASE_CALL_MS, LeaseKeeper, answered, isSameProcess } from './lease-keeper';

export const SERVICE_NAME = 'store-writer';
/** Members that are looked at; a house with more of them places agents among these. */
export const MEMBERS_MAX = 256;

const PREFIX = 'writer.';

export interface WriterMembersDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly terms: LeaseTerms;
  /** Name of this process among its peers. */
  readonly instance: string;
  /** True when that process of this host does not live any more. */
  readonly isGone: (holder: LeaseHolder) => boolean;
}

export class WriterMembers {
  readonly #deps: WriterMembersDeps;
  #presence: LeaseKeeper | undefined;
  #left = false;

  constructor(deps: WriterMembersDeps) {
    this.#deps = deps;
  }

  /** How this process calls itself in leases. */
  holder(epoch: number): LeaseHolder {
    const { instance, clock } = this.#deps;
    return { instance: `${SERVICE_NAME}/${instance}`, epoch, host: hostname(), pid: process.pid, acquiredAtMs: clock.nowMs() };
  }

  /** Makes sure that this writer is announced, as far as the bucket can be reached. Never rejects. */
  async announce(): Promise<void> {
    if (this.#presence !== undefined || this.#left) return;
    const { bus, clock, logger, instance, isGone } = this.#deps;
    const key = `${PREFIX}${subjectToken(instance)}`;
    const holder = this.holder(0);
    try {
      const present = await answered(clock, LEASE_CALL_MS, bus.leases.read(key));
      const isOurs = present !== undefined && (isSameProcess(present.holder, holder) || isGone(present.holder));
      if (isOurs) await answered(clock, LEASE_CALL_MS, bus.leases.release(present));
      const kept = await LeaseKeeper.acquire({ leases: bus.leases, ...this.#deps }, key, holder, () => (this.#presence = undefined));
      if (kept !== undefined && this.#left) await kept.release();
      else if (kept !== undefined) this.#presence = kept;
      else logger.warn('another store-writer is announced under this name; it may have died a moment ago', { instance, reason: 'name-in-use' });
    } catch (err) {
      logger.warn('this store-writer could not be announced and is tried again', { instance, err });
    }
  }

  /** Names of the writers that are announced. @throws when the bucket does not answer */
  async list(): Promise<readonly string[]> {
    const { bus, clock } = this.#deps;
    const leases = await answered(clock, LEASE_CALL_MS, bus.leases.list(PREFIX));
    const names = leases.map(({ holder }) => holder.instance).filter((name) => name.startsWith(`${SERVICE_NAME}/`));
    return [...new Set(names)].sort().slice(0, MEMBERS_MAX).map((name) => name.slice(SERVICE_NAME.length + 1));
  }

  /** The pool's methods at one member. */
  at(instance: string): Client<typeof StoreServiceService> {
    const { bus, subjects } = this.#deps;
    return createClient(bus, StoreServiceService, {
      caller: `service:${SERVICE_NAME}/${this.#deps.instance}`,
      subject: (method) => subjects.writer(instance, method),
    });
  }

  async leave(): Promise<void> {
    this.#left = true;
    await this.#presence?.release();
    this.#presence = undefined;
  }
}
