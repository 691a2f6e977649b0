/**
 * The methods that this connection serves.
 *
 * One wildcard subscription carries all methods under one prefix (all of a subject but its last
 * token) and queue group, so an owner of ten thousand stores holds ten thousand subscriptions, not
 * one for each method of each. A call under such a prefix to a method that nobody here serves is
 * answered UNSUPPORTED; to one that was stopped, NO_OWNER.
 */
import { SessionError } from '@sessions/domain';
import type { Msg, Subscription } from 'nats';
import type { MethodShape, Rpc, Served, ServeOptions } from '../bus';
import { metaFromHeaders } from '../call-meta';
import { defaultDeadlineMs, timeoutFromHeaders } from '../deadlines';
import { MAX_CALLS_IN_FLIGHT } from '../limits';
import { STATUS_OK, errorToHeaders, toSessionError } from '../status';
import type { NatsRpcOptions } from './rpc';
import { ServedCall } from './served-call';
import { StreamSender } from './stream-sender';
import { readHeaders } from './wire';

export type RawHandler = Parameters<Rpc['serve']>[2];

/** One method served once; its counts are what the service API tells. */
export interface Endpoint {
  readonly subject: string;
  readonly method: MethodShape;
  readonly handler: RawHandler;
  readonly queueGroup: string | undefined;
  readonly calls: Set<Promise<unknown>>;
  readonly streams: Set<StreamSender>;
}

/** Calls since the start by what they asked for; bounded by the methods of the contract. */
export interface MethodStats {
  requests: number;
  errors: number;
  lastError: string;
  workedMs: number;
}

interface Group {
  readonly queueGroup: string | undefined;
  readonly subscription: Subscription;
  readonly ready: Promise<void>;
  /** By subject; the newest last. */
  readonly endpoints: Map<string, Endpoint[]>;
  /** Served here before: their callers are to ask again, not to give up. */
  readonly stopped: Set<string>;
}

export class Endpoints {
  readonly #options: NatsRpcOptions;
  readonly #groups = new Map<string, Group>();
  readonly stats = new Map<MethodShape, MethodStats>();
  #turn = 0;

  constructor(options: NatsRpcOptions) {
    this.#options = options;
  }

