import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionError } from '@sessions/domain';
import { scanSessionsFile, scanSessionsFileSync } from './scan-sessions-file';
import { ENTRY_BYTES_MAX, SessionsFileScanner, type ScannedEntry, type ScanSummary } from './scanner';

function scan(bytes: Buffer | string, chunkBytes = 7): { entries: ScannedEntry[]; summary: ScanSummary } {
  const buffer = Buffer.from(bytes as string);
  const scanner = new SessionsFileScanner();
  const entries: ScannedEntry[] = [];
  for (let at = 0; at < buffer.length; at += chunkBytes) {
    scanner.push(buffer.subarray(at, at + chunkBytes), (entry) => entries.push(entry));
  }
  return { entries, summary: scanner.end() };
}

function damage(bytes: Buffer | string, chunkBytes = 7): SessionError {
  try {
    scan(bytes, chunkBytes);
  } catch (error) {
    if (error instanceof SessionError) return error;
    throw error;
  }
  throw new Error('the scanner accepted it');
}

describe('SessionsFileScanner', () => {
  it('hands out keys and the verbatim bytes of their values in file order', () => {
    const text = '{\n  "b": {\n    "sessionId": "x",   "n": 1.50e1\n  },\n  "10": [1, 2],\n  "a": {}\n}';
    const { entries } = scan(text);
    expect(entries.map((entry) => entry.key)).toEqual(['b', '10', 'a']);
    expect(entries.map((entry) => entry.valueBytes.toString())).toEqual([
      '{\n    "sessionId": "x",   "n": 1.50e1\n  }',
      '[1, 2]',
      '{}',
    ]);
    for (const entry of entries) {
      expect(text.slice(entry.offset, entry.offset + entry.valueBytes.length)).toBe(entry.valueBytes.toString());
    }
    expect(entries[0]?.value).toEqual({ sessionId: 'x', n: 15 });
  });

  it('hands out values that are no objects', () => {
    const { entries } = scan('{"a":null,"b":-1.5e+3,"c":"x\\"}","d":true ,"e":[],"f":false}');
    expect(entries.map((entry) => entry.valueBytes.toString())).toEqual(['null', '-1.5e+3', '"x\\"}"', 'true', '[]', 'false']);
    expect(entries.map((entry) => entry.value)).toEqual([null, -1500, 'x"}', true, [], false]);
  });

  it('tells an empty file from an empty object', () => {
    expect(scan('').summary).toMatchObject({ outcome: 'empty', bytes: 0 });
    expect(scan(' {\n} \n').summary).toMatchObject({ outcome: 'scanned', bytes: 6, entriesCount: 0, byteOrderMark: false });
  });

  it.each([1, 2, 3, 4, 50])('accepts a byte order mark when chunks have %i bytes', (chunkBytes) => {
    const { entries, summary } = scan('\ufeff{"a":{}}', chunkBytes);
    expect(summary.byteOrderMark).toBe(true);
    expect(entries).toHaveLength(1);
    expect(entries[0]?.offset).toBe(8);
  });

  it('keeps a key named __proto__', () => {
    const { entries } = scan('{"__proto__":{"__proto__":{"sessionId":"x"}}}');
    expect(entries.map((entry) => entry.key)).toEqual(['__proto__']);
    expect(Object.keys(entries[0]?.value as object)).toEqual(['__proto__']);
  });

  it('marks the later ones of equal keys, whatever their spelling', () => {
    const { entries, summary } = scan('{"ab":1,"b":2,"\\u0061b":3,"b":4}');
    expect(entries.map((entry) => [entry.key, entry.duplicateKey])).toEqual([
      ['ab', false],
      ['b', false],
      ['ab', true],
      ['b', true],
    ]);
    expect(summary.duplicateKeysCount).toBe(2);
  });

  it('tells canonical key spellings from others', () => {
    const { entries } = scan('{"a\\"b":1,"\\u0061":2,"\\/":3,"ö":4,"\\u00f6":5,"\\ud800":6}');
    expect(entries.map((entry) => entry.key)).toEqual(['a"b', 'a', '/', 'ö', 'ö', '\ud800']);
    expect(entries.map((entry) => entry.keyBytesEqualCanonical)).toEqual([true, false, false, true, false, true]);
  });

  it('owns its bytes: the chunk may be overwritten afterwards', () => {
    const scanner = new SessionsFileScanner();
    const chunk = Buffer.from('{"a":{"x":1},"b":{"y":');
    const entries: ScannedEntry[] = [];
    scanner.push(chunk, (entry) => entries.push(entry));
    chunk.fill(0x20);
    scanner.push(Buffer.from('2}}'), (entry) => entries.push(entry));
    expect(entries.map((entry) => entry.valueBytes.toString())).toEqual(['{"x":1}', '{"y":2}']);
  });

  it.each<[string, string | Buffer, number, string]>([
    ['content after the closing brace', '{"a":{}} x', 9, 'nothing after the closing "}"'],
    ['a second document', '{}{}', 2, 'nothing after the closing "}"'],
    ['an array at the top', '[{}]', 0, 'the opening "{" of an object'],
    ['a file of NULs', Buffer.alloc(40), 0, 'the opening "{" of an object'],
    ['NULs instead of the tail', Buffer.concat([Buffer.from('{"a":{},'), Buffer.alloc(9)]), 8, 'a session key in quotes'],
    ['NULs within a value', '{"a":{"b":\0\0}}', 10, 'a value'],
    ['blanks only', ' \n ', 3, 'the opening "{" of an object'],
    ['a byte order mark only', '\ufeff', 3, 'the opening "{" of an object'],
    ['half a byte order mark', Buffer.from([0xef, 0x7b, 0x7d]), 1, 'the rest of a byte order mark'],
    ['truncation between entries', '{"a":{}', 7, '"," or "}"'],
    ['truncation within a value', '{"a":{"b":1', 11, 'the rest of an entry'],
    ['truncation within a key', '{"a', 3, 'the closing quote of a session key'],
    ['a comma before the end', '{"a":1,}', 7, 'a session key in quotes'],
    ['a missing colon', '{"a" {}}', 5, '":"'],
    ['a missing value', '{"a":}', 5, 'a value'],
    ['a missing comma', '{"a":{} "b":{}}', 8, '"," or "}"'],
    ['a name without quotes', '{a:1}', 1, 'a session key in quotes or "}"'],
    ['a wrong bracket in a value', '{"a":{"b":[1}]}}', 12, '"," or "]"'],
    ['a wrong literal', '{"a":nul}', 8, 'the literal null'],
    ['a leading zero', '{"a":01}', 6, 'the end of the value'],
    ['a bare line feed in a string', '{"a":{"b":"x\ny"}}', 12, 'an escape instead of a bare control character in a string'],
    ['a bad escape in a key', '{"a\\x":1}', 4, 'a valid escape after a backslash'],
    ['a tab in a key', '{"a\t":1}', 3, 'an escape instead of a bare control character in a string'],
    ['invalid UTF-8 in a value', Buffer.from('7b2261223a7b2262223a22c328227d7d', 'hex'), 11, 'valid UTF-8'],
    ['invalid UTF-8 in a key', Buffer.from('7b2261ff223a317d', 'hex'), 3, 'valid UTF-8'],
  ])('refuses %s with its byte offset', (_what, bytes, offset, expected) => {
    for (const chunkBytes of [1, 3, 1000]) {
      const error = damage(bytes, chunkBytes);
      expect(error.reason).toBe('STORE_UNREADABLE');
      expect(error.facts).toEqual({ offset, expected });
      expect(error.message).toContain(`byte ${offset}`);
    }
  });

  it('never quotes the text of a damaged file', () => {
    const error = damage('{"a":{"text":"my secret" "more"}}');
    expect(`${error.message} ${JSON.stringify(error.facts)} ${String(error.cause)}`).not.toContain('secret');
  });

  it('refuses an entry beyond the bound without collecting all of it', () => {
    const scanner = new SessionsFileScanner();
    scanner.push(Buffer.from('{"a":{"text":"'), () => undefined);
    const chunk = Buffer.alloc(8 * 1024 * 1024, 0x61);
    let refused: unknown;
    for (let sent = 0; sent < 2 * ENTRY_BYTES_MAX && !refused; sent += chunk.length) {
      try {
        scanner.push(chunk, () => undefined);
      } catch (error) {
        refused = error;
        expect(sent).toBeLessThanOrEqual(ENTRY_BYTES_MAX);
      }
    }
    expect(refused).toMatchObject({ reason: 'STORE_UNREADABLE', facts: { offset: 5 } });
  });

  it('reads deeply nested values without exhausting the stack', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(scan(`{"a":${deep}}`, 4096).entries[0]?.valueBytes.length).toBe(200_000);
    expect(damage(`{"a":${deep.slice(0, -1)}}}`, 4096).reason).toBe('STORE_UNREADABLE');
  });
});

