import { runExportTrajectory } from './sessions-export-trajectory';
import { recordingIo } from '../testing';
import type { RecordingIo } from '../testing';
import { createRedaction, redactJson } from '@sessions/store';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = 'agent:main:main';
const ID = '0190aaaa-0000-7000-8000-000000000001';
const TOKEN = 'configured-secret-token';
const at = (second: number): string => new Date(Date.UTC(2026, 5, 1, 8, 0, second)).toISOString();
const NOW_MS = Date.UTC(2026, 5, 2, 9, 30, 0);

describe('sessions export-trajectory', () => {
  let directory: string;
  let sessions: string;
  let workspace: string;
  let io: RecordingIo;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cli-export-'));
    sessions = join(directory, 'state', 'agents', 'main', 'sessions');
    workspace = join(directory, 'work');
    mkdirSync(sessions, { recursive: true });
    mkdirSync(workspace);
    writeFileSync(join(directory, 'state', 'openclaw.json'), `{ gateway: { auth: { token: '${TOKEN}' } } }`);
    writeFileSync(join(sessions, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: ID, updatedAt: 1 } }));
    const line = (id: string, parentId: string | null, second: number, message: object): string => JSON.stringify({ type: 'message', id, parentId, timestamp: at(second), message });
    writeFileSync(
      join(sessions, `${ID}.jsonl`),
      `${[
        JSON.stringify({ type: 'session', version: 3, id: ID, timestamp: at(0), cwd: workspace }),
        line('a1', null, 1, { role: 'user', content: [{ type: 'text', text: `look at ${workspace}/notes with ${TOKEN}` }, { type: 'image', data: 'QUJD', mimeType: 'image/png' }] }),
        line('b1', 'a1', 2, { role: 'assistant', content: [{ type: 'text', text: 'left branch' }] }),
        line('c1', 'a1', 3, { role: 'assistant', content: [{ type: 'toolCall', id: 't1', name: 'read', arguments: { path: 'notes', api_key: 'sk-abcdefghijkl' } }] }),
        line('d1', 'c1', 4, { role: 'toolResult', toolCallId: 't1', toolName: 'read', content: [{ type: 'text', text: 'Authorization: Bearer abcdefghijklmnop\nDB_PASSWORD=hunter2-a\ncurl -u bob:hunter2-b https://host/?api_key=hunter2-c' }] }),
        JSON.stringify({ type: 'compaction', id: 'e1', parentId: 'd1', timestamp: at(6), summary: 's', firstKeptEntryId: 'd1', tokensBefore: 5 }),
      ].join('\n')}\n`,
    );
    const event = (type: string, seq: number, second: number, data: object): string => JSON.stringify({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, traceId: ID, source: 'runtime', type, ts: at(second), seq, sourceSeq: seq, sessionId: ID, sessionKey: KEY, data });
    writeFileSync(join(sessions, `${ID}.trajectory.jsonl`), `${[event('session.started', 1, 0, {}), 'no json', event('context.compiled', 2, 1, { systemPrompt: `You live in ${directory}`, tools: [{ name: 'read' }] }), event('prompt.submitted', 3, 1, { prompt: 'p' }), event('session.ended', 4, 9, { status: 'done' })].join('\n')}\n{"unfinished`);
    io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: join(directory, 'state') }, nowMs: NOW_MS });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const run = (flags: Parameters<typeof runExportTrajectory>[1]) => runExportTrajectory(io, { sessionKey: KEY, workspace, ...flags });
  const exports = (): string => join(workspace, '.openclaw', 'trajectory-exports');

  it('writes a bundle with its manifest: the active branch and the trajectory in the order of time', async () => {
    expect(await run({ output: 'bug-123', json: true })).toBe(0);
    const answer = JSON.parse(io.stdout()) as Record<string, unknown>;
    const outputDir = join(exports(), 'bug-123');
    expect(answer).toMatchObject({ ok: true, outputDir, displayPath: '.openclaw/trajectory-exports/bug-123', sessionId: ID, sessionKey: KEY, eventCount: 9, runtimeEventCount: 4, transcriptEventCount: 5 });
    expect([...(answer['files'] as string[])].sort()).toEqual(readdirSync(outputDir).sort());
    const events = readFileSync(join(outputDir, 'events.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { type: string; seq: number });
    expect(events.map(({ type }) => type)).toEqual(['session.started', 'context.compiled', 'prompt.submitted', 'user.message', 'assistant.message', 'tool.call', 'tool.result', 'session.compaction', 'session.ended']);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const branch = JSON.parse(readFileSync(join(outputDir, 'session-branch.json'), 'utf8')) as { leafId: string; entries: { id: string }[] };
    expect([branch.leafId, branch.entries.map(({ id }) => id)]).toEqual(['e1', ['a1', 'c1', 'd1', 'e1']]);
    const manifest = JSON.parse(readFileSync(join(outputDir, 'manifest.json'), 'utf8')) as { contents: { path: string; bytes: number }[] };
    expect(manifest).toMatchObject({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, generatedAt: '2026-06-02T09:30:00.000Z', traceId: ID, workspaceDir: '$WORKSPACE_DIR', leafId: 'e1', eventCount: 9, sourceFiles: { session: `${ID}.jsonl` }, warnings: [{ count: 1, rows: [2] }] });
    for (const { path, bytes } of manifest.contents) expect(readFileSync(join(outputDir, path)).length).toBe(bytes);
    expect(readFileSync(join(outputDir, 'system-prompt.txt'), 'utf8')).toBe('You live in ~');
  });

  it('leaves out credentials, image data and the places of this machine', async () => {
    await run({ output: 'o' });
    const all = readdirSync(join(exports(), 'o')).map((file) => readFileSync(join(exports(), 'o', file), 'utf8')).join('\n');
    for (const secret of [TOKEN, 'sk-abcdefghijkl', 'abcdefghijklmnop', 'hunter2', 'QUJD', workspace, directory]) expect(all).not.toContain(secret);
    expect(all).toContain('$WORKSPACE_DIR/notes');
    expect(redactJson({ inputTokens: 5, token: 'x', nested: { password: 'y' } }, createRedaction({ workspace: '/w', stateDir: '/s', homeDir: '/h' }, []))).toEqual({ inputTokens: 5, token: '[redacted]', nested: { password: '[redacted]' } });
  });

  it('has the events from before the session was brought in under another id', async () => {
    const [oldName, name] = [join(sessions, `${ID}.trajectory.jsonl`), ID.replace(/1$/u, '2')];
    writeFileSync(join(sessions, `${name}.trajectory.jsonl`), readFileSync(oldName));
    writeFileSync(join(sessions, `${name}.jsonl`), readFileSync(join(sessions, `${ID}.jsonl`)));
    writeFileSync(join(sessions, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: name, updatedAt: 1, importedTranscript: { sessionId: name, headerId: ID } } }));
    expect(await run({ output: 'copy', json: true })).toBe(0);
    expect(JSON.parse(io.stdout())).toMatchObject({ sessionId: name, runtimeEventCount: 4 });
  });

  it('passes over an event that is longer than any, says so, and finds those behind it', async () => {
    const event = (seq: number, prompt: string): string => JSON.stringify({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, traceId: ID, source: 'runtime', type: 'prompt.submitted', ts: at(1), seq, sourceSeq: seq, sessionId: ID, sessionKey: KEY, data: { prompt } });
    writeFileSync(join(sessions, `${ID}.trajectory.jsonl`), `${event(1, 'before')}\n${event(2, 'x'.repeat(2 * 2 ** 20))}\n${event(3, 'behind')}\n`);
    expect(await run({ output: 'o', json: true })).toBe(0);
    expect(JSON.parse(io.stdout())).toMatchObject({ runtimeEventCount: 2 });
    expect(JSON.parse(readFileSync(join(exports(), 'o', 'prompts.json'), 'utf8'))).toEqual([{ prompt: 'before' }, { prompt: 'behind' }]);
    expect(JSON.parse(readFileSync(join(exports(), 'o', 'manifest.json'), 'utf8'))).toMatchObject({ warnings: [{ count: 1, rows: [2] }] });
  });

  it('streams more than 50 MiB, tells how far it is on a terminal, and leaves nothing out', async () => {
    const EVENTS = 10_500;
    const file = openSync(join(sessions, `${ID}.trajectory.jsonl`), 'w');
    for (let from = 1; from <= EVENTS; from += 500) {
      const lines = Array.from({ length: 500 }, (_, index) => JSON.stringify({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, traceId: ID, source: 'runtime', type: 'tool.result', ts: at(1), seq: from + index, sourceSeq: from + index, sessionId: ID, sessionKey: KEY, data: { result: 'x'.repeat(5_000) } }));
      writeSync(file, `${lines.join('\n')}\n`);
    }
    closeSync(file);
    expect(statSync(join(sessions, `${ID}.trajectory.jsonl`)).size).toBeGreaterThan(50 * 2 ** 20);
    io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: join(directory, 'state') }, nowMs: NOW_MS, columns: 100 });
    expect(await run({ output: 'large' })).toBe(0);
    expect(io.stdout()).toContain(`(${String(EVENTS)} of the runtime, 5 of the transcript)`);
    expect(io.stderr()).toMatch(/^\d+ events\n/u);
    expect(statSync(join(exports(), 'large', 'events.jsonl')).size).toBeGreaterThan(50 * 2 ** 20);
  });

  it.each(['../x', '/tmp/x', '~/x', '~', '', '.', '..', 'a/../../x', 'a//b', 'a\\b', 'a\0b'])('writes nothing for --output %j', async (output) => {
    await expect(run({ output })).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(existsSync(join(workspace, '.openclaw'))).toBe(false);
  });

  it('goes through no link, and overwrites nothing', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(workspace, '.openclaw'));
    await expect(run({ output: 'x' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(readdirSync(outside)).toEqual([]);
    rmSync(join(workspace, '.openclaw'));
    await run({ output: 'x' });
    await expect(run({ output: 'x' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    symlinkSync(outside, join(exports(), 'linked'));
    await expect(run({ output: 'linked/y' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(run({ output: 'linked' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(readdirSync(exports()).sort()).toEqual(['linked', 'x']);
  });

  it('goes into the agent\'s own workspace, below the state directory where none is configured', async () => {
    expect(await runExportTrajectory(io, { sessionKey: KEY, output: 'mine' })).toBe(0);
    expect(readdirSync(join(directory, 'state', 'workspace', '.openclaw', 'trajectory-exports'))).toEqual(['mine']);
    writeFileSync(join(directory, 'state', 'openclaw.json'), `{ agents: { defaults: { workspace: '~/notes' } } }`);
    expect(await runExportTrajectory(io, { sessionKey: KEY, output: 'mine' })).toBe(0);
    expect(readdirSync(join(directory, 'notes', '.openclaw', 'trajectory-exports'))).toEqual(['mine']);
    await expect(runExportTrajectory(io, { sessionKey: KEY, workspace: '~/mistyped' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(existsSync(join(directory, 'mistyped'))).toBe(false);
  });

  it('has a name of its own, takes its request as one text, and says what is missing', async () => {
    const request = Buffer.from(JSON.stringify({ sessionKey: KEY, workspace })).toString('base64url');
    expect(await runExportTrajectory(io, { requestJsonBase64: request })).toBe(0);
    expect(readdirSync(exports())).toEqual(['openclaw-trajectory-0190aaaa-2026-06-02T09-30-00']);
    expect(io.stdout()).toContain('Events: 9 (4 of the runtime, 5 of the transcript)');
    await expect(runExportTrajectory(io, {})).rejects.toMatchObject({ message: '--session-key is required.' });
    await expect(runExportTrajectory(io, { requestJsonBase64: 'bm90IGpzb24' })).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(run({ sessionKey: 'agent:main:nobody' })).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    rmSync(join(sessions, `${ID}.jsonl`));
    await expect(run({ output: 'z' })).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    expect(existsSync(join(exports(), 'z'))).toBe(false);
  });
});
