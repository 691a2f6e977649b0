import { CALL_HEADER } from '@sessions/contracts';
import type { CallMeta } from './bus';
import { idempotencyKeyOf, metaFromClient, metaFromHeaders, metaToHeaders } from './call-meta';

const full: CallMeta = {
  caller: 'agent:agent:main:telegram:group:Лаб 100%',
  scopes: ['operator.read', 'operator.write'],
  requestId: '3b1c6a52-3b39-4c57-9f0e-1d9c0f5d2a11',
  idempotencyKey: 'build-8812',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=1',
  hops: 4,
};

describe('the meta of a call', () => {
  it('comes back from its headers, which are visible ASCII', () => {
    const headers = metaToHeaders(full);
    expect(metaFromHeaders(headers)).toEqual(full);
    for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
  });

  it('leaves out what is absent', () => {
    const bare: CallMeta = { ...full, scopes: [], idempotencyKey: undefined, traceparent: undefined, tracestate: undefined, hops: 0 };
    expect(Object.keys(metaToHeaders(bare)).sort()).toEqual(
      [CALL_HEADER.CALLER, CALL_HEADER.HOPS, CALL_HEADER.REQUEST_ID, CALL_HEADER.SCOPES].sort(),
    );
    expect(metaFromHeaders(metaToHeaders(bare))).toEqual(bare);
  });

  it.each(['', 'a b', 'ü', 'x'.repeat(257), 'a\nb'])('refuses the idempotency key %j', (idempotencyKey) => {
    expect(() => metaToHeaders({ ...full, idempotencyKey })).toThrow('idempotencyKey');
    expect(() => metaFromClient({ 'sess-idempotency-key': idempotencyKey }, { caller: 'client:1', scopes: [] })).toThrow('idempotencyKey');
  });

  it.each(['-1', '1.5', 'many'])('refuses %j hops', (hops) => {
    expect(() => metaFromHeaders({ [CALL_HEADER.HOPS]: hops })).toThrow(CALL_HEADER.HOPS);
  });
});

describe('what a client says of itself', () => {
  const identity = { caller: 'client:c1', scopes: ['operator.read'] };

  it('is its request id, its key and its trace, in any case of the names', () => {
    const meta = metaFromClient(
      {
        'sess-request-id': full.requestId,
        'SESS-IDEMPOTENCY-KEY': 'k',
        Traceparent: full.traceparent ?? '',
        tracestate: 'vendor=1',
      },
      identity,
    );
    expect(meta).toEqual({ ...full, ...identity, idempotencyKey: 'k', hops: 0 });
  });

  it('is never its caller, its scopes or its hops', () => {
    const meta = metaFromClient(
      { 'sess-caller': 'service:router/1', 'sess-scopes': 'operator.admin', 'sess-hops': '-3' },
      identity,
    );
    expect(meta).toMatchObject({ ...identity, hops: 0 });
  });

  it('is replaced where it is malformed and harmless', () => {
    const meta = metaFromClient({ 'sess-request-id': 'x\ny', traceparent: 'nonsense', tracestate: 'a=b' }, identity);
    expect(meta.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(meta.traceparent).toBeUndefined();
    expect(meta.tracestate).toBeUndefined();
  });
});

describe('the key of a mutation', () => {
  it('is the caller\'s own, else the request id', () => {
    expect(idempotencyKeyOf(full)).toBe('build-8812');
    expect(idempotencyKeyOf({ ...full, idempotencyKey: undefined })).toBe(full.requestId);
  });
});
