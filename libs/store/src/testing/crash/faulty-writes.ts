/**
 * Positioned writes of a disk that takes less than it is given, planted in the place of Node's own.
 * What it takes really is in the file.
 */
import * as fs from 'node:fs';

type Callback = (error: NodeJS.ErrnoException | null, written: number) => void;
type Writev = (fd: number, buffers: readonly Buffer[], position: number, callback: Callback) => void;

/** Takes between one byte and all of them, each time another share. */
export function takingSome(): Writev {
  let calls = 0;
  return (fd, buffers, position, callback) => {
    calls += 1;
    const bytes = Buffer.concat(buffers);
    const share = [1, Math.ceil(bytes.length / 3), bytes.length - 1, bytes.length, Math.ceil(bytes.length / 2)][calls % 5] ?? 1;
    fs.write(fd, bytes, 0, Math.max(1, Math.min(share, bytes.length)), position, callback);
  };
}

/** Takes a part of every `nth` write and fails after that. */
export function failingHalfWay(nth: number): Writev {
  let calls = 0;
  return (fd, buffers, position, callback) => {
    calls += 1;
    const bytes = Buffer.concat(buffers);
    if (calls % nth !== 0) return fs.write(fd, bytes, 0, bytes.length, position, callback);
    fs.write(fd, bytes, 0, Math.floor(bytes.length / 2), position, () => callback(Object.assign(new Error('half of it was written'), { code: 'EIO' }), 0));
  };
}
