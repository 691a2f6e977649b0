/**
 * No limit, however wrong, deletes anything: every limit with every odd value, by the command, over the
 * files of a thousand sessions that any limit that is misread would take.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../program';
import { recordingIo } from '../testing';

const DAY_MS = 24 * 60 * 60_000;
const NOW_MS = Date.now();
const ENTRIES = 1_000;
/** As they stand in the file: JSON has no NaN, so that one makes the whole file unreadable. */
const VALUES = ['0', '"0"', '-1', 'NaN', '""', '"1"', 'null', '1e308', '"30 lightyears"'] as const;
const OTHERS_OFF = { pruneAfter: '0', maxEntries: '0', resetArchiveRetention: '0', maxDiskBytes: '0' };
const LIMITS = ['pruneAfter', 'maxEntries', 'resetArchiveRetention', 'maxDiskBytes', 'highWaterBytes', 'sessionRetention'] as const;

let directory: string;
let port: number;
let before: string;
const sessionsDir = (): string => join(directory, 'agents', 'main', 'sessions');

beforeAll(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cli-limits-')));
  mkdirSync(sessionsDir(), { recursive: true });
  const entries: Record<string, unknown> = {};
  for (let index = 0; index < ENTRIES; index += 1) {
    const sessionId = `${index.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
    const rest = index % 4 === 0 ? `cron:job:run:${sessionId}` : index % 4 === 1 ? `explicit:model-run-${sessionId}` : `telegram:direct:${String(index)}`;
    entries[`agent:main:${rest}`] = { sessionId, updatedAt: NOW_MS - (400 + index) * DAY_MS };
    writeFileSync(join(sessionsDir(), `${sessionId}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: sessionId })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'kept' } })}\n`);
  }
  writeFileSync(join(sessionsDir(), 'sessions.json'), JSON.stringify(entries));
  for (const name of ['orphan-1.jsonl', 'orphan-2.trajectory.jsonl', 'x.jsonl.reset.2020-01-01T00-00-00.000Z', 'x.jsonl.deleted.2020-01-01T00-00-00.000Z', 'x.jsonl.bak.2020-01-01T00-00-00.000Z', 'sessions.json.bak.1700000000000']) {
    writeFileSync(join(sessionsDir(), name), '{"type":"session","version":3,"id":"orphan-1"}\n');
    utimesSync(join(sessionsDir(), name), new Date(0), new Date(0));
  }
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
  before = contents();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Every name beside the store's own files, and every byte. */
function contents(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(sessionsDir()).filter((one) => one !== '.store').sort()) hash.update(`${name}\0`).update(readFileSync(join(sessionsDir(), name))).update('\0');
  return hash.digest('hex');
}

function configure(limit: (typeof LIMITS)[number], value: string): void {
  const maintenance = { ...OTHERS_OFF, ...(limit === 'sessionRetention' ? {} : { [limit]: value }) };
  const members = Object.entries(maintenance).map(([name, text]) => `"${name}": ${text}`);
  const cron = limit === 'sessionRetention' ? value : '0';
  writeFileSync(join(directory, 'openclaw.json'), `{"session": {"maintenance": {"mode": "enforce", ${members.join(', ')}}}, "cron": {"sessionRetention": ${cron}}, "gateway": {"port": ${String(port)}}}`);
}

async function cleanup(...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = recordingIo({ env: { OPENCLAW_STATE_DIR: directory, OPENCLAW_CONFIG_PATH: join(directory, 'openclaw.json'), HOME: directory }, cwd: directory, nowMs: NOW_MS });
  const code = await runProgram(['sessions', 'cleanup', ...flags, '--json'], io, '0.0.0');
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

it.each(LIMITS.flatMap((limit) => VALUES.map((value) => [limit, value] as const)))('%s: %s is off or refused by its path, and deletes nothing', async (limit, value) => {
  configure(limit, value);
  // A count is a number: "0" in quotes is refused for it, and off for times and sizes.
  const isOff = value === '0' || (value === '"0"' && limit !== 'maxEntries');
  for (const flags of [['--dry-run'], ['--enforce']]) {
    const { code, stdout } = await cleanup(...flags);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    if (isOff) expect([code, document]).toMatchObject([0, { beforeCount: ENTRIES, afterCount: ENTRIES, wouldMutate: false, unreferencedArtifacts: { removedFiles: 0, freedBytes: 0 } }]);
    else {
      expect([code, document]).toMatchObject([1, { ok: false }]);
      expect(stdout).toContain(value === 'NaN' ? join(directory, 'openclaw.json') : limit === 'sessionRetention' ? 'cron.sessionRetention' : `session.maintenance.${limit}`);
    }
    expect(contents()).toBe(before);
  }
});

it('is told from limits that are right: each of them would take something', async () => {
  for (const [limit, value] of [['pruneAfter', '"30d"'], ['maxEntries', '10'], ['resetArchiveRetention', '"30d"'], ['maxDiskBytes', '"1kb"'], ['sessionRetention', '"1d"']] as const) {
    configure(limit, value);
    expect([limit, JSON.parse((await cleanup('--dry-run')).stdout)]).toMatchObject([limit, { wouldMutate: true }]);
  }
  expect(contents()).toBe(before);
});
