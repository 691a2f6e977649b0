import { TEXT_BYTES_MAX } from '@sessions/domain';
import { METHOD_PARAMS, TEXT_LENGTH_MAX, checkedParams } from './method-params';
import { parseFrame } from './gateway-frames';
import { arrayOf, closed, describeMisfit, integer, text, type Schema } from './schema';

const refusal = (method: string, params: unknown): string => {
  try {
    checkedParams(method, params);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('parameters of methods', () => {
  it('takes nothing as an empty object', () => {
    expect(checkedParams('sessions.list', undefined)).toEqual({});
    expect(checkedParams('sessions.list', null)).toEqual({});
  });

  it('names every problem, joined, in the known words', () => {
    expect(refusal('sessions.list', { limit: 0, bogus: 1 })).toBe(
      "invalid sessions.list params: at /limit: must be >= 1; at root: unexpected property 'bogus'",
    );
    expect(refusal('sessions.describe', {})).toBe("invalid sessions.describe params: must have required property 'key'");
    expect(refusal('sessions.list', { limit: 'all' })).toBe('invalid sessions.list params: at /limit: must be integer');
    expect(refusal('sessions.list', { limit: 1.5 })).toBe('invalid sessions.list params: at /limit: must be integer');
    expect(refusal('sessions.describe', { key: '' })).toBe('invalid sessions.describe params: at /key: must not have fewer than 1 characters');
    expect(refusal('sessions.list', [])).toBe('invalid sessions.list params: must be object');
    expect(refusal('sessions.preview', { keys: ['a', 7] })).toBe('invalid sessions.preview params: at /keys/1: must be string');
  });

  it('lets a nullable word be the word or null, and says what it could have been', () => {
    expect(refusal('sessions.patch', { key: 'main', sendPolicy: null })).toBe('accepted');
    expect(refusal('sessions.patch', { key: 'main', sendPolicy: 'deny' })).toBe('accepted');
    expect(refusal('sessions.patch', { key: 'main', sendPolicy: 'maybe' })).toBe(
      'invalid sessions.patch params: at /sendPolicy: must be equal to constant; at /sendPolicy: must be null; at /sendPolicy: must match a schema in anyOf',
    );
  });

  it('bounds the keys that a connection keeps, and the ids that a refusal repeats', () => {
    const long = 'k'.repeat(5000);
    for (const method of ['sessions.messages.subscribe', 'sessions.messages.unsubscribe']) {
      expect(refusal(method, { key: long })).toBe(`invalid ${method} params: at /key: must not have more than 4096 characters`);
      expect(refusal(method, { key: 'agent:main:main' })).toBe('accepted');
    }
    expect(refusal('sessions.compaction.get', { key: 'main', checkpointId: long })).toBe('invalid sessions.compaction.get params: at /checkpointId: must not have more than 4096 characters');
  });

  it('bounds every text of every method, so that no call is too large for what carries it', () => {
    const unbounded = (schema: Schema, at: string): string[] => {
      switch (schema.kind) {
        case 'string':
          return schema.maxLength === undefined && schema.maxBytes === undefined ? [at] : [];
        case 'union':
          return schema.options.flatMap((option) => unbounded(option, at));
        case 'array':
          return unbounded(schema.items, at);
        case 'object':
          return Object.entries(schema.members).flatMap(([member, inner]) => unbounded(inner, `${at}/${member}`));
        default:
          return [];
      }
    };
    // A piece of an upload has the bound of its frame.
    expect(Object.entries(METHOD_PARAMS).flatMap(([method, schema]) => unbounded(schema, method))).toEqual(['sessions.import.chunk/data']);
    expect(refusal('sessions.list', { search: 'x'.repeat(TEXT_LENGTH_MAX + 1) })).toBe(`invalid sessions.list params: at /search: must not have more than ${TEXT_LENGTH_MAX} characters`);
    expect(refusal('agent', { message: 'x', idempotencyKey: 'k', thinking: 'x'.repeat(TEXT_LENGTH_MAX + 1) })).toContain('at /thinking: must not have more than');
    const message = 'ä'.repeat(TEXT_BYTES_MAX / 2);
    expect(refusal('chat.send', { sessionKey: 'main', message, idempotencyKey: 'k' })).toBe('accepted');
    expect(refusal('chat.send', { sessionKey: 'main', message: `${message}x`, idempotencyKey: 'k' })).toBe(`invalid chat.send params: at /message: must not have more than ${TEXT_BYTES_MAX} bytes`);
  });

  it('has no upper bound for the limit of a list', () => {
    expect(refusal('sessions.list', { limit: 100_000 })).toBe('accepted');
  });

  it('does not take members of the prototype for given ones', () => {
    expect(describeMisfit(closed({ constructor: text }, ['constructor']), {})).toBe("must have required property 'constructor'");
  });

  it('bounds what it repeats of a hostile value', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`${'x'.repeat(200)}${place}`, 1]));
    expect(describeMisfit(closed({ a: integer(1) }), many)?.length).toBeLessThan(5000);
  });
});

describe('a hostile value', () => {
  it('is not looked through to its end once enough is wrong with it', () => {
    const members = Object.fromEntries(Array.from({ length: 5000 }, (_, place) => [`m${place}`, 'x']));
    const added = jest.spyOn(Set.prototype, 'add');
    try {
      for (const [schema, value] of [
        [closed({ a: integer(1) }), members],
        [{ kind: 'record', values: integer(1) }, members],
        [arrayOf(integer(1)), Object.values(members)],
      ] as const) {
        added.mockClear();
        expect(describeMisfit(schema, value)?.split('; ')).toHaveLength(20);
        expect(added.mock.calls.length).toBeLessThan(30);
      }
    } finally {
      added.mockRestore();
    }
  });
});

describe('frames', () => {
  it('reads a request', () => {
    expect(parseFrame('{"type":"req","id":"1","method":"health"}')).toEqual({ kind: 'request', frame: { id: '1', method: 'health', params: undefined } });
  });

  it('keeps the id of a frame that is no request', () => {
    expect(parseFrame('{"type":"req","id":7,"method":"health"}')).toEqual({ kind: 'invalid', id: 7, problem: 'invalid request frame: at /id: must be string' });
    expect(parseFrame('{"type":"req","id":"a","method":"health","extra":1}')).toMatchObject({ id: 'a', problem: "invalid request frame: at root: unexpected property 'extra'" });
    expect(parseFrame('[]')).toMatchObject({ kind: 'invalid', id: 'invalid', problem: 'invalid request frame: must be object' });
    expect(parseFrame('null')).toMatchObject({ kind: 'invalid', id: 'invalid' });
  });

  it('tells text that is not JSON', () => {
    expect(parseFrame('{')).toEqual({ kind: 'not-json' });
  });
});
