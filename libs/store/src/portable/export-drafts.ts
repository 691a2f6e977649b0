/**
 * Names of exports that are not whole yet: hidden, and with an ending that says so. One whose process
 * died is removed by a later export into the same directory, once nothing has been written to it for
 * an hour; whoever still writes to it fails then, and nothing with a name of its own is touched.
 */
import { randomUUID } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Since the last write. Milliseconds. */
export const DRAFT_IDLE_MS = 60 * 60_000;
/** Files of one draft that are looked at; a bundle has fewer. */
const FILES_MAX = 64;
const ENDING = '.export.tmp';
const DRAFT = /^\..+\.[0-9A-Za-z._-]+\.export\.tmp$/;

/** @param tag tells drafts of one name apart; absent: a new one. */
export function draftName(name: string, tag: string = randomUUID()): string {
  return `.${name}.${tag}${ENDING}`;
}

/** Removes what exports left in this directory that died; what cannot be looked at stays. */
export function sweepDrafts(directory: string, nowMs: number): void {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => DRAFT.test(name));
  } catch {
    return;
  }
  for (const name of names) {
    const draft = join(directory, name);
    try {
      if (nowMs - lastWrittenMs(draft) > DRAFT_IDLE_MS) rmSync(draft, { recursive: true, force: true });
    } catch {
      // Somebody else has removed it, or may not be asked for it.
    }
  }
}

function lastWrittenMs(draft: string): number {
  const found = lstatSync(draft);
  if (!found.isDirectory()) return found.mtimeMs;
  return readdirSync(draft).slice(0, FILES_MAX).reduce((newest, name) => Math.max(newest, lstatSync(join(draft, name)).mtimeMs), found.mtimeMs);
}
