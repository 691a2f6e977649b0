/**
 * A sessions file that cannot be read is never an empty store: it is answered from what else is
 * known, or refused with the reason; it is written again by who may, and its bytes are kept.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { rawMembers } from './support/raw-json';
import { configWith, sessionsDir, useScene } from './support/scene';
import { readTree } from './support/tree';
import { waitUntil } from './support/wait-until';

const always = useScene('all');
const scene = useScene();

const KEYS = ['agent:main:telegram:direct:b', 'agent:main:telegram:direct:a'];
const message = (id: string): Record<string, unknown> => ({ channel: 'telegram', messageId: `m-${id}`, chatType: 'direct', sender: { id }, text: `from ${id}` });

/** A healthy state directory; each case damages a copy. */
let healthy: string;
let healthyText: string;

beforeAll(async () => {
  healthy = always.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
  const gateway = await always.gateway(healthy);
  for (const id of ['a', 'b']) expect(await gateway.send(message(id))).toMatchObject({ status: 202 });
  expect(await gateway.stop()).toBe(0);
  healthyText = readFileSync(join(sessionsDir(healthy), 'sessions.json'), 'utf8');
});

/** What becomes of the file's bytes. */
const DAMAGES: Readonly<Record<string, (text: Buffer) => Buffer>> = {
  'has 0 bytes': () => Buffer.alloc(0),
  'is cut in half': (text) => text.subarray(0, Math.floor(text.length / 2)),
  'ends in NULs': (text) => Buffer.concat([text.subarray(0, 100), Buffer.alloc(text.length - 100)]),
  'is an array': () => Buffer.from('[{}]'),
  'is a word': () => Buffer.from('null'),
};

interface Damaged {
  readonly stateDir: string;
  readonly dir: string;
  readonly file: string;
  readonly bytes: Buffer;
}

function damaged(how: string, withStore: boolean): Damaged {
  const stateDir = scene.stateDir();
  cpSync(healthy, stateDir, { recursive: true, preserveTimestamps: true });
  const dir = sessionsDir(stateDir);
  if (!withStore) rmSync(join(dir, '.store'), { recursive: true });
  const file = join(dir, 'sessions.json');
  const bytes = DAMAGES[how]?.(readFileSync(file)) ?? readFileSync(file);
  writeFileSync(file, bytes);
  return { stateDir, dir, file, bytes };
}

interface ListDocument {
  readonly sessions?: readonly { readonly key: string; readonly sessionId: string }[];
  readonly warnings?: readonly string[];
  readonly error?: { readonly message: string; readonly details: { readonly reason: string; readonly hint?: string } };
}

async function list(stateDir: string): Promise<{ exitCode: number | null; document: ListDocument; stderr: string }> {
  const { exitCode, stdout, stderr } = await runCommand(stateDir, ['sessions', '--json']);
  return { exitCode, document: JSON.parse(stdout) as ListDocument, stderr };
}

const verify = (stateDir: string, ...more: string[]) => runCommand(stateDir, ['sessions', 'verify', '--json', ...more]);
const keysOf = ({ sessions }: ListDocument): string[] | undefined => sessions?.map(({ key }) => key);

/** The damaged bytes, once, under a name that says so. An empty file has none to keep. */
function expectQuarantined({ dir, bytes }: Damaged): void {
  const quarantine = join(dir, '.store', 'quarantine');
  const kept = existsSync(quarantine) ? readdirSync(quarantine).filter((name) => /^sessions\.json\.corrupt-[0-9TZ.-]+-[0-9a-f]{8}$/u.test(name)) : [];
  expect(kept.map((name) => readFileSync(join(quarantine, name)).equals(bytes))).toEqual(bytes.length === 0 ? [] : [true]);
}

const storedKeys = (file: string): string[] => [...rawMembers(readFileSync(file, 'utf8')).keys()].sort();

