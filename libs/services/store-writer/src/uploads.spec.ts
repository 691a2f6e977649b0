import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { createManualClock } from '@sessions/host/testing';
import { CHUNK_BYTES_MAX, UPLOADS_MAX, UPLOAD_BYTES_MAX, UPLOAD_IDLE_MS, Uploads } from './uploads';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'uploads-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const bench = () => {
  const clock = createManualClock(0);
  return { clock, uploads: new Uploads({ clock, directory: (agentId) => path.join(dir, agentId) }) };
};
const chunk = (index: number, text: string, last = false, members: { uploadId?: string; sha256?: string } = {}) => ({ uploadId: 'u', index, data: Buffer.from(text), last, ...members });

describe('uploads', () => {
  it('puts pieces together in order; a piece that comes again changes nothing', async () => {
    const { uploads } = bench();
    await Promise.all([uploads.put('main', chunk(0, 'ab')), uploads.put('main', chunk(0, 'ab')), uploads.put('main', chunk(1, 'cd', true))]);
    expect(await uploads.put('main', chunk(1, 'cd', true))).toBe(4);
    expect((await uploads.read('main', 'u')).toString()).toBe('abcd');
    expect(statSync(path.join(dir, 'main', 'u')).mode & 0o777).toBe(0o600);
  });

  it('keeps each piece whole where the disk takes a part of it at a time, or took a part of it before', async () => {
    const { uploads } = bench();
    const probe = await open(path.join(dir, 'probe'), 'w');
    await probe.close();
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    const write = handles.write as (this: FileHandle, data: Buffer, at?: number, length?: number, position?: number | null) => Promise<{ bytesWritten: number; buffer: Buffer }>;
    jest.spyOn(handles, 'write').mockImplementation(function (this: FileHandle, data: Buffer, at?: number, length?: number, position?: number | null) {
      return write.call(this, data, at ?? 0, Math.min(2, length ?? data.length), position ?? null);
    } as never);
    await uploads.put('main', chunk(0, 'abcde'));
    appendFileSync(path.join(dir, 'main', 'u'), 'fg');
    await uploads.put('main', chunk(1, 'fgh', true));
    jest.restoreAllMocks();
    expect((await uploads.read('main', 'u')).toString()).toBe('abcdefgh');
  });

  it('says that there is no space, and goes on when there is', async () => {
    const { uploads } = bench();
    const probe = await open(path.join(dir, 'probe'), 'w');
    await probe.close();
    jest.spyOn(Object.getPrototypeOf(probe) as FileHandle, 'write').mockRejectedValueOnce(Object.assign(new Error('full'), { code: 'ENOSPC' }));
    await expect(uploads.put('main', chunk(0, 'ab'))).rejects.toMatchObject({ reason: 'DISK_FULL' });
    await uploads.put('main', chunk(0, 'ab', true));
    jest.restoreAllMocks();
    expect((await uploads.read('main', 'u')).toString()).toBe('ab');
  });

  it('refuses a gap, an unfinished upload, a wrong hash and a name that could be a path', async () => {
    const { uploads } = bench();
    await expect(uploads.put('main', chunk(1, 'x'))).rejects.toMatchObject({ reason: 'VALIDATION', facts: { expected: 0 } });
    await uploads.put('main', chunk(0, 'x'));
    await expect(uploads.read('main', 'u')).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(uploads.put('main', chunk(1, 'y', true, { sha256: '00' }))).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(uploads.put('main', chunk(0, 'x', true, { uploadId: '../x' }))).rejects.toMatchObject({ reason: 'VALIDATION' });
    const sha256 = createHash('sha256').update('xy').digest('hex');
    await uploads.put('main', chunk(0, 'xy', true, { sha256 }));
    expect((await uploads.read('main', 'u')).toString()).toBe('xy');
  });

  it('keeps no place for an upload whose first piece did not come', async () => {
    const { uploads } = bench();
    const portable = (index: number, uploadId: string) => ({ ...chunk(index, 'x', false, { uploadId }), portable: true });
    await expect(uploads.put('main', portable(3, 'broken'))).rejects.toMatchObject({ reason: 'VALIDATION', facts: { index: 3, expected: 0 } });
    expect(await uploads.put('main', portable(0, 'whole'))).toBe(1);
    await expect(uploads.put('main', portable(0, 'second'))).rejects.toMatchObject({ reason: 'OVERLOADED' });
  });

  it('bounds the piece, the upload and their number', async () => {
    const { uploads } = bench();
    await expect(uploads.put('main', { ...chunk(0, ''), data: Buffer.alloc(CHUNK_BYTES_MAX + 1) })).rejects.toMatchObject({ reason: 'TOO_LARGE' });
    const pieces = Math.floor(UPLOAD_BYTES_MAX / CHUNK_BYTES_MAX);
    for (let index = 0; index < pieces; index += 1) await uploads.put('main', { ...chunk(index, ''), data: Buffer.alloc(CHUNK_BYTES_MAX) });
    await expect(uploads.put('main', { ...chunk(pieces, ''), data: Buffer.alloc(CHUNK_BYTES_MAX) })).rejects.toMatchObject({ reason: 'TOO_LARGE' });
    for (let n = 1; n < UPLOADS_MAX; n += 1) await uploads.put('main', chunk(0, 'x', true, { uploadId: `n${String(n)}` }));
    await expect(uploads.put('main', chunk(0, 'x', true, { uploadId: 'more' }))).rejects.toMatchObject({ reason: 'OVERLOADED' });
  });

  it('drops what was not used for a while, and what an earlier process left', async () => {
    mkdirSync(path.join(dir, 'main'));
    writeFileSync(path.join(dir, 'main', 'left-over'), 'x');
    const { uploads, clock } = bench();
    await uploads.put('main', chunk(0, 'x', true));
    expect(readdirSync(path.join(dir, 'main'))).toEqual(['u']);
    await clock.advance(UPLOAD_IDLE_MS);
    await uploads.put('main', chunk(0, 'y', true, { uploadId: 'v' }));
    expect(readdirSync(path.join(dir, 'main'))).toEqual(['v']);
    await expect(uploads.read('main', 'u')).rejects.toMatchObject({ reason: 'VALIDATION' });
    await uploads.drop('main');
    expect(existsSync(path.join(dir, 'main'))).toBe(false);
  });
});
