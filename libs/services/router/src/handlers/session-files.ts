/** ListSessionFiles and GetSessionFile: asked of the owner, which is where workspaces are. */
import { GetFileRequest, GetSessionFileResponse, ListFilesRequest, ListSessionFilesResponse } from '@sessions/contracts';
import type { GetSessionFileRequest, ListSessionFilesRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';
import type { Address, AddressRequest } from './resolve-address';

/** Longest path or search of a request, UTF-16 units. */
const PATH_LENGTH_MAX = 4096;

/** A session that nobody has has no files. @throws VALIDATION, NOT_VISIBLE */
export async function listSessionFiles(deps: HandlerDeps, request: ListSessionFilesRequest, context: CallContext): Promise<ListSessionFilesResponse> {
  const { path, search } = request;
  assertKey(request.key);
  assertPath('path', path);
  assertPath('search', search);
  const address = await addressOf(deps, request, context);
  if (address === undefined) return ListSessionFilesResponse.create({});
  const { root, files, browser, truncated } = await deps.stores.read('listFiles', ListFilesRequest.create({ ...address, path, search }), context);
  return ListSessionFilesResponse.create({ root, files, browser, truncated });
}

/** @throws VALIDATION, NOT_VISIBLE, FILE_NOT_FOUND, TOO_LARGE */
export async function getSessionFile(deps: HandlerDeps, request: GetSessionFileRequest, context: CallContext): Promise<GetSessionFileResponse> {
  const { path } = request;
  assertKey(request.key);
  if (path === '') throw new SessionError('VALIDATION', 'path is required');
  assertPath('path', path);
  const address = await addressOf(deps, request, context);
  if (address === undefined) throw new SessionError('FILE_NOT_FOUND', 'session file not found', { facts: { type: 'session_file_not_found', path } });
  const { root, file, content } = await deps.stores.read('getFile', GetFileRequest.create({ ...address, path }), context);
  return GetSessionFileResponse.create({ root, file, content });
}

/** Undefined: nobody has such a session id, or the agent has no store. */
async function addressOf(deps: HandlerDeps, { key, agentId }: AddressRequest, context: CallContext): Promise<Address | undefined> {
  try {
    const address = await resolveAddress(deps, { key, agentId }, context);
    return (await deps.agents.hasStore(address.agentId, context)) ? address : undefined;
  } catch (error) {
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return undefined;
    throw error;
  }
}

function assertKey(key: string): void {
  if (key === '') throw new SessionError('VALIDATION', 'key is required');
}

function assertPath(name: string, value: string): void {
  if (value.length > PATH_LENGTH_MAX) throw new SessionError('VALIDATION', `${name} must have at most ${String(PATH_LENGTH_MAX)} characters`);
  if (value.includes('\0')) throw new SessionError('VALIDATION', `${name} must not hold a NUL character`);
}
