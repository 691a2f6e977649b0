import { GetSessionFileRequest, ListSessionFilesRequest } from '@sessions/contracts';
import type { SessionFile, WorkspaceEntry, WorkspaceListing } from '@sessions/contracts';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.files.list`: files that a session worked on, and a look into its workspace. */
export const sessionsFilesList: GatewayMethod = async (deps, { params, context }) => {
  const sessionKey = textOf(params, 'sessionKey') ?? '';
  const request = ListSessionFilesRequest.create({ key: sessionKey, agentId: textOf(params, 'agentId'), path: textOf(params, 'path'), search: textOf(params, 'search') });
  const { root, files, browser, truncated } = await deps.handlers.listSessionFiles(request, context);
  return {
    payload: {
      sessionKey,
      ...(root !== undefined && { root }),
      files: files.map(toFile),
      ...(browser !== undefined && { browser: toBrowser(browser) }),
      ...(truncated && { truncated }),
    },
  };
};

/** `sessions.files.get`: one of those files. Bytes that are no UTF-8 are replaced. */
export const sessionsFilesGet: GatewayMethod = async (deps, { params, context }) => {
  const sessionKey = textOf(params, 'sessionKey') ?? '';
  const request = GetSessionFileRequest.create({ key: sessionKey, agentId: textOf(params, 'agentId'), path: textOf(params, 'path') });
  const { root, file, content } = await deps.handlers.getSessionFile(request, context);
  return { payload: { sessionKey, root, file: { ...(file !== undefined && toFile(file)), content: Buffer.from(content).toString('utf8') } } };
};

function toFile({ path, name, kind, missing, size, updatedAtMs }: SessionFile): Record<string, unknown> {
  return { path, name, kind, missing, ...(size !== undefined && { size }), ...(updatedAtMs !== undefined && { updatedAtMs }) };
}

function toBrowser({ path, parentPath, search, entries, truncated }: WorkspaceListing): Record<string, unknown> {
  return {
    path,
    ...(parentPath !== undefined && { parentPath }),
    ...(search !== undefined && { search }),
    entries: entries.map(toEntry),
    ...(truncated && { truncated }),
  };
}

function toEntry({ path, name, kind, size, updatedAtMs, sessionKind }: WorkspaceEntry): Record<string, unknown> {
  return { path, name, kind, ...(size !== undefined && { size }), updatedAtMs, ...(sessionKind !== undefined && { sessionKind }) };
}
