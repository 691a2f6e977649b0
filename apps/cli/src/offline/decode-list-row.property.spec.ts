/** The short decoder against the generated one. */
import { decodeListRow } from './decode-list-row';
import { SessionRow } from '@sessions/contracts';
import * as fc from 'fast-check';

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }));
const count = fc.oneof(fc.integer(), fc.maxSafeInteger());
const shown = fc.record(
  {
    key: text, sessionId: text, chatType: text, spawnedBy: text, label: text, displayName: text, channel: text, thinkingLevel: text, verboseLevel: text, traceLevel: text,
    reasoningLevel: text, elevatedLevel: text, responseUsage: text, groupActivation: text, modelProvider: text, model: text, providerOverride: text, modelOverride: text,
    status: text, sessionFile: text, updatedAtMs: count, inputTokens: count, outputTokens: count, totalTokens: count, contextTokens: count, messageCount: count,
    totalTokensFresh: fc.boolean(), systemSent: fc.boolean(), abortedLastRun: fc.boolean(),
  },
  { requiredKeys: ['key'] },
);
/** Members that are passed over, one of each wire type. */
const other = fc.record({ agentId: text, subject: text, estimatedCostUsd: fc.double({ noNaN: true }), hasActiveRun: fc.boolean(), createdAtMs: count, originJson: fc.uint8Array().map((bytes) => Buffer.from(bytes)) }, { requiredKeys: ['agentId'] });

describe('the members of a row that a listing shows', () => {
  it('are those of the generated decoder', () => {
    fc.assert(
      fc.property(shown, other, (members, more) => {
        const encoded = SessionRow.encode(SessionRow.fromPartial({ ...members, ...more })).finish();
        const whole = SessionRow.decode(encoded);
        const decoded = decodeListRow(encoded);
        for (const name of Object.keys(members) as (keyof typeof members)[]) expect([name, decoded[name]]).toEqual([name, whole[name]]);
        for (const name of Object.keys(decoded) as (keyof SessionRow)[]) if (name !== 'agentId') expect([name, decoded[name]]).toEqual([name, whole[name]]);
      }),
      { numRuns: 300 },
    );
  });

  it('are refused when the bytes end too early', () => {
    const encoded = SessionRow.encode(SessionRow.fromPartial({ key: 'agent:main:main' })).finish();
    expect(() => decodeListRow(encoded.subarray(0, -1))).toThrow('in the middle');
  });
});