describe('scanSessionsFile', () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scan-'));
    file = join(directory, 'sessions.json');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('reads the same entries with and without blocking', async () => {
    const store = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`agent:main:direct:${n}`, { sessionId: `s${n}`, note: 'ü'.repeat(n) }]));
    writeFileSync(file, JSON.stringify(store, null, 2));
    const seen: Record<string, unknown> = {};
    const fd = openSync(file, 'r');
    const summary = scanSessionsFileSync(fd, (entry) => (seen[entry.key] = entry.value), { chunkBytes: 777 });
    closeSync(fd);
    expect(seen).toEqual(store);

    const handle = await open(file, 'r');
    const again: Record<string, unknown> = {};
    const entries = scanSessionsFile(handle, { chunkBytes: 64 * 1024 });
    let step = await entries.next();
    for (; !step.done; step = await entries.next()) again[step.value.key] = step.value.value;
    await handle.close();
    expect(again).toEqual(store);
    expect(step.value).toEqual(summary);
    expect(summary).toMatchObject({ outcome: 'scanned', entriesCount: 500 });
  });

  it('hands out what stands before the damage and then refuses', () => {
    writeFileSync(file, '{"a":{},"b":{},oops');
    const fd = openSync(file, 'r');
    const keys: string[] = [];
    expect(() => scanSessionsFileSync(fd, (entry) => keys.push(entry.key), { chunkBytes: 4 })).toThrow(SessionError);
    closeSync(fd);
    expect(keys).toEqual(['a', 'b']);
  });

  it.each([4, 1000])('does so without blocking too, in chunks of %i bytes', async (chunkBytes) => {
    writeFileSync(file, '{"a":{},"b":{},oops');
    const handle = await open(file, 'r');
    const keys: string[] = [];
    await expect(async () => {
      for await (const entry of scanSessionsFile(handle, { chunkBytes })) keys.push(entry.key);
    }).rejects.toMatchObject({ reason: 'STORE_UNREADABLE', facts: { offset: 15 } });
    await handle.close();
    expect(keys).toEqual(['a', 'b']);
  });
});
