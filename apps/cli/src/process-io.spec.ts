import { writeAll } from './process-io';
import type { writeSync } from 'node:fs';

const errno = (code: string): Error => Object.assign(new Error(code), { code });

/** A pipe that takes a few bytes at a time and answers each error of `script` first. */
function pipe(script: string[]): { write: typeof writeSync; text: () => string } {
  const taken: Buffer[] = [];
  const write = (_fd: number, bytes: Buffer, offset: number, length: number): number => {
    const code = script.shift();
    if (code !== undefined) throw errno(code);
    const count = Math.min(3, length);
    taken.push(Buffer.from(bytes.subarray(offset, offset + count)));
    return count;
  };
  return { write: write as typeof writeSync, text: () => Buffer.concat(taken).toString() };
}

describe('output', () => {
  it('is written whole though the pipe takes it in pieces and is full at times', () => {
    const target = pipe(['EAGAIN', 'EAGAIN']);
    writeAll(1, 'keys with wide 中文 letters', target.write);
    expect(target.text()).toBe('keys with wide 中文 letters');
  });

  it('ends quietly when the reader has left', () => {
    const target = pipe(['EPIPE']);
    expect(() => writeAll(1, 'text', target.write)).not.toThrow();
    expect(target.text()).toBe('');
  });

  it('passes on any other error', () => {
    expect(() => writeAll(1, 'text', pipe(['EIO']).write)).toThrow('EIO');
  });
});
