/**
 * Leases in a JetStream key-value bucket: compare-and-set on the revision of a key. The bucket drops
 * a value that is not renewed; a server that is late with that is overruled by whoever saw the same
 * revision for the whole time, so machines' clocks are never compared.
 *
 * A bucket that is away is NO_OWNER with the fact `jetstreamAway`, never EPOCH_SUPERSEDED: the holder
 * goes on until `leaseTrustMs` and tries again. When JetStream lost its data, a holder whose lease is
 * still valid takes it anew with the fence it had; the epoch in the store fences whatever else happens.
 */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { Lease, LeaseHolder, Leases } from '../bus';
import type { BusTiming } from '../timing';
import { JS_ERROR, JetStreamRefusal } from './jetstream';
import type { JetStream } from './jetstream';
import type { NatsLink } from './link';
import type { Provisioner } from './provisioner';
import { namesFor } from './wire';

/** Keys whose revision is remembered; the oldest leaves first. */
const SEEN_MAX = 20_000;
/** A holder gives up long before it has tried as often. */
const UNCONFIRMED_MAX = 16;

const OPERATION_HEADER = 'KV-Operation';
const EXPECTED_HEADER = 'Nats-Expected-Last-Subject-Sequence';

interface Stored {
  readonly holder: LeaseHolder;
  /** Undefined in the value that acquired it: there its revision is the fence. */
  readonly fence: number | undefined;
  /** Tells one try to write from another, for an answer that was lost. */
  readonly beat: string;
}

interface Entry {
  readonly revision: number;
  /** Undefined: given back. */
  readonly stored: Stored | undefined;
}

export interface NatsLeasesDeps {
  readonly link: NatsLink;
  readonly jetStream: JetStream;
  readonly provisioner: Provisioner;
  readonly subjectPrefix: string;
  readonly timing: BusTiming;
}

export class NatsLeases implements Leases {
  readonly #deps: NatsLeasesDeps;
  readonly #bucket: string;
  /** When a key's revision was first seen here, on this process's clock. */
  readonly #seen = new Map<string, { readonly revision: number; readonly atMs: number }>();
  /** Tries to write a key whose answer did not come, since the last one whose did; the oldest leaves first. */
  readonly #unconfirmed = new Map<string, readonly string[]>();
  #closed = false;

  constructor(deps: NatsLeasesDeps) {
    this.#deps = deps;
    this.#bucket = namesFor(deps.subjectPrefix).leases;
  }

