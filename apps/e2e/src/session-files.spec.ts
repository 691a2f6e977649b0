/** Files of a session: what its tool calls named, and its workspace, through the doors that offer them. */
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetSessionFileRequest, ListSessionFilesRequest } from '@sessions/contracts';
import type { GetSessionFileResponse, ListSessionFilesResponse } from '@sessions/contracts';
import type { Gateway } from './support/gateway';
import { openGrpc } from './support/grpc-client';
import type { GatewaySocket } from './support/gateway-socket';
import { TOKEN, configWith, sessionsDir, useScene, writeFile } from './support/scene';

const SESSION_ID = '0190cccc-0000-7000-8000-000000000001';
const STORED_ID = '0190cccc-0000-7000-8000-000000000002';
const KEY = 'agent:main:main';
const WRITTEN_AT_MS = 1_780_300_000_000;
const scene = useScene('all');

const call = (id: string, name: string, args: object): object => ({ type: 'toolCall', id, name, arguments: args });
const line = (value: object): string => `${JSON.stringify(value)}\n`;

let gateway: Gateway;
let socket: GatewaySocket;
let workspace: string;
let outside: string;
let stateDir: string;

beforeAll(async () => {
  workspace = realpathSync(mkdtempSync(join(tmpdir(), 'workspace-')));
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'outside-')));
  scene.onEnd(() => [workspace, outside].forEach((directory) => rmSync(directory, { recursive: true, force: true })));
  const at = (name: string): string => join(workspace, name);
  for (const [name, text] of [['notes.md', '# Notes\n'], ['src/app.ts', 'export {};\n'], ['src/deep/other.ts', ''], ['large.txt', 'x'.repeat(256 * 1024 + 1)], ['untouched.txt', 'private'], ['node_modules/app.ts', '']] as const) {
    writeFile(at(name), text);
    utimesSync(at(name), WRITTEN_AT_MS / 1000, WRITTEN_AT_MS / 1000);
  }
  writeFile(join(outside, 'secret.txt'), 'planted');
  symlinkSync(join(outside, 'secret.txt'), at('link.txt'));
  symlinkSync(outside, at('linked'));
  linkSync(join(outside, 'secret.txt'), at('hard.txt'));
  mkdirSync(at('directory'));

  stateDir = scene.stateDir(configWith({ agents: { list: [{ id: 'main', default: true, workspace }, { id: 'plain' }] } }));
  const touched = ['src/app.ts', 'large.txt', 'link.txt', 'linked/secret.txt', 'hard.txt', 'directory', '../outside.txt', join(outside, 'secret.txt'), 'gone.txt'];
  const content = [call('c1', 'read', { path: 'notes.md' }), call('c2', 'edit', { path: 'src/app.ts' }), ...touched.map((path, place) => call(`r${String(place)}`, 'read', { path }))];
  const transcript = line({ type: 'session', version: 3, id: SESSION_ID, timestamp: '2026-06-01T00:00:00.000Z', cwd: workspace })
    + line({ type: 'message', id: '00000001', parentId: null, timestamp: '2026-06-01T00:00:01.000Z', message: { role: 'user', content: 'work', timestamp: 1 } })
    + line({ type: 'message', id: '00000002', parentId: '00000001', timestamp: '2026-06-01T00:00:02.000Z', message: { role: 'assistant', content, timestamp: 2 } });
  for (const agentId of ['main', 'plain']) {
    const key = `agent:${agentId}:main`;
    // Another program may have written anything into an entry.
    const stored = { sessionId: STORED_ID, sessionFile: `${STORED_ID}.jsonl`, updatedAt: WRITTEN_AT_MS, spawnedWorkspaceDir: outside };
    writeFile(join(sessionsDir(stateDir, agentId), 'sessions.json'), JSON.stringify({ [key]: { sessionId: SESSION_ID, sessionFile: `${SESSION_ID}.jsonl`, updatedAt: WRITTEN_AT_MS }, [`agent:${agentId}:subagent:stored`]: stored }));
    writeFile(join(sessionsDir(stateDir, agentId), `${STORED_ID}.jsonl`), transcript.replace(SESSION_ID, STORED_ID).replaceAll('gone.txt', 'secret.txt'));
    writeFile(join(sessionsDir(stateDir, agentId), `${SESSION_ID}.jsonl`), transcript);
  }
  gateway = await scene.gateway(stateDir, { args: ['--grpc-port', '0', '--token', TOKEN] });
  socket = await scene.socket(gateway, { scopes: ['operator.read'] });
});

