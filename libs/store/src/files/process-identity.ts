/**
 * Tells a living process from a recycled pid. A pid alone does not name a process: after its death
 * the number is given out again. The pid together with the start time does (Linux, /proc).
 */
import { readFileSync } from 'node:fs';
import { errorCodeOf } from './error-code';

/** Place of the start time among the fields that follow the command name; field 22 of proc(5). */
const START_TICKS_AFTER_NAME = 22 - 3;
/** Place of the state letter there; field 3. */
const STATE_AFTER_NAME = 0;

/** The process is gone, or its /proc entry is hidden from us. */
const UNREADABLE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

interface ProcessStat {
  readonly state: string;
  readonly startTicks: number;
}

/**
 * Start time of a process in clock ticks since boot.
 * @returns undefined when no such process exists, or the platform has no /proc.
 */
export function startTicksOf(pid: number): number | undefined {
  return readStat(pid)?.startTicks;
}

/**
 * True while the process that had `pid` and, where known, started at `startTicks` still runs. A
 * zombie counts as gone: it holds nothing. Without /proc the pid alone decides.
 */
export function isProcessAlive(pid: number, startTicks?: number | null): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives under another user.
    if (errorCodeOf(error) !== 'EPERM') return false;
  }
  const stat = readStat(pid);
  if (stat === undefined) return true;
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return startTicks === undefined || startTicks === null || stat.startTicks === startTicks;
}

/** Names this boot of this machine's kernel, the same in all of its containers; undefined where the platform does not say. */
export function kernelBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch (error) {
    if (UNREADABLE.has(errorCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function readStat(pid: number): ProcessStat | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (UNREADABLE.has(errorCodeOf(error) ?? '')) return undefined;
    throw error;
  }
  // The name in parentheses may itself hold spaces and parentheses: count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[START_TICKS_AFTER_NAME]);
  const state = fields[STATE_AFTER_NAME];
  return state !== undefined && Number.isSafeInteger(startTicks) ? { state, startTicks } : undefined;
}
