/** One session of a portable archive, as an owner takes it: whole or not at all, and over nothing. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { ImportSessionRequest, PutChunkRequest, StoreServiceDeleteSessionRequest } from '@sessions/contracts';
import { ArchiveWriter, readArchive, type ByteSource, type ExportedSession } from '@sessions/store';
import { KEY, bench, cleanUpBenches, history, restart, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const ID = '0190aaaa-0000-7000-8000-000000000001';
const LINES = [
  `{"type":"session","version":3,"id":"${ID}","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/elsewhere"}`,
  '{"type":"message","id":"aaaaaaa1","parentId":null,"timestamp":"2026-06-01T09:00:01.000Z","message":{"role":"user","content":[{"type":"text","text":"ä one"}],"timestamp":1.0},"x":12345678901234567890}',
  '{"type":"message","id":"aaaaaaa2","parentId":"aaaaaaa1","timestamp":"2026-06-01T09:00:02.000Z","message":{"role":"assistant","content":[{"type":"text","text":"two"}],"timestamp":2}}',
];
/** Sessions that are months old stay as they are. */
const CONFIG = { session: { reset: { mode: 'idle', idleMinutes: 0 } } };
const TRANSCRIPT = LINES.map((line) => `${line}\n`).join('');
const ENTRY = `{ "sessionId": "${ID}", "updatedAt": 1.780e12,   "own": {"big":12345678901234567890, "q":"\\u00e4"} }`;
const sourceOf = (text: string): ByteSource => ({ read: (buffer, offset, length, position) => Promise.resolve({ bytesRead: Buffer.from(text).copy(buffer, offset, position, position + length) }) });
const file = (text: string): { source: ByteSource; bytes: number } => ({ source: sourceOf(text), bytes: Buffer.byteLength(text) });