const files = async (params: object = {}): Promise<Record<string, unknown>> => socket.call('sessions.files.list', { sessionKey: KEY, ...params });
const entriesOf = (payload: Record<string, unknown>): Record<string, unknown>[] => (payload['browser'] as { entries: Record<string, unknown>[] }).entries;
const refused = async (path: string): Promise<unknown> => (await socket.request('sessions.files.get', { sessionKey: KEY, path })).error;

describe('the list of files', () => {
  it('has those that tool calls named, modified ones first, with what stands there now', async () => {
    const listed = await files({ sessionKey: 'main' });
    expect(listed).toMatchObject({ sessionKey: 'main', root: workspace });
    const there = (path: string, name: string, kind: string, size: number): object => ({ path, name, kind, missing: false, size, updatedAtMs: WRITTEN_AT_MS });
    const byPath = Object.fromEntries((listed['files'] as { path: string }[]).map((file) => [file.path, file]));
    expect((listed['files'] as object[])[0]).toEqual(there('src/app.ts', 'app.ts', 'modified', 11));
    expect(byPath['notes.md']).toEqual(there('notes.md', 'notes.md', 'read', 8));
    for (const path of ['link.txt', 'linked/secret.txt', 'hard.txt', 'directory', '../outside.txt', join(outside, 'secret.txt'), 'gone.txt']) {
      expect(byPath[path]).toEqual({ path, name: path.split('/').at(-1), kind: 'read', missing: true });
    }
  });

  it('looks into the workspace: directories first, regular files only, with what the session did there', async () => {
    const entries = entriesOf(await files());
    expect(entries.map(({ name }) => name)).toEqual(['directory', 'node_modules', 'src', 'large.txt', 'notes.md', 'untouched.txt']);
    expect(entries.find(({ name }) => name === 'src')).toMatchObject({ path: 'src', kind: 'directory', sessionKind: 'modified' });
    expect(entries.find(({ name }) => name === 'notes.md')).toEqual({ path: 'notes.md', name: 'notes.md', kind: 'file', size: 8, updatedAtMs: WRITTEN_AT_MS, sessionKind: 'read' });
    const below = await files({ path: './src//' });
    expect(below['browser']).toMatchObject({ path: 'src', parentPath: '', entries: [{ path: 'src/deep', kind: 'directory' }, { path: 'src/app.ts', sessionKind: 'modified' }] });
    expect((await files({ path: 'src/deep' }))['browser']).toMatchObject({ path: 'src/deep', parentPath: 'src' });
  });

  it('finds names and paths without case, and stays out of what tools put there', async () => {
    const found = await files({ search: 'APP.', path: 'nowhere' });
    expect(found['browser']).toEqual({ path: '', search: 'APP.', entries: [expect.objectContaining({ path: 'src/app.ts' })] });
  });

  it.each(['..', '../..', '/etc', 'linked', 'src/../..', 'link.txt', 'notes.md', 'nowhere'])('shows no directory for %p', async (path) => {
    expect((await files({ path }))['browser']).toBeUndefined();
  });

  it('is empty for a session that nobody has, and below the state directory for an agent that names no workspace', async () => {
    expect(await files({ sessionKey: 'agent:main:nobody' })).toEqual({ sessionKey: 'agent:main:nobody', files: [] });
    const plain = await files({ sessionKey: 'agent:plain:main' });
    expect([plain['root'], plain['browser']]).toEqual([join(stateDir, 'workspace-plain'), undefined]);
    expect((plain['files'] as { missing: boolean }[]).every(({ missing }) => missing)).toBe(true);
  });
});

