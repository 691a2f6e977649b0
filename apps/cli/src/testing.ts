/** What tests of the command line need: a process that records instead of printing. */
import type { CliIo } from './cli-io';

export interface RecordingIo extends CliIo {
  stdout(): string;
  stderr(): string;
}

export interface RecordingIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Epoch milliseconds. */
  readonly nowMs?: number;
  /** Columns of the terminal; none when absent. */
  readonly columns?: number;
}

export function recordingIo({ env = {}, cwd = '/', nowMs = 0, columns }: RecordingIoOptions = {}): RecordingIo {
  let out = '';
  let err = '';
  return {
    env,
    cwd,
    accountHome: '/nonexistent',
    columns: () => columns,
    nowMs: () => nowMs,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    stdout: () => out,
    stderr: () => err,
  };
}