  /** Everything that is served now. */
  *list(): Iterable<Endpoint> {
    for (const { endpoints } of this.#groups.values()) for (const many of endpoints.values()) yield* many;
  }

  get groupsCount(): number {
    return this.#groups.size;
  }

  /** @throws CONFIG_INVALID when the server refuses the subscription */
  async serve(subject: string, method: MethodShape, handler: RawHandler, { queueGroup }: ServeOptions): Promise<Served> {
    const key = groupKey(subject, queueGroup);
    const group = this.#groups.get(key) ?? this.#openGroup(key, subject, queueGroup);
    const endpoint: Endpoint = { subject, method, handler, queueGroup, calls: new Set(), streams: new Set() };
    group.endpoints.set(subject, [...(group.endpoints.get(subject) ?? []), endpoint]);
    group.stopped.delete(subject);
    try {
      await group.ready;
    } catch (error) {
      await this.#stop(key, group, endpoint);
      throw error;
    }
    return { stop: () => this.#stop(key, group, endpoint) };
  }

  async close(): Promise<void> {
    const open = [...this.#groups].flatMap(([key, group]) =>
      [...group.endpoints.values()].flat().map((endpoint) => this.#stop(key, group, endpoint)),
    );
    await Promise.all(open);
  }

  #openGroup(key: string, subject: string, queueGroup: string | undefined): Group {
    const { link } = this.#options;
    const pattern = `${prefixOf(subject)}.*`;
    const endpoints = new Map<string, Endpoint[]>();
    const subscription = link.nc.subscribe(pattern, {
      ...(queueGroup !== undefined && { queue: queueGroup }),
      callback: (error, msg) => {
        if (error === null) this.#dispatch(group, msg);
      },
    });
    const group: Group = { queueGroup, subscription, ready: link.confirm(pattern, subscription), endpoints, stopped: new Set() };
    // Whoever serves waits for it; nobody may be there to do so when the bus closes meanwhile.
    group.ready.catch(() => undefined);
    this.#groups.set(key, group);
    return group;
  }

  #dispatch(group: Group, msg: Msg): void {
    const { reply, subject } = msg;
    if (reply === undefined || reply === '') return;
    const endpoint = this.#choose(group, subject);
    try {
      if (endpoint === undefined) {
        throw group.stopped.has(subject)
          ? new SessionError('NO_OWNER', `${subject} is no longer served here`, { facts: { subject } })
          : new SessionError('UNSUPPORTED', `${subject} is not served here`, { facts: { subject } });
      }
      this.#begin(endpoint, msg, reply);
    } catch (error) {
      const headers = errorToHeaders(toSessionError(error));
      this.#options.link.sendIfConnected(reply, undefined, { headers });
    }
  }

  /** The newest server without a group, else the members of the group here in turn. */
  #choose({ endpoints, queueGroup }: Group, subject: string): Endpoint | undefined {
    const served = endpoints.get(subject) ?? [];
    if (queueGroup === undefined) return served.at(-1);
    this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER;
    return served[this.#turn % Math.max(1, served.length)];
  }

  #begin(endpoint: Endpoint, msg: Msg, reply: string): void {
    const { method } = endpoint;
    const { link, inbox, timing, losesStreamMessage } = this.#options;
    if (endpoint.calls.size + endpoint.streams.size >= MAX_CALLS_IN_FLIGHT) {
      throw new SessionError('OVERLOADED', `${method.path} has ${MAX_CALLS_IN_FLIGHT} calls under way`, { retryAfterMs: 100 });
    }
    const headers = readHeaders(msg.headers);
    const meta = metaFromHeaders(headers);
    const timeoutMs = timeoutFromHeaders(headers, defaultDeadlineMs(method));
    const request = readRequest(method, msg);
    const beganAtMs = link.clock.nowMs();
    const ended = (error: SessionError | undefined): void => this.#count(method, link.clock.nowMs() - beganAtMs, error);
    if (method.responseStream) {
      const loses = losesStreamMessage && ((seq: number) => losesStreamMessage(endpoint.subject, seq));
      const sender = new StreamSender({ link, inbox, timing, reply, method, silenceMs: timeoutMs, ...(loses && { loses }) });
      endpoint.streams.add(sender);
      void sender.run(endpoint.handler, request, meta).then((error) => {
        endpoint.streams.delete(sender);
        ended(error);
      });
    } else {
      const call = new ServedCall({ link, inbox, reply, method, timeoutMs });
      const running = call.run(endpoint.handler, request, meta).then((error) => {
        endpoint.calls.delete(running);
        ended(error);
      });
      endpoint.calls.add(running);
    }
  }

  #count(method: MethodShape, workedMs: number, error: SessionError | undefined): void {
    const stats = this.stats.get(method) ?? { requests: 0, errors: 0, lastError: '', workedMs: 0 };
    stats.requests += 1;
    stats.workedMs += workedMs;
    if (error !== undefined && error.code !== STATUS_OK) {
      stats.errors += 1;
      stats.lastError = `${error.code}:${error.reason}`;
    }
    this.stats.set(method, stats);
  }

  async #stop(key: string, group: Group, endpoint: Endpoint): Promise<void> {
    const { subject, method } = endpoint;
    const served = group.endpoints.get(subject) ?? [];
    if (served.includes(endpoint)) {
      const left = served.filter((one) => one !== endpoint);
      if (left.length > 0) group.endpoints.set(subject, left);
      else {
        group.endpoints.delete(subject);
        group.stopped.add(subject);
      }
      if (group.endpoints.size === 0) {
        this.#groups.delete(key);
        // Calls that are on their way here are still answered.
        if (!group.subscription.isClosed()) void group.subscription.drain().catch(() => undefined);
      }
    }
    for (const sender of endpoint.streams) sender.stop(new SessionError('SHUTTING_DOWN', `${method.path} is stopping`));
    await Promise.all(endpoint.calls);
  }
}

const prefixOf = (subject: string): string => subject.slice(0, subject.lastIndexOf('.'));

const groupKey = (subject: string, queueGroup: string | undefined): string => `${prefixOf(subject)} ${queueGroup ?? ''}`;

/** @throws VALIDATION for bytes that are no request of the method */
function readRequest(method: MethodShape, { data }: Msg): unknown {
  try {
    return method.requestDeserialize(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  } catch (error) {
    throw new SessionError('VALIDATION', `the request of ${method.path} cannot be read`, { cause: error });
  }
}