describe.each(Object.keys(DAMAGES))('a sessions file that %s', (how) => {
  it('is listed from the index with a warning, and repaired from it to the byte', async () => {
    const state = damaged(how, true);
    const before = readTree(state.stateDir);
    const seen = await list(state.stateDir);
    expect(seen).toMatchObject({ exitCode: 0, document: { warnings: [expect.stringContaining('rows come from the session index')] } });
    expect(keysOf(seen.document)).toEqual(KEYS);
    const text = await runCommand(state.stateDir, ['sessions']);
    expect(text.exitCode).toBe(0);
    expect(`${text.stdout}${text.stderr}`).toContain('rows come from the session index');
    expect((await verify(state.stateDir)).exitCode).toBe(1);
    // Looking changed nothing.
    expect(readTree(state.stateDir)).toEqual(before);
    expect(await verify(state.stateDir, '--repair')).toMatchObject({ exitCode: 0 });
    expect(readFileSync(state.file, 'utf8')).toBe(healthyText);
    expectQuarantined(state);
    expect((await verify(state.stateDir)).exitCode).toBe(0);
    expect(keysOf((await list(state.stateDir)).document)).toEqual(KEYS);
  });

  it('is answered and written again by a gateway that knows the store', async () => {
    const state = damaged(how, true);
    const gateway = await scene.gateway(state.stateDir);
    const socket = await scene.socket(gateway);
    expect(keysOf((await socket.call('sessions.list')) as ListDocument)).toEqual(KEYS);
    expect(await gateway.send(message('c'))).toMatchObject({ status: 202 });
    await waitUntil('sessions.json is whole again', () => {
      const bytes = readFileSync(state.file);
      return bytes.length > 0 && bytes[0] === '{'.charCodeAt(0) && !bytes.includes(0) && bytes.includes('direct:c"') ? true : undefined;
    });
    expect(storedKeys(state.file)).toEqual([...KEYS, 'agent:main:telegram:direct:c'].sort());
    expect(await gateway.stop()).toBe(0);
    expectQuarantined(state);
    expect((await verify(state.stateDir)).exitCode).toBe(0);
  });

  it('without an index is refused with the reason, and repaired from the transcripts', async () => {
    const state = damaged(how, false);
    const before = readTree(state.stateDir);
    const seen = await list(state.stateDir);
    expect(seen).toMatchObject({ exitCode: 1, document: { ok: false, error: { details: { reason: 'STORE_UNREADABLE' } } } });
    expect(seen.document.error?.message).toContain(state.file);
    expect(seen.document.error?.details.hint).toContain('sessions verify');
    const text = await runCommand(state.stateDir, ['sessions']);
    expect(text).toMatchObject({ exitCode: 1, stdout: '' });
    expect(text.stderr).toContain(state.file);
    expect((await verify(state.stateDir)).exitCode).toBe(1);
    expect(readTree(state.stateDir)).toEqual(before);

    expect(await verify(state.stateDir, '--repair')).toMatchObject({ exitCode: 0 });
    expectQuarantined(state);
    const sessionIds = new Map(Object.entries(JSON.parse(healthyText) as Record<string, { sessionId: string }>).map(([key, { sessionId }]) => [key, sessionId]));
    const after = await list(state.stateDir);
    expect(new Map(after.document.sessions?.map(({ key, sessionId }) => [key, sessionId]))).toEqual(sessionIds);
    for (const key of KEYS) expect((await runCommand(state.stateDir, ['sessions', 'history', key])).stdout).toContain(`user: from ${key.slice(-1)}`);
    const gateway = await scene.gateway(state.stateDir);
    expect(await gateway.send(message('c'))).toMatchObject({ status: 202 });
    expect(await gateway.send({ ...message('a'), messageId: 'm-a2' })).toMatchObject({ status: 202, json: { sessionId: sessionIds.get(KEYS[1] ?? '') } });
    expect(await gateway.stop()).toBe(0);
    expect(storedKeys(state.file)).toEqual([...KEYS, 'agent:main:telegram:direct:c'].sort());
  });

  it('without an index is never taken for an empty store by a gateway', async () => {
    const state = damaged(how, false);
    const gateway = await scene.gateway(state.stateDir);
    const socket = await scene.socket(gateway);
    const seen = (await socket.call('sessions.list')) as ListDocument;
    expect([...(keysOf(seen) ?? [])].sort()).toEqual([...KEYS].sort());
    const answer = await gateway.http('/v1/messages', { method: 'POST', body: JSON.stringify(message('c')) });
    if (state.bytes.length === 0) {
      // Nothing in it could be lost by writing it again.
      expect(answer).toMatchObject({ status: 202 });
      expect(await gateway.stop()).toBe(0);
      expect(storedKeys(state.file)).toEqual([...KEYS, 'agent:main:telegram:direct:c'].sort());
      return;
    }
    expect(seen.warnings).toEqual([expect.stringContaining('transcripts')]);
    expect(answer).toMatchObject({ status: 503, json: { error: { reason: 'STORE_UNREADABLE', hint: expect.stringContaining('sessions verify') as string } } });
    for (const [method, params] of [['sessions.create', { key: 'x' }], ['sessions.patch', { key: KEYS[0], label: 'x' }], ['chat.send', { sessionKey: KEYS[0], message: 'x', idempotencyKey: 'x' }]] as const) {
      expect((await socket.request(method, params)).error).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STORE_UNREADABLE' } });
    }
    expect(await gateway.stop()).toBe(0);
    expect(readFileSync(state.file).equals(state.bytes)).toBe(true);
  });
});