  async acquire(key: string, holder: LeaseHolder): Promise<Lease | undefined> {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
    const taken = await this.#write(key, holder, undefined, 0);
    if (taken !== undefined) return taken;
    const present = await this.#last(key);
    if (present?.stored !== undefined && this.#isOurUnconfirmed(key, present.stored)) {
      return this.#write(key, holder, present.stored.fence ?? present.revision, present.revision);
    }
    if (present !== undefined && !this.#isFree(key, present)) return undefined;
    return this.#write(key, holder, undefined, present?.revision ?? 0);
  }

  async renew(lease: Lease): Promise<Lease> {
    const { key, holder, fence, revision, expiresAtMs } = lease;
    if (this.#now() >= expiresAtMs) throw superseded(lease, undefined);
    const renewed = await this.#write(key, holder, fence, revision);
    if (renewed !== undefined) return renewed;
    const present = await this.#last(key);
    // Ours, but for the answer; or nobody's, because JetStream lost it.
    const isOurs = present === undefined || (present.stored !== undefined && this.#isOurUnconfirmed(key, present.stored));
    const again = isOurs && this.#now() < expiresAtMs ? await this.#write(key, holder, fence, present?.revision ?? 0) : undefined;
    if (again === undefined) throw superseded(lease, present);
    return again;
  }

  async release(lease: Lease): Promise<void> {
    if (await this.#remove(lease.key, lease.revision)) return;
    const present = await this.#last(lease.key);
    const fence = present?.stored === undefined ? undefined : (present.stored.fence ?? present.revision);
    if (present !== undefined && fence === lease.fence) await this.#remove(lease.key, present.revision);
  }

  async read(key: string): Promise<Lease | undefined> {
    const present = await this.#last(key);
    if (present?.stored === undefined || this.#isFree(key, present)) return undefined;
    const { stored, revision } = present;
    const expiresAtMs = (this.#seen.get(key)?.atMs ?? this.#now()) + this.#deps.timing.leaseTtlMs;
    return { key, holder: stored.holder, fence: stored.fence ?? revision, revision, expiresAtMs };
  }

  async list(prefix: string): Promise<readonly Lease[]> {
    const { jetStream, provisioner } = this.#deps;
    const root = this.#subject('');
    // A filter holds whole tokens; what it lets through beside the prefix is left out below.
    const filter = `${root}${prefix.endsWith('.') ? prefix : ''}>`;
    try {
      const { state } = await provisioner.run(this.#what(), () => jetStream.api(`STREAM.INFO.KV_${this.#bucket}`, { subjects_filter: filter }));
      const { subjects } = state as { readonly subjects?: Readonly<Record<string, number>> };
      const keys = Object.keys(subjects ?? {}).map((subject) => subject.slice(root.length)).filter((key) => key.startsWith(prefix));
      const leases = await Promise.all(keys.map((key) => this.read(key)));
      return leases.filter((lease) => lease !== undefined);
    } catch (error) {
      throw this.#toError(error);
    }
  }

  close(): void {
    this.#closed = true;
  }

  /** Undefined: the key's last revision is not `expected`. */
  async #write(key: string, holder: LeaseHolder, fence: number | undefined, expected: number): Promise<Lease | undefined> {
    const beat = randomUUID();
    const { instance, epoch, host, pid, acquiredAtMs } = holder;
    const value = { instance, epoch, host, pid, acquired_at_ms: acquiredAtMs, fence, beat };
    // Counted from before it was sent: never later than the server counts.
    const sentAtMs = this.#now();
    const revision = await this.#put(key, Buffer.from(JSON.stringify(value)), expected, {}).catch((error: unknown) => {
      this.#remember(this.#unconfirmed, key, [...(this.#unconfirmed.get(key) ?? []), beat].slice(-UNCONFIRMED_MAX));
      throw error;
    });
    if (revision === undefined) return undefined;
    this.#unconfirmed.delete(key);
    this.#note(key, revision, sentAtMs);
    return { key, holder, fence: fence ?? revision, revision, expiresAtMs: sentAtMs + this.#deps.timing.leaseTtlMs };
  }

  async #remove(key: string, expected: number): Promise<boolean> {
    return (await this.#put(key, Buffer.alloc(0), expected, { [OPERATION_HEADER]: 'DEL' })) !== undefined;
  }

  async #put(key: string, payload: Uint8Array, expected: number, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
    const { jetStream, provisioner } = this.#deps;
    const all = { ...headers, [EXPECTED_HEADER]: String(expected) };
    try {
      const { seq } = await provisioner.run(this.#what(), () => jetStream.publish(this.#subject(key), payload, all));
      return seq;
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.errCode === JS_ERROR.WRONG_LAST_SEQUENCE) return undefined;
      throw this.#toError(error);
    }
  }

  /** Asks the bucket's leader, never a copy that may be behind. */
  async #last(key: string): Promise<Entry | undefined> {
    const { jetStream, provisioner } = this.#deps;
    try {
      const { message } = await provisioner.run(this.#what(), () =>
        jetStream.api(`STREAM.MSG.GET.KV_${this.#bucket}`, { last_by_subj: this.#subject(key) }),
      );
      const { seq, data = '' } = message as { readonly seq: number; readonly data?: string };
      if (this.#seen.get(key)?.revision !== seq) this.#note(key, seq, this.#now());
      return { revision: seq, stored: data === '' ? undefined : parseStored(Buffer.from(data, 'base64').toString()) };
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.errCode === JS_ERROR.NO_MESSAGE) return undefined;
      throw this.#toError(error);
    }
  }

  /** Given back, or not renewed for the whole time that this process watched it. */
  #isFree(key: string, { revision, stored }: Entry): boolean {
    const seen = this.#seen.get(key);
    return stored === undefined || (seen?.revision === revision && this.#now() - seen.atMs >= this.#deps.timing.leaseTtlMs);
  }

  #isOurUnconfirmed(key: string, { beat }: Stored): boolean {
    return this.#unconfirmed.get(key)?.includes(beat) === true;
  }

  #note(key: string, revision: number, atMs: number): void {
    this.#remember(this.#seen, key, { revision, atMs });
  }

  #remember<T>(map: Map<string, T>, key: string, value: T): void {
    map.delete(key);
    map.set(key, value);
    const oldest = map.size > SEEN_MAX ? map.keys().next().value : undefined;
    if (oldest !== undefined) map.delete(oldest);
  }

  #toError(error: unknown): SessionError {
    return error instanceof SessionError ? error : new SessionError('INTERNAL', 'internal error', { cause: error });
  }

  #what(): string {
    return `the lease bucket ${this.#bucket}`;
  }

  #subject(key: string): string {
    return `$KV.${this.#bucket}.${key}`;
  }

  #now(): number {
    return this.#deps.link.clock.nowMs();
  }
}

function superseded({ key, holder, fence }: Lease, present: Entry | undefined): SessionError {
  const presentFence = present?.stored === undefined ? null : (present.stored.fence ?? present.revision);
  return new SessionError('EPOCH_SUPERSEDED', `the lease ${key} is no longer held by ${holder.instance}`, {
    facts: { key, fence, presentFence },
  });
}

/** A value that is none of ours counts as held by nobody known, until it ends. */
function parseStored(text: string): Stored {
  const given = parseObject(text);
  const textOf = (name: string): string => (typeof given[name] === 'string' ? given[name] : '');
  const numberOf = (name: string): number => (typeof given[name] === 'number' ? given[name] : 0);
  return {
    holder: {
      instance: textOf('instance'),
      epoch: numberOf('epoch'),
      host: textOf('host'),
      pid: numberOf('pid'),
      acquiredAtMs: numberOf('acquired_at_ms'),
    },
    fence: typeof given['fence'] === 'number' ? given['fence'] : undefined,
    beat: textOf('beat'),
  };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const given: unknown = JSON.parse(text);
    return typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
