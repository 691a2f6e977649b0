/**
 * The built command against what the original answered over the same state directories.
 * Each case runs on a fresh copy, with the clock stopped, and must leave every byte and time of it.
 */
import { keyText } from './render/key-text';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface GoldenCase {
  readonly name: string;
  readonly state: string;
  readonly args: readonly string[];
  readonly same: 'document' | 'cells' | 'text' | 'error';
}

interface Answer {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Row = Readonly<Record<string, unknown>>;
type Document = Readonly<Record<string, unknown>> & { readonly sessions: readonly Row[] };

const FIXTURES = join(__dirname, '..', '..', 'e2e', 'fixtures');
const PROGRAM = join(__dirname, '..', 'dist', 'main.js');
const { fixedNowMs, cases } = JSON.parse(readFileSync(join(FIXTURES, 'golden-cases.json'), 'utf8')) as { fixedNowMs: number; cases: readonly GoldenCase[] };

/** Members of a row that the original does not have. */
const OURS = ['messageCount', 'label', 'displayName', 'channel', 'status'];

/** Where a decision departs from the original, by key of the row. */
const NOT_LISTED: Readonly<Record<string, string>> = {
  'agent:main:no-id': 'an entry without a session id is kept and not listed',
  'agent:main:empty': 'an entry without a session id is kept and not listed',
  'agent:main:unsafe-dots': 'an id with two dots is unsafe, wherever they stand',
};
const OTHER_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  // Times and counts are whole numbers here, and a null time is an absent one.
  'agent:main:time-fraction': ['updatedAt', 'ageMs'],
  'agent:main:time-null': ['updatedAt'],
  // A negative count is no count, and so not a fresh one.
  'agent:main:tokens-negative': ['totalTokensFresh', 'outputTokens'],
  // A window that is text is none.
  'agent:main:tokens-text': ['contextTokens'],
  // Members of the wrong type are left out.
  'agent:main:flags-odd': ['elevatedLevel', 'verboseLevel'],
  // Rooms are channels.
  'agent:main:room:9': ['kind'],
  'agent:main:slack:room:9': ['kind'],
  'agent:main:cron:': ['kind'],
  Global: ['kind'],
};

/** Path, size, times and bytes of everything below a directory. */
function snapshot(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort().map((name) => {
    const { size, mtimeMs, ino, mode } = statSync(join(directory, name));
    return [name, size, mtimeMs, ino, mode, statSync(join(directory, name)).isFile() ? readFileSync(join(directory, name), 'base64') : ''].join(' ');
  });
}

function run(one: GoldenCase): Answer {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'golden-')));
  try {
    cpSync(join(FIXTURES, 'states', one.state), copy, { recursive: true });
    const config = join(copy, 'openclaw.json');
    if (existsSync(config)) writeFileSync(config, readFileSync(config, 'utf8').replaceAll('$STATE', copy));
    utimesSync(copy, 1, 1);
    const before = snapshot(copy);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', join(FIXTURES, 'fixed-clock.cjs'), PROGRAM, ...one.args.map((arg) => arg.replaceAll('$STATE', copy))], {
      cwd: copy,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: copy, OPENCLAW_STATE_DIR: copy, TZ: 'UTC', FIXED_NOW_MS: String(fixedNowMs) },
    });
    expect(snapshot(copy)).toEqual(before);
    const clean = (text: string): string => text.replaceAll(copy, '$STATE');
    return { exitCode: status, stdout: clean(stdout), stderr: clean(stderr) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const golden = (name: string): Answer => JSON.parse(readFileSync(join(FIXTURES, 'goldens', `${name}.json`), 'utf8')) as Answer;

const without = (row: Row, names: readonly string[]): Row => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)));

/** Both documents as they must agree: members in order, rows in order, known departures taken out. */
function comparable({ sessions, ...rest }: Document): unknown {
  const rows = sessions
    .filter(({ key }) => !Object.hasOwn(NOT_LISTED, String(key)))
    .map((row) => JSON.stringify(without(row, [...OURS, ...(OTHER_MEMBERS[String(row['key'])] ?? [])])));
  const dropped = sessions.filter(({ key }) => Object.hasOwn(NOT_LISTED, String(key))).length;
  const counts = { count: Number(rest['count']) - dropped, totalCount: Number(rest['totalCount']) - dropped };
  return { head: JSON.stringify({ ...rest, ...counts }), rows };
}

