/** Answers of the HTTP door: JSON, refusals in their one shape, and the texts that clients know. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SessionError } from '@sessions/domain';
import { PLAIN_BYTES_MAX, parseLargeJson } from '../large/large-json';

/** Largest body of a request that may carry attachments, bytes. */
export const BODY_BYTES_MAX = 25 * 1024 * 1024;
/** Largest body of every other request, bytes. */
export const SMALL_BODY_BYTES_MAX = PLAIN_BYTES_MAX;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** Of a body that is refused, so much more is read and dropped, and for so long. */
const DROPPED_BYTES_MAX = BODY_BYTES_MAX;
const DROPPING_MS_MAX = 5_000;

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body), 'utf8');
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

export function sendText(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

export function sendUnauthorized(response: ServerResponse): void {
  sendJson(response, 401, { error: { message: 'Unauthorized', type: 'unauthorized' } });
}

export function sendMethodNotAllowed(response: ServerResponse, allowed: readonly string[]): void {
  sendText(response, 405, 'Method Not Allowed', { allow: allowed.join(', ') });
}

const UNSERVED = { http: 503, httpType: 'unavailable' } as const;

/** A refusal as `{ ok: false, error: { type, message, reason } }`. */
export function sendRefusal(response: ServerResponse, error: SessionError): void {
  // Only a path that is known gets here: what it needs is not served, which may change.
  const { http, httpType } = error.reason === 'UNSUPPORTED' ? UNSERVED : error.faces;
  const { reason, message, hint, retryAfterMs } = error;
  const body = { ok: false, error: { type: httpType, message, reason, ...(hint !== undefined && { hint }) } };
  sendJson(response, http, body, retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) });
}

/** @throws TOO_LARGE above `bytesMax`, VALIDATION for a body that is not JSON */
export async function readJsonBody(request: IncomingMessage, bytesMax = SMALL_BODY_BYTES_MAX): Promise<unknown> {
  const tooLarge = (): SessionError => new SessionError('TOO_LARGE', `the body is larger than ${bytesMax} bytes`, { facts: { bound: bytesMax } });
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop must not end the connection: the refusal goes over it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    const body = Buffer.concat(chunks);
    if (!isUtf8(body)) throw new SyntaxError('bytes that are no UTF-8');
    // As a decoder leaves it out.
    return await parseLargeJson(body.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? body.subarray(BYTE_ORDER_MARK.length) : body);
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    throw new SessionError('VALIDATION', 'the body is not valid JSON', { cause });
  }
}

/**
 * Reads on without keeping anything, until the body ends or a bound is met: a client that is still
 * sending when the connection is closed never sees its answer.
 */
export function dropRest(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const done = (): void => {
      clearTimeout(timer);
      request.off('data', drop).off('end', done).off('close', done).pause();
      resolve();
    };
    const drop = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > DROPPED_BYTES_MAX) done();
    };
    const timer = setTimeout(done, DROPPING_MS_MAX);
    request.on('data', drop).on('end', done).on('close', done);
  });
}
