import { CALL_HEADER, ErrorDetails } from '@sessions/contracts';
import { REASONS, SessionError } from '@sessions/domain';
import type { Reason } from '@sessions/domain';
import { MAX_DETAILS_BYTES } from './limits';
import { errorFromHeaders, errorToHeaders, toSessionError } from './status';

const reasons = Object.keys(REASONS) as Reason[];

describe('a refusal on the wire', () => {
  it.each(reasons)('%s keeps its reason and its status', (reason) => {
    const error = new SessionError(reason, 'why', { facts: { a: 1 }, hint: 'do', retryAfterMs: 5 });
    const headers = errorToHeaders(error);
    expect(headers[CALL_HEADER.STATUS]).toBe(String(error.code));
    expect(errorFromHeaders(headers)).toMatchObject({
      reason, code: error.code, message: 'why', facts: { a: 1 }, hint: 'do', retryAfterMs: 5,
    });
  });

  it('carries any message as visible ASCII', () => {
    const message = 'line\r\nbreak: „%“ 日本 \u0000';
    const headers = errorToHeaders(new SessionError('VALIDATION', message));
    expect(headers[CALL_HEADER.MESSAGE]).toMatch(/^[\x21-\x7e]*$/);
    expect(errorFromHeaders(headers)?.message).toBe(message);
  });

  it('cuts a long message, even within a character', () => {
    const headers = errorToHeaders(new SessionError('VALIDATION', '𝄞'.repeat(5000).slice(1)));
    expect(headers[CALL_HEADER.MESSAGE]?.length).toBeLessThanOrEqual(9 * 2000);
    expect(errorFromHeaders(headers)?.reason).toBe('VALIDATION');
  });

  it('leaves out the hint, then facts, above the size of details', () => {
    const facts = Object.fromEntries(Array.from({ length: 50 }, (_, place) => [`fact${place}`, 'x'.repeat(200)]));
    const headers = errorToHeaders(new SessionError('VALIDATION', 'why', { facts, hint: 'y'.repeat(3000) }));
    const details = Buffer.from(headers[CALL_HEADER.DETAILS] ?? '', 'base64');
    expect(details.length).toBeLessThanOrEqual(MAX_DETAILS_BYTES);
    const { facts: kept, hint } = ErrorDetails.decode(details);
    expect(hint).toBeUndefined();
    expect(Object.keys(kept).length).toBeGreaterThan(10);
    expect(kept['fact0']?.value?.value).toBe('x'.repeat(200));
  });

  it('of a reason that is not known here is taken as its status says, and names the reason', () => {
    const details = Buffer.from(ErrorDetails.encode(ErrorDetails.create({ reason: 'FROM_TOMORROW' })).finish());
    const error = errorFromHeaders({
      [CALL_HEADER.STATUS]: '8', [CALL_HEADER.MESSAGE]: 'full', [CALL_HEADER.DETAILS]: details.toString('base64'),
    });
    expect(error).toMatchObject({ reason: 'OVERLOADED', message: 'full', facts: { reason: 'FROM_TOMORROW' } });
  });

  it('is still a refusal when message and details are broken', () => {
    const error = errorFromHeaders({ [CALL_HEADER.STATUS]: '14', [CALL_HEADER.MESSAGE]: '%E0%A4%A', [CALL_HEADER.DETAILS]: '/////w==' });
    expect(error).toMatchObject({ reason: 'NO_OWNER', message: '%E0%A4%A' });
  });

  it('is none when the status is 0 or absent', () => {
    expect(errorFromHeaders({})).toBeUndefined();
    expect(errorFromHeaders({ [CALL_HEADER.STATUS]: '0' })).toBeUndefined();
  });
});

describe('anything thrown', () => {
  it('is shown as it is when it is a refusal, else as a fault without its text', () => {
    const refusal = new SessionError('MAIN_PROTECTED', 'no');
    expect(toSessionError(refusal)).toBe(refusal);
    const fault = new TypeError('secret');
    expect(toSessionError(fault)).toMatchObject({ reason: 'INTERNAL', message: 'internal error', cause: fault });
  });
});
