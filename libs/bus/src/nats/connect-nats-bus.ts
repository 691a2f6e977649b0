/**
 * Opens the bus over NATS. This is the only file that loads the `nats` package, and it does so when
 * it is called: what imports the bus for one process pays nothing for it.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SessionError } from '@sessions/domain';
import type { ConnectionOptions, NatsConnection } from 'nats';
import type { BusClock } from '../clock';
import { systemClock } from '../clock';
import { sleep } from '../deadlines';
import { createSubjects } from '../subjects';
import { DEFAULT_TIMING } from '../timing';
import { NatsEvents } from './events';
import { Inbox } from './inbox';
import { JetStream, isAway, isOverlap } from './jetstream';
import { NatsJobs } from './jobs';
import { NatsLeases } from './lease';
import { NatsLink } from './link';
import type { NatsBus, NatsBusOptions, NatsInternals, NatsTestHooks } from './options';
import { provision } from './provision';
import { createProvisioner } from './provisioner';
import { NatsRpc } from './rpc';
import { parseServers } from './server-address';
import { ServiceInfo } from './service-info';

const CONNECT_TIMEOUT_MS = 10_000;
/** One try to connect, milliseconds. */
const DIAL_TIMEOUT_MS = 2_000;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
const PING_INTERVAL_MS = 5_000;
const PINGS_MISSED_MAX = 2;
/** A cluster that elects its leaders answers late; how often the first set-up is tried, and how long between. */
const PROVISION_TRIES = 20;
const PROVISION_AGAIN_MS = 500;
/** Of several that make the same streams at once, some are told that the subjects are taken: until the streams are there. */
const OVERLAP_TRIES = 5;

/** Errors of the client that no further try changes. */
const HOPELESS: ReadonlySet<string> = new Set(['AUTHORIZATION_VIOLATION', 'BAD_AUTHENTICATION', 'BAD_CREDS', 'AUTHENTICATION_EXPIRED', 'TLS']);

interface Opened {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly jetStream: JetStream;
  readonly id: string;
}

/**
 * Resolves when the connection stands; from then on it comes back by itself whatever happens.
 * @throws NO_OWNER when no server answers in time, UNAUTHENTICATED when it refuses the credentials,
 * CONFIG_INVALID for addresses or files that cannot be read
 */
export async function connectNatsBus(options: NatsBusOptions & NatsTestHooks): Promise<NatsBus & NatsInternals> {
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const { subjectPrefix, service, instance } = options;
  createSubjects(subjectPrefix);
  const { link, inbox, jetStream, id } = await open(options);
  const make = options.provision === true ? () => provision({ jetStream, subjectPrefix, timing, replicas: 1 }) : undefined;
  try {
    await inbox.ready();
    if (make !== undefined) await tryOften(make, link.clock);
  } catch (error) {
    await link.close();
    throw error;
  }
  const provisioner = createProvisioner(link, make);
  const rpc = new NatsRpc({ link, inbox, timing, losesStreamMessage: options.losesStreamMessage });
  const events = new NatsEvents(link);
  const jobs = new NatsJobs({ link, inbox, jetStream, provisioner, subjectPrefix, timing });
  const leases = new NatsLeases({ link, jetStream, provisioner, subjectPrefix, timing });
  const info = new ServiceInfo({ link, endpoints: rpc.endpoints, service, instance, id });
  return {
    clock: link.clock,
    rpc,
    events,
    jobs,
    leases,
    get connected() {
      return link.connected;
    },
    onReconnect: (listener) => link.onReconnect(listener),
    internals: {
      nc: link.nc,
      get open() {
        return inbox.size;
      },
    },
    async close() {
      leases.close();
      info.close();
      await Promise.all([rpc.close(), events.close(), jobs.close()]);
      inbox.close();
      await link.close();
    },
  };
}

/**
 * Makes streams, consumers and bucket, or brings them up to date; safe to run again. For the set-up
 * step, with credentials that may do so. @throws as `connectNatsBus`, and what JetStream refuses
 */
