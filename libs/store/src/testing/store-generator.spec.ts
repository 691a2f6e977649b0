import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSessionKey } from '@sessions/domain';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { scanTranscriptSync } from '../transcript/scan-transcript';
import { generateStore, LARGE_ENTRY_BYTES, SMALL_ENTRY_BYTES } from './store-generator';

describe('generateStore', () => {
  let top: string;
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'generated-'));
  });
  afterEach(() => rmSync(top, { recursive: true }));

  it('writes the same bytes for the same seed and others for another', () => {
    const [a, b, c] = [7, 7, 8].map((seed, n) => generateStore({ stateDir: join(top, String(n)), entries: 50, seed, transcripts: { messages: 20 } }));
    if (!a || !b || !c) throw new Error('three stores were made');
    expect(readFileSync(a.sessionsFile).equals(readFileSync(b.sessionsFile))).toBe(true);
    expect(readFileSync(a.transcriptAt(3)).equals(readFileSync(b.transcriptAt(3)))).toBe(true);
    expect(readFileSync(a.sessionsFile).equals(readFileSync(c.sessionsFile))).toBe(false);
  });

  it('writes a sessions file as the original does: two spaces, no last newline, readable by the user alone', () => {
    const store = generateStore({ stateDir: top, entries: 300 });
    const text = readFileSync(store.sessionsFile, 'utf8');
    expect(JSON.stringify(JSON.parse(text), null, 2)).toBe(text);
    expect(statSync(store.sessionsFile).mode & 0o777).toBe(0o600);
    expect(store.sessionsFileBytes).toBe(Buffer.byteLength(text));
    const keys = Object.keys(JSON.parse(text) as object);
    expect(new Set(keys).size).toBe(300);
    expect(keys[0]).toBe('agent:main:main');
    expect(keys[123]).toBe(store.keyAt(123));
    expect(generateStore({ stateDir: join(top, 'none'), entries: 0 }).sessionsFileBytes).toBe(2);
  });

  it.each([SMALL_ENTRY_BYTES, LARGE_ENTRY_BYTES])('keeps to about %i bytes an entry', (entryBytes) => {
    const store = generateStore({ stateDir: top, entries: 200, entryBytes });
    const fd = openSync(store.sessionsFile, 'r');
    scanSessionsFileSync(fd, (entry) => {
      expect(entry.valueBytes.length).toBeGreaterThan(entryBytes * 0.98);
      expect(entry.valueBytes.length).toBeLessThanOrEqual(entryBytes * 1.01);
    });
    closeSync(fd);
  });

  it('makes keys that are well formed', () => {
    const store = generateStore({ stateDir: top, entries: 500, agentId: 'work' });
    for (let index = 0; index < 500; index += 1) expect(parseSessionKey(store.keyAt(index))).toMatchObject({ agentId: 'work' });
  });

  it('writes transcripts with exactly the messages asked for', () => {
    const store = generateStore({ stateDir: top, entries: 5, transcripts: { sessions: 2, messages: 30, textLength: 50 } });
    expect(readdirSync(store.sessionsDir)).toHaveLength(3);
    const fd = openSync(store.transcriptAt(1), 'r');
    expect(scanTranscriptSync(fd)).toMatchObject({
      lines: 31,
      messageCount: 30,
      malformedLines: 0,
      branched: false,
      tornTailBytes: 0,
      kind: 'native',
      headerId: store.sessionIdAt(1),
      leafId: '0000001e',
    });
    closeSync(fd);
  });

  it('refuses to write over a store', () => {
    generateStore({ stateDir: top, entries: 1 });
    expect(() => generateStore({ stateDir: top, entries: 1 })).toThrow('EEXIST');
  });
});
