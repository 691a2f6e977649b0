/**
 * What an orchestrator asks of a process, on a port of its own: `/healthz` (it runs), `/readyz` (it
 * should get work, else 503 with the reasons) and `/metrics` (Prometheus text).
 *
 * Needs no credentials and shows no data of any session; it still belongs on an inner network. It
 * outlives the services: while they drain it answers "not ready", so that nobody sends them more.
 * Bounds: PROBE_CONNECTIONS_MAX connections, PROBE_TIMEOUT_MS a request; bodies are not read.
 */
import type { Health, HealthReport } from './health';
import type { Metrics } from './metrics';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const PROBE_CONNECTIONS_MAX = 64;
export const PROBE_TIMEOUT_MS = 5_000;

export interface ProbesDeps {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly listen: {
    readonly host: string;
    /** 0: a free one. */
    readonly port: number;
  };
  /** Called before each answer about readiness: the moment to look at what tells of no change itself. */
  readonly beforeReport?: () => void;
}

export interface Probes {
  /** @throws the system's error when the address cannot be had (EADDRINUSE ...) */
  listen(): Promise<void>;
  /** Only while it listens. */
  address(): { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

/** Why a process should get no work: its phase, and each part that is down with its word. */
export function notReadyBecause({ phase, parts }: HealthReport): readonly string[] {
  const down = Object.entries(parts).flatMap(([name, part]) => (part.state === 'down' ? [part.reason === undefined ? name : `${name}: ${part.reason}`] : []));
  return phase === 'serving' ? down : [phase, ...down];
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function createProbes({ health, metrics, listen, beforeReport }: ProbesDeps): Probes {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    const json = (status: number, value: unknown) => ({ status, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` });
    if (path === '/healthz') return json(200, { live: true });
    if (path === '/metrics') return { status: 200, type: metrics.contentType, body: await metrics.text() };
    if (path !== '/readyz') return json(404, { paths: ['/healthz', '/readyz', '/metrics'] });
    beforeReport?.();
    const report = health.report();
    return json(report.ready ? 200 : 503, { ready: report.ready, phase: report.phase, state: report.state, reasons: notReadyBecause(report), parts: report.parts });
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', connection: 'close' }).end();
      return;
    }
    const { status, type, body } = await answer((request.url ?? '/').replace(/\?.*$/su, ''));
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  const server = createServer({ headersTimeout: PROBE_TIMEOUT_MS, requestTimeout: PROBE_TIMEOUT_MS }, (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  server.maxConnections = PROBE_CONNECTIONS_MAX;
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(listen.port, listen.host, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    address() {
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    },
    close: () =>
      new Promise((resolve) => {
        if (!server.listening) return resolve();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