describe('a sessions file in another guise', () => {
  it.each([true, false])('is read behind a byte order mark (with our own files: %s)', async (withStore) => {
    const state = damaged('is whole', withStore);
    writeFileSync(state.file, Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), state.bytes]));
    const seen = await list(state.stateDir);
    expect(seen).toMatchObject({ exitCode: 0, stderr: '' });
    expect(keysOf(seen.document)).toEqual(KEYS);
    expect(seen.document.warnings).toBeUndefined();
    const gateway = await scene.gateway(state.stateDir);
    expect(await gateway.send(message('c'))).toMatchObject({ status: 202 });
    expect(await gateway.stop()).toBe(0);
    expect(JSON.parse(readFileSync(state.file, 'utf8').replace(/^\uFEFF/u, ''))).toMatchObject(JSON.parse(healthyText) as object);
    expect((await verify(state.stateDir)).exitCode).toBe(0);
  });

  it.each([true, false])('is missed when a directory stands in its place (with our own files: %s)', async (withStore) => {
    const state = damaged('is whole', withStore);
    rmSync(state.file);
    mkdirSync(state.file);
    writeFileSync(join(state.file, 'mine.txt'), 'mine');
    const seen = await list(state.stateDir);
    if (withStore) expect(keysOf(seen.document)).toEqual(KEYS);
    else expect(seen).toMatchObject({ exitCode: 1, document: { error: { details: { reason: 'STORE_UNREADABLE' } } } });
    expect((await verify(state.stateDir)).exitCode).toBe(1);
    const gateway = await scene.gateway(state.stateDir);
    const socket = await scene.socket(gateway);
    expect([...(keysOf((await socket.call('sessions.list')) as ListDocument) ?? [])].sort()).toEqual([...KEYS].sort());
    await gateway.stop();
    // Whatever else is done about it, what is in it stays.
    await verify(state.stateDir, '--repair');
    const found = [...readTree(state.dir)].filter(([path]) => path.endsWith('mine.txt'));
    expect(found.map(([, content]) => content)).toEqual(['mine']);
    if (statSync(state.file).isDirectory()) {
      rmSync(state.file, { recursive: true });
      expect((await verify(state.stateDir, '--repair')).exitCode).toBe(0);
    }
    expect(storedKeys(state.file)).toEqual([...KEYS].sort());
  });

  it.each([true, false])('is missed when it is gone (with our own files: %s)', async (withStore) => {
    const state = damaged('is whole', withStore);
    rmSync(state.file);
    const seen = await list(state.stateDir);
    if (withStore) expect(keysOf(seen.document)).toEqual(KEYS);
    else expect(seen).toMatchObject({ exitCode: 1, document: { error: { details: { reason: 'STORE_UNREADABLE' } } } });
    expect((await verify(state.stateDir)).exitCode).toBe(1);
    expect((await verify(state.stateDir, '--repair')).exitCode).toBe(0);
    expect(storedKeys(state.file)).toEqual([...KEYS].sort());
    if (withStore) expect(readFileSync(state.file, 'utf8')).toBe(healthyText);
  });

  it('is truncated under a running gateway, and comes back', async () => {
    const state = damaged('is whole', true);
    const gateway = await scene.gateway(state.stateDir);
    const socket = await scene.socket(gateway);
    for (const bytes of [Buffer.alloc(0), state.bytes.subarray(0, 50), Buffer.alloc(400)]) {
      writeFileSync(state.file, bytes);
      expect(keysOf((await socket.call('sessions.list', { agentId: 'main' })) as ListDocument)).toEqual(KEYS);
      expect(await socket.call('sessions.patch', { key: KEYS[0], thinkingLevel: bytes.length === 50 ? 'low' : 'high' })).toMatchObject({ ok: true });
      await waitUntil('the file is whole again', () => {
        try {
          return storedKeys(state.file).length === KEYS.length ? true : undefined;
        } catch {
          return undefined;
        }
      });
    }
    expect(await gateway.stop()).toBe(0);
    expect((await verify(state.stateDir)).exitCode).toBe(0);
  });
});
