/**
 * One header of a tar archive, POSIX ustar, 512 bytes. Only what a portable archive has is written, and
 * nothing else is read: regular files of short names. Links, devices, directories, extensions, other
 * owners' dialects and half headers are refused, so a reader never meets a path or a promise of bytes
 * that are not there.
 */
import { SessionError } from '@sessions/domain';

export const BLOCK_BYTES = 512;
/** Largest size that eleven octal digits can say. */
export const MEMBER_BYTES_MAX = 8 ** 11 - 1;

const NAME_BYTES = 100;
const SIZE_AT = 124;
const TIME_AT = 136;
const SUM_AT = 148;
const SUM_BYTES = 8;
const TYPE_AT = 156;
const LINK_AT = 157;
const MAGIC_AT = 257;
const MAGIC = 'ustar\0' + '00';
const PREFIX_AT = 345;
const PREFIX_BYTES = 155;
const REGULAR = '0';
const NUMBER = /^([0-7]+)[ \0]*$/;

export interface TarHeader {
  readonly name: string;
  /** Bytes of the member; padding follows to a whole block. */
  readonly bytes: number;
}

/** @throws Error for a name or size that a header cannot hold: a mistake of the caller. */
export function encodeTarHeader({ name, bytes }: TarHeader, atMs: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES || bytes > MEMBER_BYTES_MAX) throw new Error(`no tar header for ${String(bytes)} bytes under a name of ${String(name.length)} characters`);
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, 'utf8');
  const octal = (value: number, at: number, digits: number): void => void header.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1');
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, SIZE_AT, 11);
  octal(Math.max(0, Math.floor(atMs / 1000)), TIME_AT, 11);
  header.write(REGULAR, TYPE_AT, 'latin1');
  header.write(MAGIC, MAGIC_AT, 'latin1');
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, SUM_AT, 'latin1');
  return header;
}

/**
 * @returns undefined for the zeros that end an archive.
 * @throws DAMAGED for bytes that are no header; UNSUPPORTED for members that a portable archive never has.
 */
export function decodeTarHeader(header: Buffer): TarHeader | undefined {
  if (header.every((byte) => byte === 0)) return undefined;
  const number = (at: number, length: number): number => {
    const text = NUMBER.exec(header.toString('latin1', at, at + length))?.[1];
    return text === undefined ? Number.NaN : Number.parseInt(text, 8);
  };
  if (number(SUM_AT, SUM_BYTES) !== checksum(header)) throw new SessionError('DAMAGED', 'the archive is damaged: a header has another checksum than its bytes');
  const type = header.toString('latin1', TYPE_AT, TYPE_AT + 1);
  const isPlain = header.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) === MAGIC && isZero(header, LINK_AT, 100) && isZero(header, PREFIX_AT, PREFIX_BYTES);
  if (type !== REGULAR || !isPlain) throw new SessionError('UNSUPPORTED', 'the archive has a member that is no regular file of a portable archive; nothing of it is read', { facts: { type: /^[0-9A-Za-z]$/.test(type) ? type : '?' } });
  const end = header.indexOf(0);
  const name = header.toString('utf8', 0, end === -1 || end > NAME_BYTES ? NAME_BYTES : end);
  const bytes = number(SIZE_AT, 12);
  const atSeconds = number(TIME_AT, 12);
  if (!(bytes <= MEMBER_BYTES_MAX) || !Number.isSafeInteger(atSeconds)) throw new SessionError('DAMAGED', 'the archive is damaged: a header has no size or time');
  // One spelling of each header: what differs in anything else is not ours.
  if (!encodeTarHeader({ name, bytes }, atSeconds * 1000).equals(header)) throw new SessionError('UNSUPPORTED', 'the archive was packed by another program; nothing of it is read');
  return { name, bytes };
}

/** Bytes that a member takes without its header. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** The sum of all bytes, those of the sum itself counted as spaces. */
function checksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) sum += at >= SUM_AT && at < SUM_AT + SUM_BYTES ? 0x20 : (header[at] ?? 0);
  return sum;
}

function isZero(header: Buffer, at: number, length: number): boolean {
  return header.subarray(at, at + length).every((byte) => byte === 0);
}
