/** A portable archive as it is written, as other programs see it, and whatever somebody may have made of it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import type { ByteSource } from '../transcript/byte-source';
import { readArchive, type PortableSession } from './read-archive';
import { decodeTarHeader, encodeTarHeader } from './tar-header';
import { ArchiveWriter, type ExportedSession } from './write-archive';

const dir = mkdtempSync(path.join(tmpdir(), 'archive-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const ID = '0190aaaa-0000-7000-8000-000000000001';
const sourceOf = (bytes: Buffer): ByteSource => ({
  read: (buffer, offset, length, position) => Promise.resolve({ bytesRead: bytes.copy(buffer, offset, position, position + length) }),
});
const file = (text: string): { source: ByteSource; bytes: number } => ({ source: sourceOf(Buffer.from(text)), bytes: Buffer.byteLength(text) });
const session = (transcript: string, more: Partial<ExportedSession> = {}): ExportedSession => ({ key: 'agent:main:main', sessionId: ID, entryText: `{"sessionId":"${ID}","n":1.50}`, transcript: file(transcript), checkpoints: [], ...more });

async function written(...sessions: readonly ExportedSession[]): Promise<Buffer> {
  const name = path.join(dir, `${String(Math.random())}.tar`);
  const handle = await open(name, 'wx');
  try {
    const writer = new ArchiveWriter(handle, 1_780_000_000_000);
    await writer.begin({ agentId: 'main', exportedAtMs: 1_780_000_000_000, hasBefore: sessions.some(({ before }) => before !== undefined) });
    for (const one of sessions) await writer.add(one);
    await writer.end();
  } finally {
    await handle.close();
  }
  return readFileSync(name);
}

const read = async (bytes: Buffer): Promise<PortableSession[]> => {
  const found: PortableSession[] = [];
  await readArchive(sourceOf(bytes), bytes.length, (one) => void found.push(one));
  return found;
};
const cut = (bytes: Buffer, { offset, bytes: length }: { offset: number; bytes: number }): string => bytes.toString('utf8', offset, offset + length);

it('comes back byte for byte, whole lines only, whatever the lines are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', ' ')), { maxLength: 30 }), fc.string(), async (lines, torn) => {
      const whole = lines.map((line) => `${line}\n`).join('');
      const bytes = await written(session(`${whole}${torn.replaceAll('\n', '')}`, { trajectory: file('{"a":1}\n'), checkpoints: [{ id: 'c0ffee00-0000-4000-8000-000000000001', ...file('x\n') }] }));
      const [found] = await read(bytes);
      expect(found?.entryText).toBe(`{"sessionId":"${ID}","n":1.50}`);
      expect(cut(bytes, found?.transcript as never)).toBe(whole);
      expect(found?.lines).toBe(lines.length);
      expect(cut(bytes, found?.trajectory as never)).toBe('{"a":1}\n');
      expect(cut(bytes, found?.checkpoints[0] as never)).toBe('x\n');
    }),
    { numRuns: 30 },
  );
});

it('is a tar whose hashes everybody can check', async () => {
  const name = path.join(dir, 'plain.tar');
  const handle = await open(name, 'wx');
  const writer = new ArchiveWriter(handle, 1_780_000_000_000);
  await writer.begin({ agentId: 'main', exportedAtMs: 1, hasBefore: false });
  await writer.add(session('{"a":1}\n\n{"b":2}\n'));
  await writer.end();
  await handle.close();
  execFileSync('tar', ['-xf', name, '-C', dir]);
  execFileSync('sha256sum', ['-c', '--quiet', 'sessions/00000001/SHA256SUMS'], { cwd: dir });
  expect(readFileSync(path.join(dir, 'sessions/00000001/lines.sha256'), 'utf8').split('\n').slice(0, 3)).toEqual(['{"a":1}', '', '{"b":2}'].map((line) => createHash('sha256').update(line).digest('hex')));
});

it('refuses every archive of which one byte has changed, is missing or is too much', async () => {
  const bytes = await written(session('{"a":1}\n{"b":2}\n'), session('{"c":3}\n', { key: 'agent:main:two', sessionId: `${ID.slice(0, -1)}2`, entryText: '{}' }));
  const refused = async (made: Buffer): Promise<void> => {
    await expect(read(made)).rejects.toMatchObject({ reason: expect.stringMatching(/^(DAMAGED|UNSUPPORTED|TOO_LARGE)$/) as string });
  };
  for (let at = 0; at < bytes.length; at += 7) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x20;
    // Padding means nothing to anybody.
    if (isPadding(bytes, at)) continue;
    await refused(changed).catch((error: unknown) => { throw new Error(`byte ${String(at)} of ${String(bytes.length)}`, { cause: error }); });
  }
  for (let at = 0; at < bytes.length; at += 512) await refused(bytes.subarray(0, at));
  await refused(Buffer.concat([bytes, Buffer.from('x')]));
  await refused(Buffer.concat([bytes, Buffer.alloc(10 * 1024 * 1024)]));
  expect(await read(Buffer.concat([bytes, Buffer.alloc(10_240)]))).toHaveLength(2);
});

/** Between a member's end and the next header, and in the zeros at the end. */
function isPadding(bytes: Buffer, wanted: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const header = decodeTarHeader(bytes.subarray(at, at + 512));
    if (header === undefined) return false;
    const end = at + 512 + header.bytes;
    const next = at + 512 + Math.ceil(header.bytes / 512) * 512;
    // Owner, mode and time of a header are guarded by its sum; behind a member come zeros.
    if (wanted >= end && wanted < next) return true;
    at = next;
  }
  return false;
}

