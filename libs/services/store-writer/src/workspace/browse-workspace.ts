/** A page of a working directory, or what is found in it by a piece of a name. */
import { WorkspaceEntry, WorkspaceListing } from '@sessions/contracts';
import type { TouchKind } from '@sessions/domain';
import type { Workspace } from './workspace';

/** Entries of one directory that are listed. */
export const BROWSED_ENTRIES_MAX = 250;
/** Entries that a search lists. */
export const FOUND_ENTRIES_MAX = 500;
/** Entries that a search looks at. */
export const SEARCHED_ENTRIES_MAX = 5_000;
/** Bytes of all entries of one answer, so that it fits a message. */
const ENTRIES_BYTES_MAX = 384 * 1024;
/** Directories that a search stays out of: what tools put there is nobody's own work. */
const UNSEARCHED: ReadonlySet<string> = new Set(['.git', '.hg', '.next', '.turbo', '.yarn', 'coverage', 'dist', 'node_modules']);

/** By place in the workspace: what the session did with it. */
export type Touches = ReadonlyMap<string, TouchKind>;

/** @returns undefined when there is no such directory */
export async function browseDirectory(workspace: Workspace, place: string, touches: Touches): Promise<WorkspaceListing | undefined> {
  const found = await workspace.names(place);
  if (found === undefined) return undefined;
  const page = createPage(workspace, BROWSED_ENTRIES_MAX, touches);
  for (const { name } of found.names) if (!(await page.add(below(place, name), name))) break;
  const up = place.lastIndexOf('/');
  return WorkspaceListing.create({
    path: place,
    ...(place !== '' && { parentPath: up === -1 ? '' : place.slice(0, up) }),
    entries: page.entries,
    truncated: found.truncated || page.isFull(),
  });
}

/** Directory after directory, in their order; the piece is compared without case. */
export async function searchWorkspace(workspace: Workspace, search: string, touches: Touches): Promise<WorkspaceListing> {
  const wanted = search.toLowerCase();
  const page = createPage(workspace, FOUND_ENTRIES_MAX, touches);
  const waiting = [''];
  let seen = 0;
  let truncated = false;
  for (let at = waiting.shift(); at !== undefined && !truncated; at = waiting.shift()) {
    const found = await workspace.names(at);
    truncated ||= found?.truncated === true;
    for (const { kind, name } of found?.names ?? []) {
      truncated ||= (seen += 1) > SEARCHED_ENTRIES_MAX;
      if (truncated) break;
      const place = below(at, name);
      if (place.toLowerCase().includes(wanted)) truncated = !(await page.add(place, name));
      if (kind === 'directory' && !UNSEARCHED.has(name)) waiting.push(place);
    }
  }
  return WorkspaceListing.create({ path: '', search, entries: sorted(page.entries), truncated });
}

interface Page {
  readonly entries: WorkspaceEntry[];
  /** @returns false when there is no room for it */
  add(place: string, name: string): Promise<boolean>;
  isFull(): boolean;
}

function createPage(workspace: Workspace, entriesMax: number, touches: Touches): Page {
  const entries: WorkspaceEntry[] = [];
  let bytes = 0;
  let full = false;
  return {
    entries,
    async add(place, name) {
      const found = await workspace.find(place);
      if (found === undefined) return true;
      const { kind, size, updatedAtMs } = found;
      const sessionKind = kind === 'file' ? touches.get(place) : kindBelow(place, touches);
      const entry = WorkspaceEntry.create({ path: place, name, kind, ...(kind === 'file' && { size }), updatedAtMs, ...(sessionKind !== undefined && { sessionKind }) });
      bytes += WorkspaceEntry.encode(entry).finish().length;
      full ||= entries.length >= entriesMax || bytes > ENTRIES_BYTES_MAX;
      if (!full) entries.push(entry);
      return !full;
    },
    isFull: () => full,
  };
}

const below = (place: string, name: string): string => (place === '' ? name : `${place}/${name}`);

function kindBelow(place: string, touches: Touches): TouchKind | 'mixed' | undefined {
  let kind: TouchKind | 'mixed' | undefined;
  for (const [file, touch] of touches) {
    if (file.startsWith(`${place}/`)) kind = kind === undefined || kind === touch ? touch : 'mixed';
  }
  return kind;
}

const sorted = (entries: readonly WorkspaceEntry[]): WorkspaceEntry[] =>
  [...entries].sort((a, b) => (a.kind === b.kind ? a.name.localeCompare(b.name) : a.kind === 'directory' ? -1 : 1));
