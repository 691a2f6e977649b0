import { AppendRecordsRequest, DeliverRequest, ErrorDetails, SessionRow } from '@sessions/contracts';
import fc from 'fast-check';
import { anyCharacters } from '@sessions/domain/testing';
import { fits } from './payload-size';

const text = fc.string({ unit: anyCharacters, maxLength: 60 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

const row = fc
  .record({
    key: text,
    agentId: text,
    updatedAtMs: optional(fc.maxSafeInteger()),
    label: optional(text),
    originJson: optional(bytes),
    estimatedCostUsd: optional(fc.double()),
    spawnDepth: optional(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    systemSent: optional(fc.boolean()),
    childSessionKeys: fc.array(text, { maxLength: 5 }),
  })
  .map((fields) => [fields, SessionRow.encode(SessionRow.create(fields)).finish().length] as const);

const append = fc
  .record({ agentId: text, key: text, lines: fc.array(fc.oneof(bytes, fc.constant(Buffer.alloc(0))), { maxLength: 60, size: 'max' }), attempt: optional(fc.integer({ min: -5, max: 5 })) })
  .map((fields) => {
    const request = AppendRecordsRequest.create(fields);
    return [request, AppendRecordsRequest.encode(request).finish().length] as const;
  });

const details = fc
  .record({ reason: text, facts: fc.dictionary(text.filter((name) => name !== '__proto__'), fc.constant({ value: { $case: 'number' as const, value: 1 } })) })
  .map((fields) => {
    const message = ErrorDetails.create(fields);
    return [message, ErrorDetails.encode(message).finish().length] as const;
  });

const deliver = fc
  .record({ agentId: text, text, channel: text })
  .map((given) => {
    const request = DeliverRequest.create({
      agentId: given.agentId,
      route: { agentId: given.agentId, sessionKey: given.text, peer: { kind: 'direct', id: given.channel } },
      message: { role: 'user', text: given.text, attachments: [{ name: given.text, mimeType: 'a/b', content: Buffer.from(given.text) }] },
    });
    return [request, DeliverRequest.encode(request).finish().length] as const;
  });

describe('the size of a message passed by reference', () => {
  it('is never taken for smaller than its encoding: a bound one byte too low is looked into', () => {
    const unknown = () => Number.MAX_SAFE_INTEGER;
    fc.assert(
      fc.property(fc.oneof(row, append, details, deliver), ([message, size]) => {
        expect(fits(message, size - 1, unknown)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('decides as the encoded size does', () => {
    fc.assert(
      fc.property(fc.oneof(row, append, details, deliver), fc.integer({ min: -2, max: 2 }), ([message, size], off) => {
        expect(fits(message, size + off, () => size)).toBe(off >= 0);
      }),
    );
  });

  it('needs no encoding for ordinary messages', () => {
    const encoding = () => {
      throw new Error('encoded');
    };
    expect(fits({ key: 'k', lines: [Buffer.alloc(1000)] }, 900 * 1024, encoding)).toBe(true);
  });
});
