/** The files of a store, each with its place; synchronous, for the worker thread. Links are named and never followed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { StoreLayout } from '../files/layout';
import { ENTRIES_PLACE, PLACES, type Place } from './places';

export interface TreeFile {
  /** Relative to the store's directory, with `/`. */
  readonly file: string;
  readonly place: Place;
}

/** Folders beside the store's own that are part of it; others, such as another store's, are not. */
const FOLDERS: ReadonlySet<string> = new Set(['transcripts', 'skills-prompts']);

/** Left out: what the erasure itself needs until its end. */
export function storeTree(layout: StoreLayout, leftOut: ReadonlySet<string>): TreeFile[] {
  const files: TreeFile[] = [];
  const own = path.basename(layout.ownDir);
  const walk = (folder: string, isDeep: boolean): void => {
    for (const item of fs.readdirSync(path.join(layout.dir, folder), { withFileTypes: true })) {
      const file = folder === '' ? item.name : `${folder}/${item.name}`;
      if (item.isDirectory() && (isDeep || FOLDERS.has(file) || file === own)) walk(file, isDeep || !FOLDERS.has(file) || file === 'skills-prompts');
      else if (item.isFile() && !leftOut.has(file)) files.push({ file, place: placeOf(layout, file) });
    }
  };
  walk('', false);
  return files;
}

export function placeOf(layout: StoreLayout, file: string): Place {
  if (path.join(layout.dir, file) === layout.sessionsFile) return ENTRIES_PLACE;
  const own = `${path.basename(layout.ownDir)}/`;
  const inOwn = file.startsWith(own) ? file.slice(own.length) : undefined;
  const place = PLACES.find(({ holds }) => holds(file, inOwn));
  if (place === undefined) throw new Error(`no place holds ${file}`);
  return place;
}

/** @returns undefined where the file has gone or is none */
export function openRegular(file: string, flags: number): number | undefined {
  try {
    return fs.openSync(file, flags | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'EISDIR', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