describe('one file', () => {
  it.each([['src/app.ts', 'src/app.ts'], ['./src/app.ts', 'src/app.ts'], ['notes.md', 'notes.md']])('is given out by the name %p', async (path, shown) => {
    const { file, root } = await socket.call('sessions.files.get', { sessionKey: KEY, path });
    expect(root).toBe(workspace);
    expect(file).toMatchObject({ path: shown, missing: false, content: shown === 'notes.md' ? '# Notes\n' : 'export {};\n' });
  });

  it.each(['untouched.txt', 'link.txt', 'linked/secret.txt', 'hard.txt', 'directory', 'gone.txt', '../outside.txt', '/etc/passwd', 'src/../../outside.txt'])('is not found: %p', async (path) => {
    expect(await refused(path)).toMatchObject({ code: 'INVALID_REQUEST', message: 'session file not found', details: { type: 'session_file_not_found', path, reason: 'FILE_NOT_FOUND' } });
  });

  it('outside the workspace is not found by its absolute name either', async () => {
    expect(await refused(join(outside, 'secret.txt'))).toMatchObject({ message: 'session file not found' });
  });

  it('above 256 KiB is too large to show', async () => {
    expect(await refused('large.txt')).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'session file is too large to preview',
      details: { type: 'session_file_too_large', maxPreviewBytes: 262_144, path: 'large.txt', size: 262_145, reason: 'TOO_LARGE' },
    });
  });
});

describe('a session with a directory of its own', () => {
  const key = (name: string): string => `agent:main:subagent:${name}`;
  let admin: GatewaySocket;
  beforeAll(async () => void (admin = await scene.socket(gateway, { scopes: ['operator.admin'] })));

  it('is pointed at no place outside its agent\'s workspace', async () => {
    for (const name of ['spawnedWorkspaceDir', 'spawnedCwd']) {
      for (const place of ['/', '/etc', outside, join(workspace, '..'), `${workspace}-other`, join(workspace, 'src/../../x'), 'src', '~']) {
        expect([place, (await admin.request('sessions.patch', { key: key('away'), [name]: place })).error]).toMatchObject([place, { code: 'INVALID_REQUEST', message: `invalid ${name} (use an absolute path inside the workspace of the session's agent)` }]);
      }
    }
    expect((await admin.call('sessions.describe', { key: key('away') }))['session']).toBeNull();
  });

  it('looks into a directory of the workspace and no further', async () => {
    await admin.call('sessions.patch', { key: key('below'), spawnedWorkspaceDir: join(workspace, 'src') });
    const below = await files({ sessionKey: key('below') });
    expect([below['root'], entriesOf(below).map(({ path }) => path)]).toEqual([join(workspace, 'src'), ['deep', 'app.ts']]);
    expect((await files({ sessionKey: key('below'), path: '..' }))['browser']).toBeUndefined();
  });

  it('follows no link out of it, and nothing that stands in its entry', async () => {
    await admin.call('sessions.patch', { key: key('linked'), spawnedWorkspaceDir: join(workspace, 'linked') });
    expect((await files({ sessionKey: key('linked') }))['browser']).toBeUndefined();
    const stored = await files({ sessionKey: key('stored') });
    expect([stored['root'], stored['browser'], (stored['files'] as { missing: boolean }[]).every(({ missing }) => missing)]).toEqual([undefined, undefined, true]);
    for (const path of ['secret.txt', join(outside, 'secret.txt')]) expect((await socket.request('sessions.files.get', { sessionKey: key('stored'), path })).error).toMatchObject({ message: 'session file not found' });
  });
});

describe('over gRPC', () => {
  it('the same is listed and given out', async () => {
    const grpc = openGrpc(gateway);
    scene.onEnd(() => grpc.close());
    const listed = await grpc.call<ListSessionFilesResponse>('listSessionFiles', ListSessionFilesRequest.create({ key: KEY }));
    const payload = await files();
    expect([listed.root, listed.files.map(({ path }) => path)]).toEqual([workspace, (payload['files'] as { path: string }[]).map(({ path }) => path)]);
    expect(listed.browser?.entries.map(({ path }) => path)).toEqual(entriesOf(payload).map(({ path }) => path));
    const { file, content } = await grpc.call<GetSessionFileResponse>('getSessionFile', GetSessionFileRequest.create({ key: KEY, path: 'notes.md' }));
    expect([file?.kind, Buffer.from(content).toString()]).toEqual(['read', '# Notes\n']);
    await expect(grpc.call('getSessionFile', GetSessionFileRequest.create({ key: KEY, path: '../outside.txt' }))).rejects.toMatchObject({ code: 5 });
    await expect(grpc.call('getSessionFile', GetSessionFileRequest.create({ key: KEY, path: 'large.txt' }))).rejects.toMatchObject({ code: 3 });
    await expect(grpc.call('listSessionFiles', ListSessionFilesRequest.create({ key: KEY, path: 'a\0b' }))).rejects.toMatchObject({ code: 3 });
  });
});
