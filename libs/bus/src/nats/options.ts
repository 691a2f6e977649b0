/** What a connection to NATS needs, and what it tells of itself; types only, so that importing them loads nothing. */
import type { NatsConnection } from 'nats';
import type { Bus } from '../bus';
import type { BusClock } from '../clock';
import type { BusTiming } from '../timing';

export type BusReportKind =
  | 'connected'
  | 'disconnected'
  | 'reconnecting'
  | 'reconnected'
  | 'slow-consumer'
  | 'permission'
  | 'lame-duck'
  | 'servers-changed'
  | 'jetstream-away'
  | 'provisioned'
  | 'dead-letter'
  | 'error'
  | 'closed';

/** Something that the connection met; to be logged and counted. Never holds a password or a message's content. */
export interface BusReport {
  readonly kind: BusReportKind;
  /** A sentence in lower case. */
  readonly message: string;
  readonly [fact: string]: string | number | boolean;
}

export interface NatsBusOptions {
  /** `nats://user:pass@host:4222`, `nats://token@host` or `tls://host`; credentials of the first URL that has some are used for all. */
  readonly servers: readonly string[];
  /** Such as `router`; the inbox prefix is `_INBOX_<service>`. */
  readonly service: string;
  readonly instance: string;
  /** Default `sess`. Stream and bucket carry it in upper case: `SESS_JOBS`, `SESS_DEAD`, `SESS_LEASES`. */
  readonly subjectPrefix: string;
  /** A NATS credentials file (user JWT and seed). */
  readonly credsFile?: string;
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly clock?: BusClock;
  readonly timing?: Partial<BusTiming>;
  readonly onReport?: (report: BusReport) => void;
  /** Make streams, consumers and bucket when they are missing, also after the server lost them. Default false: only bind. */
  readonly provision?: boolean;
  /** How long the first connection may take; milliseconds, default 10 000. */
  readonly connectTimeoutMs?: number;
}

/** For tests of readers: true loses that message (from 1) of a stream on its way. */
export interface NatsTestHooks {
  readonly losesStreamMessage?: (subject: string, seq: number) => boolean;
}

export interface NatsBus extends Bus {
  readonly connected: boolean;
  /** Called after each reconnect; what was published in between is lost here. @returns a function that ends it */
  onReconnect(listener: () => void): () => void;
}

/** For tests of what is left behind. */
export interface NatsInternals {
  readonly internals: {
    readonly nc: NatsConnection;
    /** Questions without answer, and calls and streams being served. */
    readonly open: number;
  };
}
