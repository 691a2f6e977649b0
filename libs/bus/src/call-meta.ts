/**
 * Who calls and why, as headers beside a message, and back.
 *
 * Inside, headers are made from a CallMeta only, so nothing a client sent can become one. At the
 * edge `metaFromClient` takes what a client may say and ignores what only the edge may.
 */
import { randomUUID } from 'node:crypto';
import { CALL_HEADER } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallMeta } from './bus';
import { MAX_HEADER_BYTES, checkSize } from './limits';

/** Header name as in CALL_HEADER -> value. */
export type Headers = Readonly<Record<string, string>>;

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,256}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Whom the edge found the client to be. */
export interface ClientIdentity {
  readonly caller: string;
  readonly scopes: readonly string[];
}

/** @throws TOO_LARGE, VALIDATION for an idempotency key outside its grammar */
export function metaToHeaders(meta: CallMeta): Headers {
  const headers: Record<string, string> = {
    [CALL_HEADER.CALLER]: encodeURI(meta.caller),
    [CALL_HEADER.SCOPES]: meta.scopes.join(','),
    [CALL_HEADER.REQUEST_ID]: meta.requestId,
    [CALL_HEADER.HOPS]: String(meta.hops),
  };
  if (meta.idempotencyKey !== undefined) {
    headers[CALL_HEADER.IDEMPOTENCY_KEY] = checkedIdempotencyKey(meta.idempotencyKey);
  }
  if (meta.traceparent !== undefined) headers[CALL_HEADER.TRACEPARENT] = meta.traceparent;
  if (meta.tracestate !== undefined) headers[CALL_HEADER.TRACESTATE] = meta.tracestate;
  checkHeaderSize(headers);
  return headers;
}

/** @throws VALIDATION for headers that `metaToHeaders` does not write */
export function metaFromHeaders(headers: Headers): CallMeta {
  const scopes = headers[CALL_HEADER.SCOPES] ?? '';
  const hops = Number(headers[CALL_HEADER.HOPS] ?? '0');
  if (!Number.isInteger(hops) || hops < 0) {
    throw new SessionError('VALIDATION', `${CALL_HEADER.HOPS} is no number of hops`);
  }
  const idempotencyKey = headers[CALL_HEADER.IDEMPOTENCY_KEY];
  return {
    caller: decodeURI(headers[CALL_HEADER.CALLER] ?? ''),
    scopes: scopes === '' ? [] : scopes.split(','),
    requestId: headers[CALL_HEADER.REQUEST_ID] ?? randomUUID(),
    idempotencyKey: idempotencyKey === undefined ? undefined : checkedIdempotencyKey(idempotencyKey),
    traceparent: headers[CALL_HEADER.TRACEPARENT],
    tracestate: headers[CALL_HEADER.TRACESTATE],
    hops,
  };
}

/**
 * What a client's own headers (names in any case) come to. Caller, scopes and hops are the edge's
 * and are ignored; a malformed trace or request id is replaced, not refused.
 *
 * @throws VALIDATION for an idempotency key outside its grammar
 */
export function metaFromClient(headers: Headers, identity: ClientIdentity): CallMeta {
  const given = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const read = (name: string) => given.get(name.toLowerCase());
  const requestId = read(CALL_HEADER.REQUEST_ID);
  const idempotencyKey = read(CALL_HEADER.IDEMPOTENCY_KEY);
  const traceparent = read(CALL_HEADER.TRACEPARENT);
  const traced = traceparent !== undefined && TRACEPARENT.test(traceparent);
  return {
    caller: identity.caller,
    scopes: identity.scopes,
    requestId: requestId !== undefined && UUID.test(requestId) ? requestId : randomUUID(),
    idempotencyKey: idempotencyKey === undefined ? undefined : checkedIdempotencyKey(idempotencyKey),
    traceparent: traced ? traceparent : undefined,
    tracestate: traced ? read(CALL_HEADER.TRACESTATE) : undefined,
    hops: 0,
  };
}

/** A mutation's key: the caller's own, else the request id, which internal retries keep. */
export function idempotencyKeyOf(meta: CallMeta): string {
  return meta.idempotencyKey ?? meta.requestId;
}

function checkedIdempotencyKey(key: string): string {
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw new SessionError('VALIDATION', `idempotencyKey (${CALL_HEADER.IDEMPOTENCY_KEY}): must be 1 to 256 visible ASCII characters`, { facts: { parameter: 'idempotencyKey' } });
  }
  return key;
}

/** @throws TOO_LARGE */
export function checkHeaderSize(headers: Headers): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  checkSize('the headers', bytes, MAX_HEADER_BYTES);
}