/** The members of each session, as a command uploads them. */
async function archived(...sessions: readonly Partial<ExportedSession>[]): Promise<Buffer[]> {
  const dir = mkdtempSync(path.join(tmpdir(), 'import-'));
  try {
    const name = path.join(dir, 'a.tar');
    const handle = await open(name, 'wx');
    const writer = new ArchiveWriter(handle, 0);
    await writer.begin({ agentId: 'main', exportedAtMs: 0, hasBefore: false });
    for (const one of sessions) await writer.add({ key: KEY, sessionId: ID, entryText: ENTRY, transcript: file(TRANSCRIPT), checkpoints: [], ...one });
    await writer.end();
    await handle.close();
    const bytes = readFileSync(name);
    const parts: Buffer[] = [];
    await readArchive({ read: (buffer, offset, length, position) => Promise.resolve({ bytesRead: bytes.copy(buffer, offset, position, position + length) }) }, bytes.length, ({ offset, bytes: length }) => void parts.push(bytes.subarray(offset, offset + length)));
    return parts;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

let uploads = 0;
async function bring(made: Bench, part: Buffer, key?: string) {
  const uploadId = `u${String((uploads += 1))}`;
  for (let at = 0, index = 0; at < part.length; at += 1_000, index += 1) {
    await made.client.putChunk(PutChunkRequest.create({ agentId: 'main', uploadId, index, data: part.subarray(at, at + 1_000), last: at + 1_000 >= part.length, portable: true }));
  }
  return made.client.importSession(ImportSessionRequest.create({ agentId: 'main', uploadId, key }));
}
const stored = (made: Bench, id = ID): string => readFileSync(path.join(sessionsDir(made.stateDir), `${id}.jsonl`), 'utf8');
/** The store as it stands in its file, after a restart. */
const entries = async (made: Bench): Promise<{ next: Bench; text: string; keys: string[] }> => {
  const next = await restart(made, { config: CONFIG });
  await history(next).catch(() => undefined);
  const text = readFileSync(path.join(sessionsDir(made.stateDir), 'sessions.json'), 'utf8');
  return { next, text, keys: Object.keys(JSON.parse(text) as object) };
};

it('has every byte of entry, transcript, trajectory and checkpoint, goes on from there, and is the same after a restart', async () => {
  const checkpoint = 'c0ffee00-0000-4000-8000-000000000001';
  const [part] = await archived({ trajectory: file('{"traceSchema":"t"}\n'), checkpoints: [{ id: checkpoint, ...file('{"old":1}\n') }] });
  const made = await bench({ config: CONFIG });
  expect(await bring(made, part as Buffer)).toMatchObject({ key: KEY, sessionId: ID, imported: true, lines: 3, bytes: Buffer.byteLength(TRANSCRIPT) });
  expect((await history(made)).texts).toEqual(['ä one', 'two']);
  expect(stored(made)).toBe(TRANSCRIPT);
  const dir = sessionsDir(made.stateDir);
  expect(readFileSync(path.join(dir, `${ID}.trajectory.jsonl`), 'utf8')).toBe('{"traceSchema":"t"}\n');
  expect(readFileSync(path.join(dir, `${ID}.checkpoint.${checkpoint}.jsonl`), 'utf8')).toBe('{"old":1}\n');
  expect(made.events.some(({ body }) => body?.$case === 'changed' && body.value.reason === 'import')).toBe(true);
  const { next, text } = await entries(made);
  expect(text).toContain(`"${KEY}": ${ENTRY}`);
  expect(await next.client.deliver(telegram('three'))).toMatchObject({ sessionId: ID });
  expect((await history(next)).texts).toEqual(['ä one', 'two', 'three']);
  const lines = stored(next).trimEnd().split('\n');
  const hash = (line: string): string => createHash('sha256').update(line).digest('hex');
  expect(lines.slice(0, 3).map(hash)).toEqual(LINES.map(hash));
  expect(JSON.parse(lines[3] ?? '')).toMatchObject({ parentId: 'aaaaaaa2' });
  // Imported again, it is there already, with all that came since.
  expect(await bring(next, part as Buffer)).toMatchObject({ imported: false, sessionId: ID });
  expect((await history(next)).texts).toEqual(['ä one', 'two', 'three']);
  expect(readdirSync(path.join(dir, '.store')).filter((name) => name.startsWith('staged-'))).toEqual([]);
});

it('overwrites nothing: not a key, not a session id, not a file; under another key it gets an id of its own', async () => {
  const [part = Buffer.alloc(0)] = await archived({});
  const made = await bench({ config: CONFIG });
  await made.client.deliver(telegram('mine'));
  const before = (await history(made)).texts;
  await expect(bring(made, part)).rejects.toMatchObject({ reason: 'ENTRY_CHANGED', hint: expect.stringContaining('--as') as string });
  expect((await history(made)).texts).toEqual(before);
  expect(existsSync(path.join(sessionsDir(made.stateDir), `${ID}.jsonl`))).toBe(false);
  const first = 'agent:main:dashboard:one';
  const second = 'agent:main:dashboard:two';
  expect(await bring(made, part, first)).toMatchObject({ key: first, sessionId: ID, imported: true });
  const other = await bring(made, part, second);
  expect(other).toMatchObject({ key: second, imported: true });
  expect(other.sessionId).not.toBe(ID);
  expect(stored(made, other.sessionId)).toBe(TRANSCRIPT);
  // Repeated, both are there already.
  expect(await bring(made, part, second)).toMatchObject({ imported: false, sessionId: other.sessionId });
  expect(await bring(made, part, first)).toMatchObject({ imported: false, sessionId: ID });
  appendFileSync(path.join(sessionsDir(made.stateDir), 'foreign.jsonl'), '{"x":1}\n');
  const [foreign = Buffer.alloc(0)] = await archived({ key: 'agent:main:dashboard:three', sessionId: 'foreign', entryText: '{"sessionId":"foreign","updatedAt":1}' });
  await expect(bring(made, foreign)).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
  expect(readFileSync(path.join(sessionsDir(made.stateDir), 'foreign.jsonl'), 'utf8')).toBe('{"x":1}\n');
});

it('takes what is no session, and a transcript that two keys share', async () => {
  const made = await bench({ config: CONFIG });
  const shared = { bytes: Buffer.byteLength(TRANSCRIPT), sha256: createHash('sha256').update(TRANSCRIPT).digest('hex') };
  const parts = await archived({}, { key: 'agent:main:cron:job', transcript: undefined as never, shared }, { key: 'agent:main:odd', sessionId: null, entryText: '[1, 2.0]', transcript: undefined as never });
  await expect(bring(made, parts[1] as Buffer)).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
  for (const part of parts) expect(await bring(made, part)).toMatchObject({ imported: true });
  for (const part of parts) expect(await bring(made, part)).toMatchObject({ imported: false });
  const { text, keys } = await entries(made);
  expect(keys).toEqual([KEY, 'agent:main:cron:job', 'agent:main:odd']);
  expect(text).toContain('"agent:main:odd": [1, 2.0]');
});

it('leaves nothing of an upload that is none, is damaged, names another agent or was broken off', async () => {
  const made = await bench({ config: CONFIG });
  await made.client.deliver(telegram('mine'));
  const [part = Buffer.alloc(0)] = await archived({ key: 'agent:main:dashboard:one' });
  const damaged = Buffer.from(part);
  damaged[damaged.indexOf('"two"') + 1] = 0x54;
  await expect(bring(made, damaged)).rejects.toMatchObject({ reason: 'DAMAGED' });
  await expect(bring(made, part.subarray(0, part.length - 512))).rejects.toMatchObject({ reason: 'DAMAGED' });
  await expect(bring(made, Buffer.concat([part, part]))).rejects.toMatchObject({ reason: 'DAMAGED' });
  const [foreign = Buffer.alloc(0)] = await archived({ key: 'agent:work:main' });
  await expect(bring(made, foreign)).rejects.toMatchObject({ reason: 'VALIDATION', hint: expect.stringContaining('--as') as string });
  await expect(bring(made, part, 'unknown')).rejects.toMatchObject({ reason: 'KEY_INVALID' });
  await expect(made.client.importSession(ImportSessionRequest.create({ agentId: 'main', uploadId: 'none' }))).rejects.toMatchObject({ reason: 'VALIDATION' });
  // One that goes on keeps a second one out; what it was is forgotten with the process.
  await made.client.putChunk(PutChunkRequest.create({ agentId: 'main', uploadId: 'half', index: 0, data: part.subarray(0, 700), portable: true }));
  await expect(bring(made, part)).rejects.toMatchObject({ reason: 'OVERLOADED' });
  const { next, keys } = await entries(made);
  expect(keys).toEqual([KEY]);
  expect(readdirSync(sessionsDir(next.stateDir)).some((name) => name.startsWith(ID))).toBe(false);
  expect(await bring(next, part)).toMatchObject({ imported: true });
  await next.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: 'agent:main:dashboard:one', deleteTranscript: true }));
  expect(await bring(next, part)).toMatchObject({ imported: true, sessionId: ID });
});
