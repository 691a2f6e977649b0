/** Several stores in one directory: none takes another's transcripts for its own, nor for nobody's. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { openStoreReader } from '../offline/store-reader';
import { openStore } from '../open-store';
import { verifyStore } from '../verify/verify-store';

let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'neighbours-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

const ID = '0190aaaa-0000-7000-8000-000000000001';
const put = (name: string, text: string): void => fs.writeFileSync(path.join(dir, name), text);
const transcript = `${JSON.stringify({ type: 'session', version: 3, id: ID, sessionKey: 'agent:a:main' })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'of a' } })}\n`;

const open = (agentId: string) => openStore({ agentId, sessionsFile: path.join(dir, `${agentId}.json`), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });

async function rowsAfterOpening(agentId: string): Promise<string[]> {
  const store = await open(agentId);
  const neighbours = await store.facts.neighbours(fs.readdirSync(dir));
  await store.close();
  return Object.keys(JSON.parse(fs.existsSync(path.join(dir, `${agentId}.json`)) ? fs.readFileSync(path.join(dir, `${agentId}.json`), 'utf8') : '{}') as object).concat(neighbours.map((name) => `beside ${name}`));
}

it('begins a store empty beside one whose transcripts stand there, as its readers see it', async () => {
  put('a.json', JSON.stringify({ 'agent:a:main': { sessionId: ID, updatedAt: 1 } }));
  put(`${ID}.jsonl`, transcript);
  expect((await openStoreReader({ agentId: 'b', sessionsFile: path.join(dir, 'b.json') })).source).toBe('none');
  expect((await verifyStore('b', path.join(dir, 'b.json'), { nowMs: () => 1_700_000_000_000, live: false })).ok).toBe(true);
  expect(await rowsAfterOpening('b')).toEqual(['beside a.json']);
  expect(fs.readFileSync(path.join(dir, `${ID}.jsonl`), 'utf8')).toBe(transcript);
  expect(await rowsAfterOpening('a')).toContain('agent:a:main');
});

it('makes a lost store again from its transcripts where no other store is, whatever else lies there', async () => {
  put('notes.json', '{"a": 1}');
  put(`${ID}.trajectory-path.json`, '{"sessionId": "x"}');
  put(`${ID}.jsonl`, transcript);
  await expect(openStoreReader({ agentId: 'a', sessionsFile: path.join(dir, 'a.json') })).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
  expect(await rowsAfterOpening('a')).toEqual(['agent:a:main']);
});

it('knows a neighbour by its owner\'s directory too', async () => {
  fs.mkdirSync(path.join(dir, '.store'));
  put(`${ID}.jsonl`, transcript);
  expect(await rowsAfterOpening('b')).toEqual(['beside .store']);
});
