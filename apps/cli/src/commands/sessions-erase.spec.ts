/** `sessions erase` over real files without a gateway, and what it asks of one that listens. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../program';
import { HELLO, recordingIo, reply, serveGateway } from '../testing';

const ANN = 'agent:main:telegram:direct:700700700';
const WORK = 'agent:work:telegram:direct:700700700';
const BEN = 'agent:main:telegram:direct:800800800';
const idOf = (index: number): string => `${index.toString(16).padStart(8, '0')}-0000-4000-8000-00000000abcd`;

let directory: string;
let port: number;

beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cli-erase-')));
  port = await freePort();
  writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ agents: { list: [{ id: 'main' }, { id: 'work' }] }, session: { identityLinks: { ann: ['telegram:700700700'] } }, gateway: { port } }));
  seed('main', { [ANN]: idOf(1), [BEN]: idOf(2) });
  seed('work', { [WORK]: idOf(3) });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Nobody listens there. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

function seed(agent: string, sessions: Readonly<Record<string, string>>): void {
  const dir = join(directory, 'agents', agent, 'sessions');
  mkdirSync(dir, { recursive: true });
  const entries = Object.fromEntries(Object.entries(sessions).map(([key, sessionId]) => [key, { sessionId, updatedAt: 1_780_000_000_000 }]));
  writeFileSync(join(dir, 'sessions.json'), JSON.stringify(entries, null, 2));
  for (const id of Object.values(sessions)) writeFileSync(join(dir, `${id}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id })}\n`);
}

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = recordingIo({ env: { OPENCLAW_STATE_DIR: directory, OPENCLAW_CONFIG_PATH: join(directory, 'openclaw.json'), HOME: directory }, cwd: directory, nowMs: Date.now() });
  const code = await runProgram(argv, io, '0.0.0');
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

function filesWith(word: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'openclaw.json' && (name.includes(word) || (statSync(join(directory, name)).isFile() && readFileSync(join(directory, name)).includes(word))));
}

it('shows what it would take, wants to be told, takes it, and gives the same receipt again', async () => {
  const dry = await run('sessions', 'erase', ANN, '--dry-run');
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.stdout).toContain(`Would erase 1 session:\n  ${ANN}\n`);
  expect(dry.stdout).toMatch(/PLACE +FILES +BYTES +RECORDS\n/);
  expect(dry.stdout).toMatch(/Nothing was changed\.\n\nNot looked for: archives that `sessions export` wrote, .*\n$/);
  const unasked = await run('sessions', 'erase', ANN);
  expect(unasked).toMatchObject({ code: 1, stdout: '' });
  expect(unasked.stderr).toContain(`openclaw sessions erase ${ANN} --yes`);
  // What was said beside it is said again.
  expect((await run('sessions', 'erase', ANN, '--agent', 'main')).stderr).toContain(`openclaw sessions erase ${ANN} --agent main --yes`);
  expect(filesWith(idOf(1)).length).toBeGreaterThan(0);
  const done = await run('sessions', 'erase', ANN, '--yes', '--json');
  expect(done.code).toBe(0);
  const { stores, notErased } = JSON.parse(done.stdout) as { stores: { receipt: { id: string; scannedBytes: number } }[]; notErased: string };
  expect(notErased).toContain('sessions export');
  expect(stores).toMatchObject([{ agentId: 'main', ok: true, found: true, keys: [ANN], left: [] }]);
  expect(stores[0]?.receipt.scannedBytes).toBeGreaterThan(0);
  expect(filesWith(ANN)).toEqual([]);
  expect(filesWith(idOf(1))).toEqual([]);
  expect(filesWith(idOf(2)).length).toBeGreaterThan(0);
  const again = await run('sessions', 'erase', ANN, '--yes');
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain(`Receipt ${stores[0]?.receipt.id ?? ''} of `);
});

it('takes what was exported of a session along, and nobody else\'s', async () => {
  for (const [key, name] of [[ANN, 'of-ann'], [BEN, 'of-ben']] as const) expect(await run('sessions', 'export-trajectory', '--session-key', key, '--output', name)).toMatchObject({ code: 0 });
  const exports = join(directory, 'workspace', '.openclaw', 'trajectory-exports');
  mkdirSync(join(exports, 'of-nobody'));
  writeFileSync(join(exports, 'of-nobody', 'manifest.json'), 'no JSON');
  const count = readdirSync(join(exports, 'of-ann')).length;
  const places = async (...flags: string[]): Promise<unknown> => (JSON.parse((await run('sessions', 'erase', ANN, '--json', ...flags)).stdout) as { stores: { places: unknown }[] }).stores[0]?.places;
  const preview = await places('--dry-run');
  expect(preview).toContainEqual({ place: 'exports', files: count, bytes: expect.any(Number) as number, records: 0 });
  expect(readdirSync(exports).sort()).toEqual(['of-ann', 'of-ben', 'of-nobody']);
  expect(await places('--yes')).toContainEqual((preview as { place: string }[]).find(({ place }) => place === 'exports'));
  expect(readdirSync(exports).sort()).toEqual(['of-ben', 'of-nobody']);
  expect(filesWith(idOf(1))).toEqual([]);
});

it('takes a person, by any of their names, out of the stores of all agents', async () => {
  const done = await run('sessions', 'erase', 'ann', '--yes', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ ok: true, stores: [{ agentId: 'main', keys: [ANN] }, { agentId: 'work', keys: [WORK] }] });
  expect(filesWith('700700700')).toEqual([]);
  expect(filesWith(BEN).length).toBeGreaterThan(0);
});

it('names each spelling before it takes it, and leaves the one in other letters where the named one stands', async () => {
  const [capital, small] = ['agent:main:matrix:direct:@Cleo:example.org', 'agent:main:matrix:direct:@cleo:example.org'];
  seed('main', { [small]: idOf(5) });
  expect((await run('sessions', 'erase', '@Cleo:example.org', '--dry-run')).stdout).toContain(`  ${small}  (in other letters than named)\n`);
  seed('main', { [small]: idOf(5), [capital]: idOf(6) });
  const dry = await run('sessions', 'erase', '@Cleo:example.org', '--dry-run');
  expect(dry.stdout).toContain(`Would erase 1 session:\n  ${capital}\n`);
  expect(dry.stdout).toContain(`In other letters than named, stays until it is named so: ${small}\n`);
  expect((await run('sessions', 'erase', capital, '--yes')).stdout).toContain(`Erased 1 session:\n  ${capital}\n`);
  expect(filesWith(idOf(6))).toEqual([]);
  expect(filesWith(idOf(5)).length).toBeGreaterThan(0);
});

it('fails for a name that nobody has', async () => {
  const { code, stdout } = await run('sessions', 'erase', 'telegram:1', '--yes', '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { ok: false, error: { details: { reason: 'SESSION_NOT_FOUND' } } }]);
});

it('asks a gateway that listens, first what would go and then to erase', async () => {
  const store = { agentId: 'main', storePath: '/x/sessions.json', ok: true, found: true, keys: [ANN], sharedKeys: [], copies: [], left: [], places: [{ place: 'transcripts', files: 1, bytes: 9, records: 0 }], receipt: { id: 'r-1', atMs: 0, subject: 'sha256:a:b', sessions: 1, scannedFiles: 3, scannedBytes: 99, needles: 2 } };
  const gateway = await serveGateway((frame, socket) => reply(socket, frame, frame['method'] === 'connect' ? HELLO : { ok: true, payload: { ok: true, stores: [store] } }));
  try {
    writeFileSync(join(directory, 'openclaw.json'), JSON.stringify({ gateway: { port: gateway.port } }));
    const done = await run('sessions', 'erase', ANN, '--yes');
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout).toContain('Receipt r-1 of 1970-01-01T00:00:00.000Z: 3 files, 99 bytes scanned; sha256:a:b');
    expect(gateway.frames.filter(({ method }) => method === 'sessions.erase').map(({ params }) => params)).toEqual([{ key: ANN, agentId: 'main', dryRun: true }, { key: ANN, agentId: 'main', confirm: true }]);
    expect(filesWith(ANN).length).toBeGreaterThan(0);
  } finally {
    await gateway.close();
  }
});