describe('a hostile archive', () => {
  const header = (name: string, bytes = 0): Buffer => encodeTarHeader({ name, bytes }, 0);
  const resum = (block: Buffer): Buffer => {
    block.fill(0x20, 148, 156);
    block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return block;
  };
  const begin = async (): Promise<Buffer> => {
    const bytes = await written();
    return bytes.subarray(0, 512 + Math.ceil((decodeTarHeader(bytes.subarray(0, 512))?.bytes ?? 0) / 512) * 512);
  };

  it.each(['../../etc/passwd', '/etc/passwd', 'sessions/00000001/../x', 'sessions/1/entry.json', 'sessions/00000001/EVIL', 'sessions/00000002/session.json', 'C:\\x', ''])('with the name %j is refused', async (name) => {
    await expect(read(Buffer.concat([await begin(), header(name), Buffer.alloc(1024)]))).rejects.toMatchObject({ reason: expect.stringMatching(/^(DAMAGED|UNSUPPORTED)$/) as string });
  });

  it.each(['1', '2', '3', '4', '5', '6', '7', 'x', 'g', 'L', 'K', 'S', '\0'])('with a member of type %j is refused', async (type) => {
    const block = header('sessions/00000001/session.json');
    block.write(type, 156, 'latin1');
    await expect(read(Buffer.concat([await begin(), resum(block), Buffer.alloc(1024)]))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });

  it('with a link\'s target, a prefix or another dialect is refused', async () => {
    for (const [at, text] of [[157, '/etc'], [345, 'a'], [257, 'ustar  \0']] as const) {
      const block = header('sessions/00000001/session.json');
      block.write(text, at, 'latin1');
      await expect(read(Buffer.concat([await begin(), resum(block), Buffer.alloc(1024)]))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
    }
  });

  it('that promises more than it has, or more than anything may have, is refused before it is read', async () => {
    await expect(read(Buffer.concat([await begin(), header('sessions/00000001/session.json', 8 ** 11 - 1), Buffer.alloc(1024)]))).rejects.toMatchObject({ reason: 'DAMAGED' });
    const large = Buffer.concat([await begin(), header('sessions/00000001/session.json', 2 * 1024 * 1024), Buffer.alloc(2 * 1024 * 1024 + 1024)]);
    await expect(read(large)).rejects.toMatchObject({ reason: 'TOO_LARGE' });
    const block = header('sessions/00000001/session.json');
    block.write('-0000000001\0', 124, 'latin1');
    await expect(read(Buffer.concat([await begin(), resum(block), Buffer.alloc(1024)]))).rejects.toMatchObject({ reason: 'DAMAGED' });
  });

  it('whose line no transcript may have is refused', async () => {
    await expect(read(await written(session(`${'x'.repeat(16 * 1024 * 1024)}\n`)))).rejects.toMatchObject({ reason: 'TOO_LARGE' });
  });

  it('of a later version says so', async () => {
    const bytes = await written();
    const later = Buffer.from(bytes);
    later.write('"version": 3', later.indexOf('"version": 1'));
    await expect(read(later)).rejects.toMatchObject({ reason: 'UNSUPPORTED', message: expect.stringContaining('version 3') as string });
  });
});

it('says that a file was changed while it was exported', async () => {
  const text = Buffer.from('{"a":1}\n{"b":2}\n');
  let reads = 0;
  const moving: ByteSource = { read: (buffer, offset, length, position) => ((reads += 1) > 3 && (text[2] = 0x7a), sourceOf(text).read(buffer, offset, length, position)) };
  await expect(written(session('', { transcript: { source: moving, bytes: text.length } }))).rejects.toMatchObject({ reason: 'DAMAGED' });
});

describe('transcripts that a session went on from', () => {
  const EARLIER = ['0190aaaa-0000-7000-8000-00000000000a', '0190aaaa-0000-7000-8000-00000000000b'] as const;
  const family = (): ExportedSession => session('now\n', { before: EARLIER.map((sessionId, at) => ({ sessionId, ...file(`one ${String(at)}\ntwo\ntorn`) })) });

  it('come back line for line, in their order', async () => {
    const bytes = await written(family());
    const [found] = await read(bytes);
    expect(found?.before.map(({ sessionId, lines, ...place }) => [sessionId, lines, cut(bytes, place)])).toEqual([[EARLIER[0], 2, 'one 0\ntwo\n'], [EARLIER[1], 2, 'one 1\ntwo\n']]);
    expect(found?.lines).toBe(1);
  });

  it('are compared like the live one, in an archive that says that it carries them', async () => {
    const bytes = await written(family());
    const damagedAt = bytes.indexOf('one 1');
    const damaged = Buffer.from(bytes);
    damaged[damagedAt] = 0x21;
    await expect(read(damaged)).rejects.toMatchObject({ reason: 'DAMAGED', message: expect.stringContaining('line 1') });
    const older = Buffer.from(bytes);
    older.write('"version": 1', older.indexOf('"version": 2'));
    await expect(read(older)).rejects.toMatchObject({ reason: 'DAMAGED' });
    await expect(written(session('now\n', { before: Array.from({ length: 26 }, (_, at) => ({ sessionId: `id-${String(at)}`, ...file('x\n') })) }))).rejects.toMatchObject({ reason: 'TOO_LARGE' });
    await expect(read(await written(session('now\n', { before: [{ sessionId: ID, ...file('x\n') }] })))).rejects.toMatchObject({ reason: 'DAMAGED', message: expect.stringContaining('twice') });
  });
});
