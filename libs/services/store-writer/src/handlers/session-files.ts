/**
 * ListFiles and GetFile: the files that a session worked on, and a look into its workspace. Names come
 * from the transcript, bytes from the workspace; only files that the session touched are given out.
 */
import { GetFileResponse, ListFilesResponse, SessionFile, type GetFileRequest, type ListFilesRequest } from '@sessions/contracts';
import { SessionError, type TouchKind, type TouchedFile } from '@sessions/domain';
import type { AgentStore } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { browseDirectory, searchWorkspace } from '../workspace/browse-workspace';
import { workspaceOf } from '../workspace/agent-workspace';
import { placeAsked, placeInWorkspace, placeOfRoot, sessionWorkspace, type SessionWorkspace } from '../workspace/session-workspace';
import { touchedInTranscript } from '../workspace/touched-in-transcript';
import { Workspace } from '../workspace/workspace';
import { entryOfKey } from './stored-session';

/** Largest file that is given out. */
export const PREVIEW_BYTES_MAX = 256 * 1024;
/** Bytes of all files of one list, so that it fits a message. */
const FILES_BYTES_MAX = 256 * 1024;

interface Opened {
  readonly own: SessionWorkspace | undefined;
  readonly files: readonly TouchedFile[];
  readonly truncated: boolean;
}

/** A session that nobody has has no files. */
export function listFiles(agent: OwnedAgent, request: ListFilesRequest): Promise<ListFilesResponse> {
  return agent.read(
    async (store, open) => {
      const head = { epoch: store.epoch, storeSeq: open.seq };
      const session = await openSession(agent, store, request.key);
      if (session === undefined) return ListFilesResponse.create(head);
      const { own } = session;
      return withWorkspace(own, async (workspace) => {
        const { files, truncated } = await statAll(workspace, session);
        const touches = touchesOf(session);
        const search = request.search.trim();
        const place = own === undefined ? undefined : placeAsked(own, request.path);
        const browser =
          workspace === undefined ? undefined : search !== '' ? await searchWorkspace(workspace, search, touches) : place === undefined ? undefined : await browseDirectory(workspace, place, touches);
        return ListFilesResponse.create({ ...head, root: own?.root, files, browser, truncated });
      });
    },
    () => ListFilesResponse.create({}),
  );
}

/** @throws FILE_NOT_FOUND for what the session did not touch, or is not there; TOO_LARGE */
export function getFile(agent: OwnedAgent, request: GetFileRequest): Promise<GetFileResponse> {
  const missing = new SessionError('FILE_NOT_FOUND', 'session file not found', { facts: { type: 'session_file_not_found', path: request.path } });
  return agent.read(
    async (store, open) => {
      const session = await openSession(agent, store, request.key);
      if (session?.own === undefined) throw missing;
      const { root } = session.own;
      const place = placeInWorkspace(session.own, request.path);
      const touched = session.files.find(({ path }) => path === request.path) ?? touchedAt(session, placeAsked(session.own, request.path) ?? place);
      if (touched === undefined) throw missing;
      const at = placeInWorkspace(session.own, touched.path);
      return withWorkspace(session.own, async (workspace) => {
        const read = at === undefined ? undefined : await workspace?.read(at, PREVIEW_BYTES_MAX);
        if (read === undefined) throw missing;
        const { found, content } = read;
        if (content === 'too-large') {
          throw new SessionError('TOO_LARGE', 'session file is too large to preview', {
            facts: { type: 'session_file_too_large', maxPreviewBytes: PREVIEW_BYTES_MAX, path: request.path, size: found.size },
          });
        }
        const file = SessionFile.create({ path: touched.path === request.path ? request.path : (at ?? request.path), name: found.name, kind: touched.kind, missing: false, size: found.size, updatedAtMs: found.updatedAtMs });
        return GetFileResponse.create({ epoch: store.epoch, storeSeq: open.seq, root, file, content });
      });
    },
    () => {
      throw missing;
    },
  );
}

async function openSession(agent: OwnedAgent, store: AgentStore, key: string): Promise<Opened | undefined> {
  const entry = await entryOfKey(store, key);
  if (entry === undefined) return undefined;
  const own = sessionWorkspace(JSON.parse(entry.text) as Record<string, unknown>, workspaceOf(agent));
  const { files, truncated } = entry.file === null ? { files: [], truncated: false } : await touchedInTranscript(store, entry.file);
  return { own, files, truncated };
}

async function withWorkspace<T>(own: SessionWorkspace | undefined, use: (workspace: Workspace | undefined) => Promise<T>): Promise<T> {
  const workspace = own === undefined ? undefined : await Workspace.hold(own.agentRoot, placeOfRoot(own));
  try {
    return await use(workspace);
  } finally {
    await workspace?.close();
  }
}

async function statAll(workspace: Workspace | undefined, { own, files, truncated }: Opened): Promise<{ readonly files: SessionFile[]; readonly truncated: boolean }> {
  const listed: SessionFile[] = [];
  let bytes = 0;
  for (const { path, kind } of files) {
    const place = own === undefined ? undefined : placeInWorkspace(own, path);
    const found = place === undefined ? undefined : await workspace?.find(place);
    const there = found?.kind === 'file' ? { missing: false, size: found.size, updatedAtMs: found.updatedAtMs } : { missing: true };
    const file = SessionFile.create({ path, name: nameOf(path), kind, ...there });
    bytes += SessionFile.encode(file).finish().length;
    if (bytes > FILES_BYTES_MAX) return { files: listed, truncated: true };
    listed.push(file);
  }
  return { files: listed, truncated };
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1) || path;

/** By place in the workspace. */
function touchesOf({ own, files }: Opened): ReadonlyMap<string, TouchKind> {
  const touches = new Map<string, TouchKind>();
  for (const { path, kind } of files) {
    const place = own === undefined ? undefined : placeInWorkspace(own, path);
    if (place !== undefined && touches.get(place) !== 'modified') touches.set(place, kind);
  }
  return touches;
}

function touchedAt({ own, files }: Opened, place: string | undefined): TouchedFile | undefined {
  return own === undefined || place === undefined ? undefined : files.find(({ path }) => placeInWorkspace(own, path) === place);
}
