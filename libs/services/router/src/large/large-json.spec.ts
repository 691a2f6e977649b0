import { JSON_DEPTH_MAX } from '@sessions/domain';
import fc from 'fast-check';
import { CONTENT_BYTES_MAX, PLAIN_BYTES_MAX, REST_BYTES_MAX, parseLargeJson } from './large-json';

const parse = (json: string): Promise<unknown> => parseLargeJson(Buffer.from(json));
const FILE = Buffer.alloc(PLAIN_BYTES_MAX, 'a picture').toString('base64');

/** JSON values, some of whose texts are long enough to be cut out, or nearly so. */
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, true, 1.5, ''),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom(32 * 1024 - 1, 32 * 1024, 100_000).map((length) => 'QUJD'.repeat(length / 4 + 1).slice(0, length)),
    fc.constantFrom('"', '\\', '\\\\"', 'ä', '\u0001', '\n', ':').map((odd) => `${'x'.repeat(40_000)}${odd}`),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 5 }), fc.constant('k'.repeat(40_000))), tie('any'), { maxKeys: 4 }),
  ),
})).any;

it('says of every JSON what the parser says', async () => {
  await fc.assert(
    fc.asyncProperty(value, fc.constantFrom(undefined, 1), async (inner, indent) => {
      const json = JSON.stringify({ files: [FILE], inner }, null, indent);
      const within = Buffer.byteLength(JSON.stringify({ inner }, null, indent)) < REST_BYTES_MAX;
      if (within) expect(await parse(json)).toEqual(JSON.parse(json));
    }),
    { numRuns: 150 },
  );
});

it('says of what is no JSON that it is none, wherever the damage is', async () => {
  const json = JSON.stringify({ files: [FILE, FILE], after: 'x' });
  const places = [0, 1, 5, 10, json.indexOf(FILE) - 1, json.indexOf(FILE) + FILE.length, json.length - 3, json.length - 1];
  for (const place of places) {
    for (const damage of [json.slice(0, place), `${json.slice(0, place)}"${json.slice(place)}`, `${json.slice(0, place)}\u0001${json.slice(place)}`]) {
      await expect(parse(damage)).rejects.toThrow();
    }
  }
  await expect(parse(`{"file":"${FILE.slice(0, 50_000)}\n${FILE}"}`)).rejects.toThrow('control character');
});

it.each([
  ['numbers', `[${'1,'.repeat(REST_BYTES_MAX)}1]`],
  ['short texts', `[${'"x",'.repeat(REST_BYTES_MAX)}1]`],
  ['escapes', `["${'\\"'.repeat(REST_BYTES_MAX)}"]`],
  ['one run of backslashes', `["${'\\'.repeat(4 * REST_BYTES_MAX)}"]`],
  ['brackets', '['.repeat(3 * REST_BYTES_MAX)],
  ['text beyond ASCII', `["${'ä'.repeat(REST_BYTES_MAX)}"]`],
  ['names of members', `{"${'x'.repeat(2 * REST_BYTES_MAX)}":1}`],
  ['a content that no file may have', `["${'x'.repeat(CONTENT_BYTES_MAX + 1)}"]`],
])('refuses unparsed what is large for its %s', async (_what, json) => {
  await expect(parse(json)).rejects.toMatchObject({ reason: 'TOO_LARGE' });
});

it('puts contents back where they stood, however deep, and under whatever name', async () => {
  const deep = `${'['.repeat(JSON_DEPTH_MAX)}"${FILE}"${']'.repeat(JSON_DEPTH_MAX)}`;
  let inner = await parse(deep);
  while (Array.isArray(inner)) [inner] = inner as [unknown];
  expect(inner).toBe(FILE);
  expect(Object.entries((await parse(`{"__proto__":{"a":"${FILE}"},"constructor":"${FILE}"}`)) as object)).toEqual([['__proto__', { a: FILE }], ['constructor', FILE]]);
});
