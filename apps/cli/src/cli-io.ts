/**
 * What a command may touch of its process: environment, directory, clock and the two outputs.
 * Commands get it passed in, so tests run them in process.
 */
import type { EnvironmentVariables } from '@sessions/host';

export interface CliIo {
  readonly env: EnvironmentVariables;
  /** Directory that relative paths start from; absolute. */
  readonly cwd: string;
  /** Home directory of the account, when no variable names one. */
  readonly accountHome: string;
  /** Columns of the terminal on stdout; undefined when stdout is no terminal. */
  columns(): number | undefined;
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Result data, written whole before it returns. */
  out(text: string): void;
  /** Diagnostics, for people. */
  err(text: string): void;
  /** Asks a person, who answers yes or no; absent where nobody sits in front. */
  readonly confirm?: (question: string) => Promise<boolean>;
}

/** Table width when stdout is no terminal (decision on tables). */
export const COLUMNS_WITHOUT_TERMINAL = 100;

/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
