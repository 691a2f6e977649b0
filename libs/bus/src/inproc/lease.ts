/**
 * Leases within one process: compare-and-set on a revision that grows over all keys and is never
 * used twice, so a holder of old can be told from a holder of now.
 */
import { SessionError } from '@sessions/domain';
import type { Lease, LeaseHolder, Leases } from '../bus';
import type { BusClock } from '../clock';
import type { BusTiming } from '../timing';

export class InProcLeases implements Leases {
  private readonly held = new Map<string, Lease>();
  private revision = 0;
  private closed = false;

  constructor(
    private readonly clock: BusClock,
    private readonly timing: BusTiming,
  ) {}

  async acquire(key: string, holder: LeaseHolder): Promise<Lease | undefined> {
    if (this.closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
    if (this.present(key)) return undefined;
    const revision = this.nextRevision();
    return this.keep({ key, holder, fence: revision, revision, expiresAtMs: this.expiry() });
  }

  async renew(lease: Lease): Promise<Lease> {
    const present = this.present(lease.key);
    if (present?.revision !== lease.revision) {
      throw new SessionError('EPOCH_SUPERSEDED', `the lease ${lease.key} is no longer held by ${lease.holder.instance}`, {
        facts: { key: lease.key, fence: lease.fence, presentFence: present?.fence ?? null },
      });
    }
    return this.keep({ ...lease, revision: this.nextRevision(), expiresAtMs: this.expiry() });
  }

  async release(lease: Lease): Promise<void> {
    if (this.present(lease.key)?.fence === lease.fence) this.held.delete(lease.key);
  }

  async read(key: string): Promise<Lease | undefined> {
    return this.present(key);
  }

  async list(prefix: string): Promise<readonly Lease[]> {
    const keys = [...this.held.keys()].filter((key) => key.startsWith(prefix));
    return keys.map((key) => this.present(key)).filter((lease) => lease !== undefined);
  }

  close(): void {
    this.closed = true;
  }

  private present(key: string): Lease | undefined {
    const lease = this.held.get(key);
    if (lease && lease.expiresAtMs <= this.clock.nowMs()) {
      this.held.delete(key);
      return undefined;
    }
    return lease;
  }

  private keep(lease: Lease): Lease {
    this.held.set(lease.key, lease);
    return lease;
  }

  private nextRevision(): number {
    this.revision += 1;
    return this.revision;
  }

  private expiry(): number {
    return this.clock.nowMs() + this.timing.leaseTtlMs;
  }
}
