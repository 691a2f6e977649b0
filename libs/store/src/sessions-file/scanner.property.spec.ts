import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { anyCharacters } from '@sessions/domain/testing';
import { SessionError } from '@sessions/domain';
import { firstInvalidUtf8, locateJsonFault } from './json-fault';
import { SessionsFileScanner, type ScannedEntry } from './scanner';

/** Cuts at the given sizes, over and over. */
function scanInChunks(bytes: Buffer, sizes: readonly number[]): ScannedEntry[] {
  const scanner = new SessionsFileScanner();
  const entries: ScannedEntry[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    scanner.push(bytes.subarray(at, at + size), (entry) => entries.push(entry));
    at += size;
  }
  scanner.end();
  return entries;
}

/** The whole-file reading that the scanner must equal; undefined when it refuses. */
function parseWhole(bytes: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function toStore(entries: readonly ScannedEntry[], valueOf: (entry: ScannedEntry) => unknown): Map<string, unknown> {
  return new Map(entries.map((entry) => [entry.key, valueOf(entry)]));
}

const keys = fc.oneof(
  fc.string({ unit: anyCharacters, maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', '', '0', 'agent:main:main', '"', '\\', '{', '\u2028'),
);
const stores = fc.array(fc.tuple(keys, fc.jsonValue({ maxDepth: 4 })), { maxLength: 12 });
const blanks = fc.constantFrom('', ' ', '\n', '\r\n\t', '    ');
const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const indents = fc.constantFrom(0, 1, 2, 4);

/** Text of a store with its own spacing, member by member; keys may repeat. */
const texts = fc
  .tuple(stores, blanks, blanks, indents, fc.boolean())
  .map(([members, before, after, indent, mark]) => {
    const body = members.map(([key, value]) => `${before}${JSON.stringify(key)}${after}:${before}${JSON.stringify(value, null, indent)}${after}`);
    return `${mark ? '\ufeff' : ''}${before}{${body.join(',')}${body.length === 0 ? before : ''}}${after}`;
  });

describe('SessionsFileScanner against JSON.parse', () => {
  it('reads every store the same, however it is cut, with the bytes as they stand', () => {
    fc.assert(
      fc.property(texts, chunkSizes, (text, sizes) => {
        const bytes = Buffer.from(text);
        const entries = scanInChunks(bytes, sizes);
        const whole = new Map(Object.entries(parseWhole(bytes) ?? {}));
        expect(toStore(entries, (entry) => entry.value)).toEqual(whole);
        expect(toStore(entries, (entry) => JSON.parse(entry.valueBytes.toString()))).toEqual(whole);
        for (const entry of entries) {
          expect(bytes.subarray(entry.offset, entry.offset + entry.valueBytes.length).equals(entry.valueBytes)).toBe(true);
        }
        const seen = new Set<string>();
        for (const entry of entries) {
          expect(entry.duplicateKey).toBe(seen.has(entry.key));
          seen.add(entry.key);
        }
      }),
      { numRuns: 500 },
    );
  });

  const mutations = fc.array(
    fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('replace', 'insert', 'remove', 'cut', 'double'),
      byte: fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\0123-.eEtfnu \n\0')), fc.integer({ min: 0, max: 255 })),
    }),
    { minLength: 1, maxLength: 3 },
  );

  it('accepts a mutated file exactly when JSON.parse of valid UTF-8 gives an object', () => {
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(texts, mutations, chunkSizes, (text, changes, sizes) => {
        let bytes = Buffer.from(text);
        for (const { at: anywhere, kind, byte } of changes) {
          const at = bytes.length === 0 ? 0 : anywhere % bytes.length;
          const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
          if (kind === 'replace') bytes = Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)]);
          else if (kind === 'insert') bytes = Buffer.concat([head, Buffer.from([byte]), tail]);
          else if (kind === 'remove') bytes = Buffer.concat([head, tail.subarray(1)]);
          else if (kind === 'cut') bytes = Buffer.from(head);
          else bytes = Buffer.concat([head, tail, tail]);
        }
        if (bytes.length === 0) return;
        const whole = parseWhole(bytes);
        let entries: ScannedEntry[] | undefined;
        try {
          entries = scanInChunks(bytes, sizes);
        } catch (error) {
          if (!(error instanceof SessionError)) throw error;
          expect(error.reason).toBe('STORE_UNREADABLE');
          expect(Number(error.facts['offset'])).toBeLessThanOrEqual(bytes.length);
        }
        expect(entries === undefined).toBe(whole === undefined);
        if (entries && whole) {
          accepted += 1;
          expect(toStore(entries, (entry) => entry.value)).toEqual(new Map(Object.entries(whole)));
        } else refused += 1;
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(500);
  });
});

describe('locateJsonFault', () => {
  it('finds a fault exactly where JSON.parse refuses', () => {
    const bits = fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', 'u00e9', '\\u00zz', '0', '-', '1.5', 'e', '.', 'true', 'nul', ' ', '\n', '"a"', '"a":');
    fc.assert(
      fc.property(fc.array(bits, { minLength: 1, maxLength: 12 }).map((parts) => parts.join('')), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(locateJsonFault(Buffer.from(text)) === undefined).toBe(valid);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('firstInvalidUtf8', () => {
  it('agrees with the platform on what is UTF-8', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.array(fc.constantFrom(0x61, 0xc2, 0xdf, 0xe0, 0xa0, 0x80, 0xed, 0x9f, 0xbf, 0xf0, 0x90, 0xf4, 0x8f, 0xc0), { maxLength: 8 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(bytes, (list) => {
        expect(firstInvalidUtf8(Buffer.from(list)) === -1).toBe(isUtf8(list));
      }),
      { numRuns: 5000 },
    );
  });
});
