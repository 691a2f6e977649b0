/** Generators of entries: as texts with every spelling that JSON allows, and as values, odd and hostile ones included. */
import fc from 'fast-check';
import { anyCharacters } from './text-arbitraries';
import type { JsonObject, JsonValue } from '../json';

/** Names of members: known ones, legacy ones, such as would hurt a careless reader, any text. */
export const memberNames: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('sessionId', 'updatedAt', 'label', 'uuid', 'lastActive', 'state', 'origin', 'modelOverride', 'skillsSnapshot', 'provider', 'room', 'x') },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '0', '17', 'ä', '"', '\\', '\u0000', '😀') },
  { weight: 1, arbitrary: fc.string({ unit: anyCharacters, maxLength: 8 }).filter((name) => !/[\ud800-\udfff]/u.test(name)) },
);

const spaces = fc.constantFrom('', ' ', '\n', '\n    ', '\t', '\r\n  ');
/** Numbers as programs spell them; some lose their spelling or their value when parsed. */
const numberTexts = fc.oneof(fc.constantFrom('1.0', '-0', '1e400', '12345678901234567890', '0.10', '1E+2', '-1e-9'), fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)));
const stringTexts = fc.oneof(
  fc.constantFrom('"\\u0041"', '"\\/"', '"\\\\"', '"\\""', '"}"', '"]{,"', '"\\ud800"', '"a\\\\\\"b"'),
  fc.string().map((value) => JSON.stringify(value)),
);

const { value: valueTexts } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, depthSize: 'small' }, fc.constantFrom('true', 'false', 'null'), numberTexts, stringTexts, tie('array'), tie('object')),
  array: fc.tuple(fc.array(fc.tuple(spaces, tie('value'), spaces), { maxLength: 3 }), spaces).map(([items, space]) => (items.length === 0 ? `[${space}]` : `[${items.map((item) => item.join('')).join(',')}]`)),
  object: objectTexts(tie('value')),
}));

function objectTexts(values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const member = fc.tuple(spaces, memberNames, spaces, spaces, values, spaces).map(([before, name, afterName, beforeValue, value, after]) => `${before}${JSON.stringify(name)}${afterName}:${beforeValue}${value}${after}`);
  return fc.tuple(fc.array(member, { maxLength: 6 }), spaces).map(([members, space]) => (members.length === 0 ? `{${space}}` : `{${members.join(',')}}`));
}

/** JSON texts of objects in any spelling; names may stand twice. */
export const entryTexts: fc.Arbitrary<string> = fc.tuple(spaces, objectTexts(valueTexts), spaces).map((parts) => parts.join(''));

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const defined = (members: Readonly<Record<string, JsonValue | undefined>>): JsonObject => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
const instants = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 });
const tokens = fc.nat(300_000);

/** Entries as the gateway writes them. */
export const nativeEntries: fc.Arbitrary<JsonObject> = fc
  .record({
    sessionId: fc.uuid(),
    updatedAt: instants,
    sessionStartedAt: maybe(instants),
    lastInteractionAt: maybe(instants),
    label: maybe(fc.string({ minLength: 1, maxLength: 20 })),
    displayName: maybe(fc.string({ maxLength: 20 })),
    chatType: maybe(fc.constantFrom('direct', 'group', 'channel')),
    channel: maybe(fc.constantFrom('telegram', 'discord')),
    lastChannel: maybe(fc.constantFrom('telegram', 'webchat')),
    origin: maybe(fc.constant({ provider: 'telegram', from: 'telegram:1' } as const)),
    spawnedBy: maybe(fc.constantFrom('agent:main:main', 'agent:main:telegram:direct:1')),
    parentSessionKey: maybe(fc.constantFrom('agent:main:main', 'agent:main:telegram:direct:1')),
    modelProvider: maybe(fc.constantFrom('openai', 'anthropic', 'claude-cli')),
    model: maybe(fc.constantFrom('gpt-5', 'claude-sonnet-4', 'openai/gpt-5')),
    providerOverride: maybe(fc.constant('openai')),
    modelOverride: maybe(fc.constantFrom('gpt-5-mini', 'anthropic/claude-opus-4')),
    groupActivation: maybe(fc.constantFrom('mention', 'always')),
    verboseLevel: maybe(fc.constantFrom('on', 'off', 'full')),
    fastMode: maybe(fc.constantFrom<JsonValue>(true, false, 'auto')),
    inputTokens: maybe(tokens),
    totalTokens: maybe(tokens),
    totalTokensFresh: maybe(fc.boolean()),
    contextTokens: maybe(tokens),
    compactionCount: maybe(fc.nat(5)),
    memoryFlushCompactionCount: maybe(fc.nat(5)),
    status: maybe(fc.constantFrom('running', 'done', 'failed', 'killed', 'timeout')),
    unknownMember: maybe(fc.jsonValue() as fc.Arbitrary<JsonValue>),
  })
  .map(defined);

const isoInstants = instants.map((ms) => new Date(ms).toISOString());

/** Entries of the smaller format, some with members of their own. */
export const simpleEntries: fc.Arbitrary<JsonObject> = fc
  .record({
    uuid: fc.uuid(),
    created: maybe(isoInstants),
    lastActive: maybe(isoInstants),
    messageCount: maybe(fc.nat(500)),
    state: maybe(
      fc
        .record({
          model: maybe(fc.constantFrom<JsonValue>('anthropic/claude-sonnet-4', 'local', null)),
          modelOverride: maybe(fc.constantFrom<JsonValue>('openai/gpt-5', null)),
          activationMode: maybe(fc.constantFrom('mention', 'always')),
          lastCompaction: maybe(fc.oneof(isoInstants, fc.constant(null))),
          memoryFlushed: maybe(fc.boolean()),
          extra: maybe(fc.jsonValue() as fc.Arbitrary<JsonValue>),
        })
        .map(defined),
    ),
    compactionCount: maybe(fc.nat(3)),
    unknownMember: maybe(fc.jsonValue() as fc.Arbitrary<JsonValue>),
  })
  .map(defined);

/** Values under a key that no program should have written. */
export const oddEntries: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.record({ sessionId: fc.jsonValue(), updatedAt: fc.jsonValue(), sessionFile: fc.jsonValue() }),
  fc.record({ sessionId: fc.constantFrom('', '..', '../x', 'a/b', 'a\\b', 'a\u0000', 'a:b', 'a@b', '.a', 'x'.repeat(256)), updatedAt: fc.constantFrom<unknown>(-1, '2026', null, true, 1.5, 1e300) }),
  nativeEntries.chain((entry) => fc.dictionary(fc.constantFrom(...Object.keys(entry)), fc.jsonValue()).map((damage) => ({ ...entry, ...damage }))),
);
