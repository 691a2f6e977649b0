import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { TranscriptWriter } from './transcript-writer';

const LINE = Buffer.from('{"type":"message","id":"a"}\n');

it('keeps its file open until a sync of it has ended', async () => {
  const top = fs.mkdtempSync(path.join(tmpdir(), 'transcript-writer-'));
  const order: string[] = [];
  let release: () => void = () => undefined;
  const disk: FileSystem = {
    ...nodeFileSystem,
    fdatasync: async (fd) => {
      await new Promise<void>((resolve) => (release = resolve));
      await nodeFileSystem.fdatasync(fd);
      order.push('synced');
    },
    close: async (fd) => {
      order.push('closed');
      await nodeFileSystem.close(fd);
    },
  };
  const one = new TranscriptWriter({ fs: disk, file: 's.jsonl', path: path.join(top, 's.jsonl'), relocate: () => Promise.resolve(), onTrouble: () => undefined, onForeignBytes: () => undefined, onIdle: () => undefined, beforeOpen: () => Promise.resolve() });
  expect(one.sync()).toBeUndefined();
  one.push(1, 0, LINE);
  await one.settled();
  const syncing = one.sync();
  const closing = one.closeFile();
  expect(one.isOpen).toBe(false);
  await new Promise((resolve) => setImmediate(resolve));
  release();
  await Promise.all([syncing, closing]);
  expect(order).toEqual(['synced', 'closed']);
  fs.rmSync(top, { recursive: true });
});

describe('a transcript that cannot be written', () => {
  let top: string;
  let file: string;
  let isFailing: boolean;
  let troubles: (string | undefined)[];
  beforeEach(() => {
    top = fs.mkdtempSync(path.join(tmpdir(), 'transcript-writer-'));
    file = path.join(top, 's.jsonl');
    isFailing = true;
    troubles = [];
  });
  afterEach(() => fs.rmSync(top, { recursive: true }));

  function writer(): TranscriptWriter {
    const disk: FileSystem = {
      ...nodeFileSystem,
      writeAll: (...parts) => (isFailing ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) : nodeFileSystem.writeAll(...parts)),
    };
    return new TranscriptWriter({
      fs: disk,
      file: 's.jsonl',
      path: file,
      relocate: () => Promise.resolve(),
      onTrouble: (trouble) => troubles.push(trouble?.reason),
      onForeignBytes: () => undefined,
      onIdle: () => undefined,
      beforeOpen: () => Promise.resolve(),
    });
  }

  /** Resolves when the writer got through, at one of its next tries. */
  async function written(one: TranscriptWriter): Promise<void> {
    while (one.busy) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  it('gets its lines as soon as it can be written again', async () => {
    const one = writer();
    one.push(1, 0, LINE);
    // Nobody waits for a disk to get room.
    await expect(one.settled()).rejects.toMatchObject({ reason: 'DISK_FULL' });
    isFailing = false;
    await written(one);
    expect([fs.readFileSync(file, 'utf8'), troubles.at(-1)]).toEqual([LINE.toString(), undefined]);
    await one.close();
  });

  it('keeps nobody waiting once the store has ended, and is never called settled', async () => {
    const one = writer();
    one.push(1, 0, LINE);
    await expect(one.settled()).rejects.toMatchObject({ reason: 'DISK_FULL' });
    one.end();
    await one.close();
    await expect(one.settled()).rejects.toMatchObject({ reason: 'DISK_FULL' });
  });
});