/** The original's short form of a long key. */
const shortKey = (key: string): string => (key.length > 26 ? `${key.slice(0, 16)}...${key.slice(-6)}` : key);

const squeeze = (line: string): string => line.replace(/ +/gu, ' ').trim();

describe('the built command answers as the original did', () => {
  it.each(cases.filter(({ same }) => same === 'document'))('$name', (one) => {
    const answer = run(one);
    const expected = golden(one.name);
    expect(answer.stderr.replace(/^debug: .*\n/gmu, '')).toBe('');
    expect(answer.exitCode).toBe(expected.exitCode);
    const ours = JSON.parse(answer.stdout) as Document;
    const theirs = JSON.parse(expected.stdout) as Document;
    // Without a configured model the original names one that it has built in; here the row has none.
    const plain = (document: Document): Document => (existsSync(join(FIXTURES, 'states', one.state, 'openclaw.json')) && one.state !== 'templated' ? document : { ...document, sessions: document.sessions.map((row) => without(row, ['model', 'modelProvider', 'agentRuntime'])) });
    expect(comparable(plain(ours))).toEqual(comparable(plain(theirs)));
    expect(answer.stdout).toBe(`${JSON.stringify(ours, null, 2)}\n`);
  });

  it.each(cases.filter(({ same }) => same === 'cells'))('$name', (one) => {
    const answer = run(one);
    const { sessions } = JSON.parse(run({ ...one, args: [...one.args, '--json'] }).stdout) as Document;
    const keys = sessions.map(({ key }) => String(key));
    const dropped = Object.keys(NOT_LISTED).map(shortKey);
    const theirs = golden(one.name).stdout.split('\n').filter((line) => !dropped.some((key) => ` ${line} `.includes(` ${key} `)));
    const ours = answer.stdout.split('\n');
    expect(answer.exitCode).toBe(0);
    const headerLines = theirs.findIndex((line) => line.includes('Tokens (ctx %)'));
    for (const [index, line] of ours.entries()) {
      const key = keys[index - headerLines - 1];
      const row = sessions[index - headerLines - 1];
      if (index > headerLines && key !== undefined && OTHER_MEMBERS[key] !== undefined) continue;
      if (index > headerLines && key === undefined) continue;
      const shown = key === undefined ? line : squeeze(squeeze(line).replace(squeeze(keyText(key)), shortKey(key).trim()));
      const age = Number(row?.['ageMs']) < 0 ? squeeze(theirs[index] ?? '').replace(' unknown ', ' in 10m ') : squeeze(theirs[index] ?? '');
      const listed = /^Sessions listed: (\d+)$/u.exec(age);
      expect(squeeze(shown)).toBe(listed !== null && one.state === 'odd' ? `Sessions listed: ${Number(listed[1]) - Object.keys(NOT_LISTED).length}` : age);
    }
    for (const key of keys) expect(answer.stdout).toContain(keyText(key));
  });

  it.each(cases.filter(({ same }) => same === 'text'))('$name', (one) => expect(run(one)).toEqual({ ...pick(golden(one.name)) }));

  it.each(cases.filter(({ same }) => same === 'error'))('$name', (one) => {
    const answer = run(one);
    const expected = golden(one.name);
    expect(answer.stdout).toBe('');
    expect(answer.exitCode).toBe(expected.exitCode);
    const sentence = (text: string): string => (text.split('\n')[0] ?? '').replace(/(?<=^Unknown agent id "[^"]*"\.).*/u, '');
    expect(sentence(answer.stderr)).toBe(sentence(expected.stderr));
    const json = run({ ...one, args: [...one.args.slice(0, 1), '--json', ...one.args.slice(1)] });
    expect(json.exitCode).toBe(1);
    expect(json.stderr).toBe(answer.stderr);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST', message: answer.stderr.split('\n')[0] } });
  });
});

const pick = ({ exitCode, stdout, stderr }: Answer): Answer => ({ exitCode, stdout, stderr });
