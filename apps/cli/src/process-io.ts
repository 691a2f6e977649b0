/**
 * The command's own process as CliIo.
 *
 * Output bypasses `process.stdout`: its set-up costs a listing more than reading the rows, and on
 * a pipe it may lose the end when the process exits. A pipe whose reader is slow answers EAGAIN,
 * one whose reader left answers EPIPE; the first is waited out, the second ends the output.
 */
import type { CliIo } from './cli-io';
import { errorCode } from './error-code';
import { fstatSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';

const EAGAIN_PAUSE_MS = 2;
const STDIN_FD = 0;
const STDOUT_FD = 1;
const STDERR_FD = 2;

/** Writes all of `text`; returns early only when nobody reads any more. */
export function writeAll(fd: number, text: string, write: typeof writeSync = writeSync): void {
  const bytes = Buffer.from(text, 'utf8');
  let written = 0;
  while (written < bytes.length) {
    try {
      written += write(fd, bytes, written, bytes.length - written);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EAGAIN_PAUSE_MS);
    }
  }
}

export function createProcessIo(): CliIo {
  return {
    env: process.env,
    cwd: process.cwd(),
    get accountHome() {
      return homedir();
    },
    // A pipe or a file is seen by its kind; only what may be a terminal is worth setting up a stream.
    columns: () => (fstatSync(STDOUT_FD).isCharacterDevice() ? process.stdout.columns : undefined),
    nowMs: () => Date.now(),
    out: (text) => writeAll(STDOUT_FD, text),
    err: (text) => writeAll(STDERR_FD, text),
    get confirm() {
      return isTerminal() ? confirm : undefined;
    },
  };
}

/** A person both reads and writes. `node:tty` brings the sockets with it: it is loaded only where something may be a terminal. */
function isTerminal(): boolean {
  try {
    const ends = [STDIN_FD, STDERR_FD];
    if (!ends.every((fd) => fstatSync(fd).isCharacterDevice())) return false;
    const { isatty } = module.require('node:tty') as typeof import('node:tty');
    return ends.every((fd) => isatty(fd));
  } catch {
    return false;
  }
}

/** The question goes to stderr: stdout is for results. */
async function confirm(question: string): Promise<boolean> {
  // The command's start is run by V8 without the loader of modules: an `import()` in it fails.
  const { createInterface } = module.require('node:readline/promises') as typeof import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