export async function provisionNats(options: NatsBusOptions & { readonly replicas?: number }): Promise<void> {
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const { subjectPrefix, replicas = 1 } = options;
  createSubjects(subjectPrefix);
  const { link, inbox, jetStream } = await open(options);
  try {
    await inbox.ready();
    await tryOften(() => provision({ jetStream, subjectPrefix, timing, replicas }), link.clock);
  } finally {
    inbox.close();
    await link.close();
  }
}

async function open(options: NatsBusOptions): Promise<Opened> {
  const nats = await import('nats');
  const clock = options.clock ?? systemClock;
  const id = randomUUID().replaceAll('-', '');
  const inboxPrefix = `_INBOX_${options.service}`;
  const { hosts, tls, user, pass, token } = parseServers(options.servers);
  const connection: ConnectionOptions = {
    servers: [...hosts],
    name: `${options.service}/${options.instance}`,
    inboxPrefix,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: PINGS_MISSED_MAX,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    // A server that was restarted with other credentials for a moment must not end us.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(token !== undefined && { token }),
    ...(user !== undefined && { user }),
    ...(pass !== undefined && { pass }),
    ...(options.credsFile !== undefined && { authenticator: nats.credsAuthenticator(await readCreds(options.credsFile)) }),
    ...((tls || options.tls !== undefined) && { tls: { ...options.tls } }),
  };
  const servers = `${hosts.join(', ')}${connection.tls === undefined ? '' : ' over TLS'}`;
  // With TLS 1.3 the server's refusal comes after the handshake, and the client meets only the end of the connection.
  const likelyCause = connection.tls !== undefined && options.tls?.certFile === undefined ? ' (a server that wants a client certificate ends the connection like this)' : '';
  const nc = await connectFirst(() => nats.connect(connection), { servers, likelyCause }, options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, clock);
  const report = options.onReport ?? (() => undefined);
  const link = new NatsLink({ nc, makeHeaders: () => nats.headers(), clock, report });
  report({ kind: 'connected', message: 'connected to nats', server: nc.getServer(), version: nc.info?.version ?? '' });
  const inbox = new Inbox(link, `${inboxPrefix}.${id}`);
  return { link, inbox, jetStream: new JetStream(inbox), id };
}

async function connectFirst(
  connect: () => Promise<NatsConnection>,
  { servers, likelyCause }: { readonly servers: string; readonly likelyCause: string },
  timeoutMs: number,
  clock: BusClock,
): Promise<NatsConnection> {
  const endsAtMs = clock.nowMs() + timeoutMs;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (HOPELESS.has(code)) {
        throw new SessionError('UNAUTHENTICATED', `the NATS server ${servers} refuses this service: ${code}`, {
          hint: 'check user, password, credentials file and certificates of the bus',
          cause: error,
        });
      }
      if (clock.nowMs() + RECONNECT_WAIT_MS >= endsAtMs) {
        const why = error instanceof Error ? error.message : String(error);
        throw new SessionError('NO_OWNER', `no NATS server answers at ${servers}: ${why}${likelyCause}`, {
          facts: { servers, timeoutMs },
          hint: 'start nats-server there (nats-server --jetstream), or name another one',
          cause: error,
        });
      }
      await sleep(clock, RECONNECT_WAIT_MS);
    }
  }
}

async function tryOften(make: () => Promise<void>, clock: BusClock): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await make();
    } catch (error) {
      if (error instanceof SessionError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const mayPass = isAway(error) || (isOverlap(error) && tried < OVERLAP_TRIES);
      if (!mayPass) throw new SessionError('CONFIG_INVALID', `streams and bucket cannot be made: ${why}`, { cause: error });
      if (tried >= PROVISION_TRIES) {
        throw new SessionError('NO_OWNER', `streams and bucket could not be made: ${why}`, {
          facts: { jetstreamAway: true },
          hint: 'start nats-server with JetStream (nats-server --jetstream)',
          cause: error,
        });
      }
      await sleep(clock, PROVISION_AGAIN_MS);
    }
  }
}

async function readCreds(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new SessionError('CONFIG_INVALID', `the NATS credentials file ${file} cannot be read`, { cause: error });
  }
}
