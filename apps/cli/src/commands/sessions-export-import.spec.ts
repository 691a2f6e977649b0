/** An archive on its way from one host to another: what comes out is what went in, over nothing, whatever happens on the way. */
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveGateway, reply, HELLO, recordingIo } from '../testing';
import type { RecordingIo } from '../testing';
import { runProgram } from '../program';

const NOW_MS = Date.UTC(2026, 5, 2);
const ID = (n: number): string => `0190aaaa-0000-7000-8000-00000000000${String(n)}`;
const line = (n: number, id: string, parent: string | null): string => `{"type":"message","id":"${id}","parentId":${JSON.stringify(parent)},"timestamp":"2026-06-01T09:00:0${String(n)}.000Z","message":{"role":"user","content":[{"type":"text","text":"n${String(n)} ü"}],"timestamp":1.7803044e12},"own":12345678901234567890}`;
const TRANSCRIPT = [`{"type":"session","version":3,"id":"${ID(1)}","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/a"}`, line(1, 'aaaaaaa1', null), 'no JSON at all', '', line(2, 'aaaaaaa2', 'aaaaaaa1')].map((each) => `${each}\n`).join('');
const ENTRY = `{\n    "sessionId": "${ID(1)}",\n    "updatedAt": 1.780e12,\n    "x": {"y" : [1.0, 12345678901234567890]},\n    "sessionFile": "${ID(1)}.jsonl"\n  }`;
const SECOND = `{ "sessionId": "${ID(2)}", "sessionFile": "/elsewhere/agents/main/sessions/${ID(2)}-topic-7.jsonl", "updatedAt": 5, "status": "running" }`;
const STORE = `{\n  "agent:main:main": ${ENTRY},\n  "agent:main:telegram:group:1:topic:7": ${SECOND},\n  "agent:main:cron:job": {"sessionId":"${ID(1)}","updatedAt":7},\n  "agent:main:odd": null\n}`;

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portable-'));
  const dir = sessions('here');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'sessions.json'), STORE);
  writeFileSync(join(dir, `${ID(1)}.jsonl`), TRANSCRIPT);
  writeFileSync(join(dir, `${ID(2)}-topic-7.jsonl`), '{"role":"user","content":"simple"}\n');
  writeFileSync(join(dir, `${ID(1)}.trajectory.jsonl`), '{"traceSchema":"openclaw-trajectory"}\n');
  writeFileSync(join(dir, `${ID(1)}.checkpoint.c0ffee00-0000-4000-8000-000000000001.jsonl`), '{"old":true}\n');
  mkdirSync(join(root, 'there'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const sessions = (host: string, agent = 'main'): string => join(root, host, 'agents', agent, 'sessions');
/** No gateway listens on the port that the configuration names. */
async function run(host: string, ...argv: readonly string[]): Promise<RecordingIo & { code: number }> {
  if (!existsSync(join(root, host, 'openclaw.json'))) writeFileSync(join(root, host, 'openclaw.json'), '{"gateway":{"port":1},"agents":{"list":[{"id":"main","default":true},{"id":"work"}]}}');
  const io = recordingIo({ env: { OPENCLAW_STATE_DIR: join(root, host) }, cwd: root, nowMs: NOW_MS });
  return Object.assign(io, { code: await runProgram(['sessions', ...argv], io, '0') });
}
const read = (host: string, file: string): string => readFileSync(join(sessions(host), file), 'utf8');
const fingerprint = (dir: string): string => JSON.stringify(readdirSync(dir, { recursive: true }).map(String).sort().map((name) => [name, statSync(join(dir, name)).isFile() ? createHash('sha256').update(readFileSync(join(dir, name))).digest('hex') : 'd']));
const documentOf = (io: RecordingIo): Record<string, unknown> => JSON.parse(io.stdout()) as Record<string, unknown>;

it('carries an agent to another host: every entry, line and file as it was; reading leaves no trace, a second import changes nothing', async () => {
  const before = fingerprint(sessions('here'));
  const exported = await run('here', 'export', '--agent', 'main', '--output', 'a.tar', '--json');
  expect(documentOf(exported)).toMatchObject({ ok: true, agentId: 'main', sessions: 4, leftOutBytes: 0, withoutTranscript: [] });
  expect(fingerprint(sessions('here'))).toBe(before);
  expect(statSync(join(root, 'a.tar')).mode & 0o777).toBe(0o600);
  const imported = await run('there', 'import', 'a.tar', '--json');
  expect(documentOf(imported)).toMatchObject({ ok: true, imported: 4, alreadyThere: 0 });
  const text = read('there', 'sessions.json');
  expect(text).toContain(`"agent:main:main": ${ENTRY}`);
  expect(text).toContain('"agent:main:odd": null');
  expect(JSON.parse(text)).toMatchObject({ 'agent:main:telegram:group:1:topic:7': { sessionId: ID(2), sessionFile: `${ID(2)}-topic-7.jsonl`, status: 'killed', abortedLastRun: true, updatedAt: 5 }, 'agent:main:cron:job': { sessionId: ID(1) } });
  for (const file of readdirSync(sessions('here')).filter((name) => name.endsWith('.jsonl'))) expect(read('there', file)).toBe(read('here', file));
  const after = JSON.parse(fingerprint(sessions('there'))) as [string, string][];
  expect(documentOf(await run('there', 'import', 'a.tar', '--json'))).toMatchObject({ imported: 0, alreadyThere: 4 });
  const plain = (all: [string, string][]): [string, string][] => all.filter(([name]) => !name.startsWith('.store'));
  expect(plain(JSON.parse(fingerprint(sessions('there'))) as [string, string][])).toEqual(plain(after));
  expect((await run('there', 'verify', '--agent', 'main', '--json')).code).toBe((await run('here', 'verify', '--agent', 'main', '--json')).code);
});

it('carries one session, under another key where that is asked for, into another agent too', async () => {
  await run('here', 'export', 'agent:main:main', '--output', 'one.tar');
  const foreign = await run('there', 'import', 'one.tar', '--agent', 'work', '--json');
  expect(documentOf(foreign)).toMatchObject({ ok: false, error: { details: { reason: 'VALIDATION', hint: expect.stringContaining('--as') as string } } });
  for (const nobody of ['', ' ']) expect(documentOf(await run('there', 'import', 'one.tar', '--as', nobody, '--json'))).toMatchObject({ ok: false, error: { details: { reason: 'VALIDATION', option: '--as' } } });
  expect([existsSync(sessions('there', 'main')), existsSync(sessions('there', 'work'))]).toEqual([false, false]);
  const io = await run('there', 'import', 'one.tar', '--as', 'agent:work:dashboard:moved');
  expect(io.stdout()).toMatch(/^Imported 1 session into agent work: 5 lines, every hash as it was\.\n {2}agent:work:dashboard:moved {2}0190aaaa/);
  expect(readFileSync(join(sessions('there', 'work'), `${ID(1)}.jsonl`), 'utf8')).toBe(TRANSCRIPT);
  expect((await run('there', 'history', 'agent:work:dashboard:moved')).stdout()).toContain('n2 ü');
});

it('exports what stands in the journal alone, and no unfinished line', async () => {
  appendFileSync(join(sessions('here'), `${ID(1)}.jsonl`), '{"half');
  const io = await run('here', 'export', 'agent:main:main', '--output', 'one.tar', '--json');
  expect(documentOf(io)).toMatchObject({ sessions: 1, leftOutBytes: 6 });
  await run('there', 'import', 'one.tar');
  expect(read('there', `${ID(1)}.jsonl`)).toBe(TRANSCRIPT);
});

it('begins nothing when a key is taken, and says how to go on', async () => {
  await run('here', 'export', '--agent', 'main', '--output', 'a.tar');
  mkdirSync(sessions('there'), { recursive: true });
  writeFileSync(join(sessions('there'), 'sessions.json'), '{"agent:main:telegram:group:1:topic:7":{"sessionId":"other","updatedAt":1}}');
  const before = fingerprint(sessions('there'));
  const io = await run('there', 'import', 'a.tar');
  expect(io.code).toBe(1);
  expect(io.stderr()).toMatch(/agent:main:telegram:group:1:topic:7 has another session here; nothing was imported/);
  expect(fingerprint(sessions('there'))).toBe(before);
});

it('a dry run compares everything and writes nothing; a damaged archive is found before anything is written', async () => {
  await run('here', 'export', '--agent', 'main', '--output', 'a.tar');
  expect((await run('there', 'import', 'a.tar', '--dry-run')).stdout()).toMatch(/^Would import 4 sessions into agent main/);
  const bytes = readFileSync(join(root, 'a.tar'));
  // The last session of the archive: the earlier ones are whole.
  const at = bytes.lastIndexOf('null');
  bytes[at] = 0x4e;
  writeFileSync(join(root, 'bad.tar'), bytes);
  expect(documentOf(await run('there', 'import', 'bad.tar', '--json'))).toMatchObject({ ok: false, error: { details: { reason: 'DAMAGED' } } });
  cpSync(join(root, 'a.tar'), join(root, 'cut.tar'));
  truncateSync(join(root, 'cut.tar'), bytes.length - 2048);
  expect((await run('there', 'import', 'cut.tar')).code).toBe(1);
  expect(existsSync(sessions('there'))).toBe(false);
});

it('overwrites no file, follows no link out of the store, and refuses what is no archive', async () => {
  writeFileSync(join(root, 'a.tar'), 'mine');
  expect(documentOf(await run('here', 'export', '--agent', 'main', '--output', 'a.tar', '--json'))).toMatchObject({ ok: false, error: { details: { reason: 'VALIDATION' } } });
  expect(readFileSync(join(root, 'a.tar'), 'utf8')).toBe('mine');
  writeFileSync(join(root, 'secret.jsonl'), '{"secret":1}\n');
  rmSync(join(sessions('here'), `${ID(1)}.jsonl`));
  symlinkSync(join(root, 'secret.jsonl'), join(sessions('here'), `${ID(1)}.jsonl`));
  expect((await run('here', 'export', '--agent', 'main', '--output', 'b.tar')).code).toBe(1);
  expect(readdirSync(root).filter((name) => name.includes('b.tar'))).toEqual([]);
  for (const name of ['a.tar', 'here', 'none.tar', 'secret.jsonl']) expect((await run('there', 'import', name)).code).toBe(1);
  const unknown = await run('here', 'export', 'agent:main:nobody');
  expect(unknown.stderr()).toMatch(/^No session found/);
  expect((await run('here', 'export', '--agent', 'work')).code).toBe(1);
  expect((await run('here', 'import', 'a.tar', '--overwrite')).code).toBe(1);
});

it('goes to the gateway where one listens, in pieces, and ends with its refusal', async () => {
  await run('here', 'export', 'agent:main:main', '--output', 'one.tar');
  const pieces: Buffer[] = [];
  let refuses = false;
  const gateway = await serveGateway((frame, socket) => {
    const params = frame['params'] as Record<string, unknown>;
    if (frame['method'] === 'connect') reply(socket, frame, HELLO);
    else if (frame['method'] === 'sessions.import.chunk') {
      pieces.push(Buffer.from(String(params['data']), 'base64'));
      reply(socket, frame, { ok: true, payload: { ok: true } });
    } else if (refuses) reply(socket, frame, { ok: false, error: { code: 'INVALID_REQUEST', message: 'the key has another session', details: { reason: 'ENTRY_CHANGED' } } });
    else reply(socket, frame, { ok: true, payload: { ok: true, key: 'agent:main:main', sessionId: ID(1), imported: true, lines: 5, bytes: 1 } });
  });
  try {
    writeFileSync(join(root, 'there', 'openclaw.json'), JSON.stringify({ gateway: { port: gateway.port } }));
    expect(documentOf(await run('there', 'import', 'one.tar', '--json'))).toMatchObject({ ok: true, imported: 1 });
    const archive = readFileSync(join(root, 'one.tar'));
    expect(archive.includes(Buffer.concat(pieces))).toBe(true);
    expect(gateway.frames.find(({ method }) => method === 'connect')).toMatchObject({ params: { scopes: ['operator.admin'] } });
    refuses = true;
    expect(documentOf(await run('there', 'import', 'one.tar', '--json'))).toMatchObject({ ok: false, error: { details: { reason: 'ENTRY_CHANGED' } } });
    expect(existsSync(sessions('there'))).toBe(false);
  } finally {
    await gateway.close();
  }
});

it('carries the transcripts that a session went on from, and what its checkpoints name is true there', async () => {
  const entry = rotatedStore('here');
  const exported = await run('here', 'export', 'agent:main:main', '--output', 'family.tar', '--json');
  expect(documentOf(exported)).toMatchObject({ ok: true, sessions: 1, earlierTranscripts: 2, earlierLeftOut: 0 });
  expect(readFileSync(join(root, 'family.tar'), 'utf8')).toContain('"version": 2');
  expect(documentOf(await run('there', 'import', 'family.tar', '--json'))).toMatchObject({ ok: true, imported: 1 });
  const there = JSON.parse(read('there', 'sessions.json'))['agent:main:main'] as typeof entry;
  expect(there).toMatchObject({ sessionId: ID(5), usageFamilyKey: 'agent:main:main', usageFamilySessionIds: [ID(3), ID(4), ID(5)] });
  for (const [at, id] of [ID(3), ID(4)].entries()) {
    const pre = there.compactionCheckpoints[at]?.preCompaction;
    expect(pre).toMatchObject({ sessionId: id, sessionFile: `${id}.jsonl`, leafId: `leaf-${String(at)}` });
    // Each line's hash, and so each message's.
    expect(read('there', `${id}.jsonl`)).toBe(read('here', entry.compactionCheckpoints[at]?.preCompaction.sessionFile ?? ''));
  }
  expect(there.compactionCheckpoints[0]?.postCompaction).toMatchObject({ sessionId: ID(4), sessionFile: `${ID(4)}.jsonl` });
  expect(there.compactionCheckpoints[1]?.postCompaction).toMatchObject({ sessionId: ID(5), sessionFile: `${ID(5)}.jsonl` });
  expect(documentOf(await run('there', 'import', 'family.tar', '--json'))).toMatchObject({ imported: 0, alreadyThere: 1 });
  // Once more under another key: nobody's transcript becomes somebody else's.
  expect(documentOf(await run('there', 'import', 'family.tar', '--as', 'agent:main:dashboard:copy', '--json'))).toMatchObject({ imported: 1 });
  const copy = JSON.parse(read('there', 'sessions.json'))['agent:main:dashboard:copy'] as typeof entry;
  const ids = copy.usageFamilySessionIds;
  expect(new Set([...ids, ...there.usageFamilySessionIds]).size).toBe(6);
  expect(copy.compactionCheckpoints.map(({ preCompaction, postCompaction }) => [preCompaction.sessionId, postCompaction.sessionId])).toEqual([[ids[0], ids[1]], [ids[1], ids[2]]]);
  for (const { preCompaction: { sessionFile } } of copy.compactionCheckpoints) expect(existsSync(join(sessions('there'), sessionFile))).toBe(true);
  const findings = (documentOf(await run('there', 'verify', '--agent', 'main', '--json'))['stores'] as { findings: { kind: string }[] }[])[0]?.findings ?? [];
  // All is right: nothing is said of a header that names the session as it was called there.
  expect(findings).toEqual([]);
});

it('says which earlier transcripts are not in an archive, and drops what would point to them', async () => {
  rotatedStore('here');
  rmSync(join(sessions('here'), `${ID(3)}.jsonl`));
  const exported = await run('here', 'export', 'agent:main:main', '--output', 'family.tar');
  expect(exported.stdout()).toContain('With 1 transcript from before compactions.\nNot in it: 1 transcript from before compactions, which is missing or beyond');
  await run('there', 'import', 'family.tar');
  expect(JSON.parse(read('there', 'sessions.json'))['agent:main:main']).toMatchObject({ usageFamilySessionIds: [ID(4), ID(5)], compactionCheckpoints: [{ preCompaction: { sessionId: ID(4) } }] });
});

it('writes what earlier releases read where no session has gone on from another transcript', async () => {
  await run('here', 'export', '--agent', 'main', '--output', 'a.tar');
  expect(readFileSync(join(root, 'a.tar'), 'utf8')).toContain('"version": 1');
  expect(readFileSync(join(root, 'a.tar'), 'utf8')).not.toContain('"before"');
});

interface RotatedEntry {
  readonly usageFamilySessionIds: readonly string[];
  readonly compactionCheckpoints: readonly { readonly preCompaction: { readonly sessionId: string; readonly sessionFile: string }; readonly postCompaction: { readonly sessionId: string; readonly sessionFile: string } }[];
}

/** A session that went on twice: from 3 to 4 to 5. */
function rotatedStore(host: string): RotatedEntry {
  const files = [`${ID(3)}.jsonl`, `2026-06-01T09-00-00-000Z_${ID(4)}.jsonl`, `2026-06-02T09-00-00-000Z_${ID(5)}.jsonl`];
  for (const [at, file] of files.entries()) writeFileSync(join(sessions(host), file), [`{"type":"session","version":3,"id":"${ID(3 + at)}","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/a"}`, line(1, `aaaaaa${String(at)}1`, null), line(2, `aaaaaa${String(at)}2`, `aaaaaa${String(at)}1`)].map((each) => `${each}\n`).join(''));
  const place = (at: number): object => ({ sessionId: ID(3 + at), sessionFile: files[at] });
  const checkpoint = (at: number): object => ({ checkpointId: `c${String(at)}`, sessionKey: 'agent:main:main', sessionId: ID(4 + at), createdAt: at, reason: 'manual', preCompaction: { ...place(at), leafId: `leaf-${String(at)}` }, postCompaction: place(at + 1) });
  const entry = { sessionId: ID(5), sessionFile: files[2], updatedAt: 9, usageFamilyKey: 'agent:main:main', usageFamilySessionIds: [ID(3), ID(4), ID(5)], compactionCheckpoints: [checkpoint(0), checkpoint(1)] };
  writeFileSync(join(sessions(host), 'sessions.json'), JSON.stringify({ 'agent:main:main': entry }, null, 2));
  return entry as unknown as RotatedEntry;
}
