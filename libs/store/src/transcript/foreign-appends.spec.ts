/**
 * A foreign program that heeds no lock appends between our look at a transcript's length and our
 * write: what exactly becomes of its bytes and of ours.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { TranscriptWriter } from './transcript-writer';

const FIRST = Buffer.from(`{"type":"message","id":"a","text":"${'x'.repeat(60)}"}\n`);
const SECOND = Buffer.from(`{"type":"message","id":"b","text":"${'y'.repeat(60)}"}\n`);
const SHORT = '{"foreign":1}\n';
const LONG = `{"foreign":"${'z'.repeat(200)}"}\n`;

describe('a foreign append in the instant between our look and our write', () => {
  let top: string;
  let file: string;
  /** What the foreign program appends at our next write. */
  let foreign: string;
  let relocations: unknown[];
  let one: TranscriptWriter;
  beforeEach(() => {
    top = fs.mkdtempSync(path.join(tmpdir(), 'foreign-appends-'));
    file = path.join(top, 's.jsonl');
    foreign = '';
    relocations = [];
    const disk: FileSystem = {
      ...nodeFileSystem,
      writeAll: (fd, buffers, position) => {
        fs.appendFileSync(file, foreign);
        foreign = '';
        return nodeFileSystem.writeAll(fd, buffers, position);
      },
    };
    one = new TranscriptWriter({
      fs: disk,
      file: 's.jsonl',
      path: file,
      relocate: (op) => {
        relocations.push(op);
        return Promise.resolve();
      },
      onTrouble: () => undefined,
      onForeignBytes: () => undefined,
      onIdle: () => undefined,
      beforeOpen: () => Promise.resolve(),
    });
  });
  afterEach(async () => {
    await one.close();
    fs.rmSync(top, { recursive: true });
  });

  async function append(seq: number, offset: number, bytes: Buffer): Promise<void> {
    one.claim(offset);
    one.push(seq, offset, bytes);
    await one.settled();
  }

  it('loses the foreign line when ours is as long: ours stand where the journal says', async () => {
    foreign = SHORT;
    await append(1, 0, FIRST);
    await append(2, FIRST.length, SECOND);
    expect(fs.readFileSync(file, 'utf8')).toBe(`${FIRST}${SECOND}`);
    expect(relocations).toEqual([]);
  });

  it('keeps what of a longer one stands behind ours as a line of its own, and puts our next line behind it', async () => {
    foreign = LONG;
    await append(1, 0, FIRST);
    const rest = LONG.slice(FIRST.length);
    expect(fs.readFileSync(file, 'utf8')).toBe(`${FIRST}${rest}`);
    await append(2, FIRST.length, SECOND);
    expect(fs.readFileSync(file, 'utf8')).toBe(`${FIRST}${rest}${SECOND}`);
    expect(relocations).toEqual([{ op: 'relocate', seq: 2, file: 's.jsonl', fromOffset: FIRST.length, offset: FIRST.length + rest.length }]);
  });

  it('keeps a foreign line whole that comes at any other moment', async () => {
    await append(1, 0, FIRST);
    fs.appendFileSync(file, SHORT);
    await append(2, FIRST.length, SECOND);
    expect(fs.readFileSync(file, 'utf8')).toBe(`${FIRST}${SHORT}${SECOND}`);
  });
});
