import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LINE_BYTES_MAX } from '../types';
import { scanTranscript, scanTranscriptSync, type ScanTranscriptOptions, type ScannedLine, type TranscriptScan } from './scan-transcript';

const HEADER = { type: 'session', version: 3, id: '7f0c', timestamp: '2026-06-01T09:00:00.000Z', cwd: '~/demo' };

function message(id: string, parentId: string | null, role: string, extra: object = {}): object {
  return { type: 'message', id, parentId, timestamp: '2026-06-01T09:00:01.000Z', message: { role, content: 'x' }, ...extra };
}

const linesOf = (...records: object[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');

describe('scanTranscript', () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scan-transcript-'));
    file = join(directory, 'a.jsonl');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function scanFile(options: ScanTranscriptOptions = {}): TranscriptScan {
    const fd = openSync(file, 'r');
    try {
      return scanTranscriptSync(fd, options);
    } finally {
      closeSync(fd);
    }
  }

  function scan(content: string | Buffer, options: ScanTranscriptOptions = {}): TranscriptScan {
    writeFileSync(file, content);
    return scanFile(options);
  }

  it('counts lines and messages and knows the leaf', () => {
    const text = linesOf(HEADER, message('aa', null, 'user'), message('bb', 'aa', 'assistant'), message('cc', 'bb', 'toolResult'), {
      type: 'model_change',
      id: 'dd',
      parentId: 'cc',
      provider: 'p',
      modelId: 'm',
    });
    expect(scan(text)).toEqual({
      bytes: text.length,
      completeBytes: text.length,
      tornTailBytes: 0,
      lines: 5,
      malformedLines: 0,
      messageCount: 3,
      userAssistantCount: 2,
      leafId: 'dd',
      branched: false,
      headerId: '7f0c',
      headerTimestamp: '2026-06-01T09:00:00.000Z',
      kind: 'native',
    });
  });

  it('reads simple lines', () => {
    expect(scan('{"role":"user","content":"Any mail?","timestamp":"2026-04-02T07:30:00Z"}\n{"role":"assistant","content":"No."}\n')).toMatchObject({
      kind: 'simple',
      lines: 2,
      messageCount: 2,
      userAssistantCount: 2,
      leafId: null,
      branched: false,
      headerId: null,
    });
  });

  it('finds an empty transcript empty', () => {
    expect(scan('')).toMatchObject({ kind: 'empty', bytes: 0, lines: 0, leafId: null });
    expect(scan('\n \n')).toMatchObject({ kind: 'empty', bytes: 3, lines: 0, malformedLines: 0 });
  });

  it('keeps the leaf where a line beside the branch or a leaf line puts it', () => {
    const base = [HEADER, message('aa', null, 'user'), message('bb', 'aa', 'assistant')];
    expect(scan(linesOf(...base, message('cc', 'aa', 'user', { appendMode: 'side' })))).toMatchObject({ leafId: 'bb', branched: true });
    expect(scan(linesOf(...base, { type: 'leaf', id: 'cc', parentId: 'bb', targetId: 'aa' }))).toMatchObject({ leafId: 'aa' });
    expect(scan(linesOf(...base, { type: 'leaf', id: 'cc', parentId: 'bb', targetId: 'aa' }, message('dd', 'aa', 'user')))).toMatchObject({ leafId: 'dd' });
    expect(scan(linesOf(...base, message('dd', 'aa', 'user')))).toMatchObject({ leafId: 'dd', branched: true });
  });

  it('counts malformed lines and goes on behind them', () => {
    const text = Buffer.concat([
      Buffer.from(linesOf(HEADER)),
      Buffer.from('{"half":\n[1]\n\0\0\0\nnull\n'),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(linesOf(message('aa', null, 'user'))),
    ]);
    expect(scan(text)).toMatchObject({ lines: 7, malformedLines: 5, messageCount: 1, leafId: 'aa' });
  });

  it('counts a line beyond the bound as malformed without keeping it', () => {
    const text = Buffer.concat([Buffer.from('{"role":"user","content":"'), Buffer.alloc(LINE_BYTES_MAX, 0x78), Buffer.from('"}\n{"role":"user"}\n')]);
    expect(scan(text)).toMatchObject({ lines: 2, malformedLines: 1, messageCount: 1, completeBytes: text.length });
  });

  it('leaves a torn tail out of every count', () => {
    const whole = linesOf(HEADER, message('aa', null, 'user'));
    const torn = JSON.stringify(message('bb', 'aa', 'user'));
    expect(scan(whole + torn)).toMatchObject({
      lines: 2,
      leafId: 'aa',
      completeBytes: whole.length,
      tornTailBytes: torn.length,
      bytes: whole.length + torn.length,
    });
  });

  it('goes on from an earlier scan as if it had read everything', () => {
    const first = linesOf(HEADER, message('aa', null, 'user'));
    const second = linesOf(message('bb', 'aa', 'assistant'), message('cc', 'aa', 'toolResult')) + '{"torn';
    const before = scan(`${first}{"type":"mess`);
    writeFileSync(file, first);
    appendFileSync(file, second);
    const offsets: number[] = [];
    expect(scanFile({ from: before, onLine: (line) => offsets.push(line.offset) })).toEqual(scanFile());
    expect(offsets[0]).toBe(first.length);
    expect(offsets).toHaveLength(2);
  });

  it('hashes the whole file when asked to', () => {
    const text = `${linesOf(HEADER)}torn`;
    expect(scan(text, { hash: true }).sha256).toBe(createHash('sha256').update(text).digest('hex'));
  });

  it('hands out each line with its number and place, whatever the size of the chunks', async () => {
    const text = linesOf(HEADER, message('aa', null, 'user')) + '\nbroken ü\n' + linesOf(message('bb', 'aa', 'assistant')) + 'torn';
    const whole = scan(text);
    const collect = (seen: string[]) => (line: ScannedLine) => seen.push(`${line.number} ${line.offset}+${line.bytes} ${line.facts?.id ?? line.facts?.kind ?? 'malformed'}`);
    const expected: string[] = [];
    scanFile({ onLine: collect(expected) });
    expect(expected.map((line) => line.split(' ')[2])).toEqual(['header', 'aa', 'malformed', 'bb']);
    const handle = await open(file, 'r');
    for (let chunkBytes = 1; chunkBytes < 60; chunkBytes += 1) {
      const seen: string[] = [];
      expect(await scanTranscript(handle, { chunkBytes, onLine: collect(seen) })).toEqual(whole);
      expect(seen).toEqual(expected);
    }
    await handle.close();
  });
});
