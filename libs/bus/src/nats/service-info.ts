/**
 * Discovery and statistics as NATS tools expect them (`nats micro ls`, `info`, `stats`): this service
 * answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` itself instead of through the client's service
 * framework. The framework subscribes once for each endpoint, which for ten thousand stores of some
 * thirty methods would be too much; here an endpoint is a method, whatever the number of stores.
 */
import type { Subscription } from 'nats';
import type { MethodShape } from '../bus';
import { methodOfPath } from '../subjects';
import type { Endpoints } from './endpoints';
import type { NatsLink } from './link';
import { NS_PER_MS } from './wire';

const VERSION = '0.1.0';
const TYPE = 'io.nats.micro.v1.';

export interface ServiceInfoOptions {
  readonly link: NatsLink;
  readonly endpoints: Endpoints;
  readonly service: string;
  readonly instance: string;
  /** Unique for this connection. */
  readonly id: string;
}

interface EndpointInfo {
  readonly name: string;
  readonly subject: string;
  readonly queue_group: string;
}

export class ServiceInfo {
  readonly #options: ServiceInfoOptions;
  readonly #subscriptions: Subscription[];
  readonly #started: string;

  constructor(options: ServiceInfoOptions) {
    this.#options = options;
    const { link, service, id } = options;
    this.#started = new Date(link.clock.nowMs()).toISOString();
    const answers = { PING: () => this.#identity('ping'), INFO: () => this.#info(), STATS: () => this.#stats() };
    this.#subscriptions = Object.entries(answers).flatMap(([verb, answer]) =>
      [`$SRV.${verb}`, `$SRV.${verb}.${service}`, `$SRV.${verb}.${service}.${id}`].map((subject) =>
        link.nc.subscribe(subject, {
          callback: (error, { reply }) => {
            if (error === null && reply !== undefined && reply !== '') link.sendIfConnected(reply, JSON.stringify(answer()));
          },
        }),
      ),
    );
  }

  close(): void {
    for (const subscription of this.#subscriptions) if (!subscription.isClosed()) subscription.unsubscribe();
  }

  #identity(kind: string): object {
    const { service, instance, id, endpoints } = this.#options;
    const metadata = { instance, prefixes: String(endpoints.groupsCount) };
    return { type: `${TYPE}${kind}_response`, name: service, id, version: VERSION, metadata };
  }

  #info(): object {
    return { ...this.#identity('info'), description: '', endpoints: [...this.#endpoints().values()] };
  }

  #stats(): object {
    const { stats } = this.#options.endpoints;
    const endpoints = [...this.#endpoints()].map(([method, info]) => {
      const { requests = 0, errors = 0, lastError = '', workedMs = 0 } = stats.get(method) ?? {};
      const processingTime = Math.round(workedMs * NS_PER_MS);
      return {
        ...info,
        num_requests: requests,
        num_errors: errors,
        last_error: lastError,
        processing_time: processingTime,
        average_processing_time: requests === 0 ? 0 : Math.round(processingTime / requests),
      };
    });
    return { ...this.#identity('stats'), started: this.#started, endpoints };
  }

  /** One for each method; the store's or run's own token is shown as `*`. */
  #endpoints(): Map<MethodShape, EndpointInfo> {
    const found = new Map<MethodShape, EndpointInfo>();
    for (const { method, subject, queueGroup } of this.#options.endpoints.list()) {
      if (found.has(method)) continue;
      const [prefix, area, service = '', ...rest] = subject.split('.');
      const shown = rest.length > 1 ? [prefix, area, service, '*', ...rest.slice(1)] : [prefix, area, service, ...rest];
      found.set(method, { name: `${service}-${methodOfPath(method.path)}`, subject: shown.join('.'), queue_group: queueGroup ?? '' });
    }
    return found;
  }
}
