/**
 * A state directory of the original: listed with the rows that it had, and after a day of use by us
 * everything in it that is not ours still has every byte.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { foreignState } from './support/foreign-state';
import type { Gateway } from './support/gateway';
import type { GatewaySocket } from './support/gateway-socket';
import { rawMembers } from './support/raw-json';
import { TOKEN, configWith, sessionsDir, useScene, writeFile } from './support/scene';
import { readTree } from './support/tree';
import { waitUntil } from './support/wait-until';

const FIXTURES = join(__dirname, '..', 'fixtures');
const scene = useScene();

interface ListDocument {
  readonly totalCount: number;
  readonly sessions: readonly (Readonly<Record<string, unknown>> & { readonly key: string })[];
}

async function list(stateDir: string, ...args: string[]): Promise<ListDocument> {
  const { fixedNowMs } = JSON.parse(readFileSync(join(FIXTURES, 'golden-cases.json'), 'utf8')) as { fixedNowMs: number };
  const answer = await runCommand(stateDir, ['sessions', '--json', '--limit', 'all', ...args], { nodeArgs: ['--require', join(FIXTURES, 'fixed-clock.cjs')], env: { FIXED_NOW_MS: String(fixedNowMs) } });
  expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
  return JSON.parse(answer.stdout) as ListDocument;
}

const golden = (name: string): ListDocument => JSON.parse((JSON.parse(readFileSync(join(FIXTURES, 'goldens', `${name}.json`), 'utf8')) as { stdout: string }).stdout) as ListDocument;

/** The members that the original prints; ours stand behind them. */
function asOriginal(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !['messageCount', 'label', 'displayName', 'channel', 'status'].includes(name)));
}

interface Store {
  /** Key to the exact text of its entry. */
  readonly entries: ReadonlyMap<string, string>;
}

const readStore = (stateDir: string): Store => ({ entries: rawMembers(readFileSync(join(sessionsDir(stateDir), 'sessions.json'), 'utf8')) });

/** Members of an entry that a message, a patch or a create may set (store format, entry fields). */
const OURS = new Set([
  ...['sessionId', 'sessionFile', 'updatedAt', 'sessionStartedAt', 'lastInteractionAt', 'origin', 'route', 'deliveryContext', 'chatType', 'channel', 'groupId'],
  ...['lastChannel', 'lastTo', 'lastAccountId', 'lastThreadId', 'subject', 'displayName', 'groupChannel', 'messageCount', 'lastActive', 'created', 'provider', 'lastProvider', 'room'],
  // Of a run: a session with a model of its own is answered, or it is said why not. A run tells anew what its prompt was.
  ...['status', 'abortedLastRun', 'startedAt', 'endedAt', 'runtimeMs', 'systemPromptReport'],
]);

/** An atomic edit by another program, with nothing of ours reformatted. */
function edit(stateDir: string, change: (text: string) => string): void {
  const file = join(sessionsDir(stateDir), 'sessions.json');
  const before = readFileSync(file, 'utf8');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(`${file}.draft`, after, { mode: 0o600 });
  renameSync(`${file}.draft`, file);
}

const dm = (id: string, messageId: string, text: string): Record<string, unknown> => ({ channel: 'telegram', messageId, chatType: 'direct', sender: { id }, text });

async function accepted(gateway: Gateway, envelope: Record<string, unknown>): Promise<string> {
  const answer = await gateway.send(envelope);
  expect(answer).toMatchObject({ status: 202, json: { status: 'accepted' } });
  return String(answer?.json?.['sessionKey']);
}

/** What comes in between breakfast and lunch: every kind of session, old and new. */
async function messages(gateway: Gateway, socket: GatewaySocket, round: string): Promise<string[]> {
  const group = { chatType: 'group', mentioned: true, sender: { id: '5550001' } };
  const room = { channel: 'discord', chatType: 'channel', mentioned: true, sender: { id: '88' }, conversation: { id: '9911', name: 'general' } };
  await socket.call('chat.send', { sessionKey: 'main', message: `main ${round}`, idempotencyKey: `main-${round}` });
  return [
    await accepted(gateway, dm('5550001', `a-${round}`, `to Ada ${round}`)),
    await accepted(gateway, dm('numbers', `b-${round}`, `to numbers ${round}`)),
    await accepted(gateway, dm('escapes', `c-${round}`, `to escapes ${round}`)),
    await accepted(gateway, dm('42', `e-${round}`, `to the simple one ${round}`)),
    await accepted(gateway, { ...dm('+15550002', `f-${round}`, `to the old spelling ${round}`), channel: 'whatsapp' }),
    await accepted(gateway, { ...dm('用户一二三', `g-${round}`, `你好 ${round}`), channel: 'line' }),
    await accepted(gateway, { ...group, channel: 'telegram', messageId: `h-${round}`, conversation: { id: '-1001234567890', name: 'Lab' }, threadId: '42', text: `topic ${round}` }),
    await accepted(gateway, { ...room, messageId: `i-${round}`, text: `room ${round}` }),
    await accepted(gateway, { ...room, messageId: `j-${round}`, threadId: '77', text: `thread ${round}` }),
    await accepted(gateway, dm(`new-${round}`, 'k', `somebody new ${round}`)),
    await accepted(gateway, { origin: { kind: 'node' }, node: { nodeId: 'kitchen' }, text: `door ${round}` }),
  ];
}

describe('a state directory of the original', () => {
  it.each([
    ['full-json', []],
    ['full-json-all-agents', ['--all-agents']],
    ['full-json-agent-ops', ['--agent', 'ops']],
  ])('lists the rows of %s, without a gateway and beside one', async (name, args) => {
    const stateDir = scene.fixture('full');
    const expected = golden(name);
    const before = readTree(stateDir);
    const offline = await list(stateDir, ...args);
    expect(offline.totalCount).toBe(expected.totalCount);
    expect(offline.sessions.map(asOriginal)).toEqual(expected.sessions);
    expect(readTree(stateDir)).toEqual(before);

    const gateway = await scene.gateway(stateDir, { args: ['--token', TOKEN] });
    const socket = await scene.socket(gateway);
    // A read through the gateway opens the stores of every agent.
    await socket.call('sessions.list', { limit: 1000 });
    expect((await list(stateDir, ...args)).sessions.map(asOriginal)).toEqual(expected.sessions);
    expect(await gateway.stop()).toBe(0);
    expect((await list(stateDir, ...args)).sessions.map(asOriginal)).toEqual(expected.sessions);
    // Nothing was asked to change: all but our own directory is as it was.
    const after = readTree(stateDir, (path) => !/(^|\/)\.store$/u.test(path));
    expect(after).toEqual(before);
  });

  it('keeps every byte that is not ours over a day of use', async () => {
    const stateDir = foreignState(scene);
    const dir = sessionsDir(stateDir);
    const before = { tree: readTree(stateDir), store: readStore(stateDir) };
    const findingsBefore = await findings(stateDir);
    const touched = new Set<string>(['agent:main:main']);

    const morning = await scene.gateway(stateDir, { args: ['--token', TOKEN] });
    let socket = await scene.socket(morning);
    (await messages(morning, socket, '1')).forEach((key) => touched.add(key));
    await socket.call('sessions.patch', { key: 'agent:main:telegram:direct:numbers', label: 'Numbers', thinkingLevel: 'high' });
    await socket.call('sessions.patch', { key: 'agent:main:telegram:direct:escapes', verboseLevel: 'on' });
    await socket.call('sessions.create', { key: 'agent:main:notes', label: 'Notes' });
    expect(touched).toContain('agent:main:telegram:dm:42');
    expect(touched).toContain('agent:main:whatsapp:dm:+15550002');

    // Another program edits beside us: a member more, an entry more.
    await waitUntil('the morning is in sessions.json', () => (readStore(stateDir).entries.has('agent:main:notes') ? true : undefined));
    edit(stateDir, (text) =>
      text
        .replace('"someFloat": 1.0,', '"someFloat": 1.0,\n    "byHand": { "x": 1.10, "y": [ ] },')
        .replace(/\}\s*$/u, ',\n  "agent:main:by-hand": {"sessionId":"0190aaaa-0000-7000-8000-0000000000b1","updatedAt":1780300000000,"mine":1.0}\n}'),
    );
    await waitUntil('the gateway lists the entry made by hand', async () => {
      const { sessions } = (await socket.call('sessions.list', { limit: 1000 })) as unknown as ListDocument;
      return sessions.some(({ key }) => key === 'agent:main:by-hand') ? true : undefined;
    });
    await socket.call('sessions.patch', { key: 'agent:main:by-hand', label: 'By hand' });
    await morning.kill();

    // Nobody is at home: the same again.
    const noon = await scene.gateway(stateDir, { args: ['--token', TOKEN] });
    socket = await scene.socket(noon);
    (await messages(noon, socket, '2')).forEach((key) => touched.add(key));
    expect(await noon.stop()).toBe(0);
    edit(stateDir, (text) => text.replace('"mine":1.0', '"mine":1.0,"later":  {"z":1e400}'));

    const evening = await scene.gateway(stateDir, { args: ['--token', TOKEN] });
    socket = await scene.socket(evening);
    (await messages(evening, socket, '3')).forEach((key) => touched.add(key));
    await socket.call('sessions.patch', { key: 'agent:main:telegram:direct:numbers', label: null, thinkingLevel: null });
    await socket.call('sessions.patch', { key: 'agent:main:by-hand', label: null });
    expect(await evening.stop()).toBe(0);

    const after = readStore(stateDir);
    for (const [key, text] of before.store.entries) {
      const now = after.entries.get(key);
      if (!touched.has(key)) expect([key, now]).toEqual([key, text]);
      else expectKept(key, text, now ?? '');
    }
    // In their order, ours behind them.
    const keys = [...after.entries.keys()];
    expect(keys.slice(0, before.store.entries.size)).toEqual([...before.store.entries.keys()]);
    expect(keys.slice(before.store.entries.size).sort()).toEqual(['agent:main:by-hand', 'agent:main:notes', ...['1', '2', '3'].map((round) => `agent:main:telegram:direct:new-${round}`)].sort());
    expect(rawMembers(after.entries.get('agent:main:telegram:direct:numbers') ?? '').get('byHand')).toBe('{ "x": 1.10, "y": [ ] }');
    const byHand = rawMembers(after.entries.get('agent:main:by-hand') ?? '');
    expect([byHand.get('mine'), byHand.get('later')]).toEqual(['1.0', '{"z":1e400}']);

    expectFiles(stateDir, before.tree, after);
    expect(existsSync(join(dir, 'sessions.json.draft'))).toBe(false);
    // What verify finds now, it found before.
    const known = new Set(findingsBefore);
    expect((await findings(stateDir)).filter((finding) => !known.has(finding))).toEqual([]);
    expect((await list(stateDir)).sessions.filter(({ key }) => key === 'agent:main:telegram:dm:42')).toMatchObject([{ sessionId: '0b6c0000-0000-4000-8000-000000000001', messageCount: 8 }]);
  });

  it('keeps the bytes of what it does not know inside the members that a message sets', async () => {
    const unknown = { origin: ['pluginFact', '12345678901234567890'], route: ['score', '2.0'], deliveryContext: ['hints', '{ "weight": 1.0, "more": [1e400] }'] } as const;
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer', reset: { mode: 'idle', idleMinutes: 0 } } }));
    const key = 'agent:main:telegram:direct:7';
    const members = Object.entries(unknown).map(([member, [name, text]]) => `"${member}": { "channel": "old", "${name}": ${text} }`);
    writeFile(join(sessionsDir(stateDir), 'sessions.json'), `{\n  "${key}": {\n    "sessionId": "0190aaaa-0000-7000-8000-0000000000a3",\n    "updatedAt": 1780300000000,\n    ${members.join(',\n    ')}\n  }\n}`);
    for (const round of ['1', '2']) {
      const gateway = await scene.gateway(stateDir);
      expect(await accepted(gateway, dm('7', round, round))).toBe(key);
      // The second time from the journal.
      if (round === '1') await gateway.stop();
      else await gateway.kill();
    }
    expect(await (await scene.gateway(stateDir)).stop()).toBe(0);
    const after = rawMembers(readStore(stateDir).entries.get(key) ?? '');
    for (const [member, [name, text]] of Object.entries(unknown)) expect([member, rawMembers(after.get(member) ?? '{}').get(name)]).toEqual([member, text]);
  });
});

async function findings(stateDir: string): Promise<string[]> {
  const answer = await runCommand(stateDir, ['sessions', 'verify', '--all-agents', '--json']);
  const { stores } = JSON.parse(answer.stdout) as { stores: { agentId: string; findings: { kind: string; key?: string; file?: string }[] }[] };
  // A session without a message has no transcript yet: that is told, not wrong.
  return stores.flatMap(({ agentId, findings: found }) => found.filter(({ kind }) => kind !== 'transcript-not-begun').map(({ kind, key, file }) => JSON.stringify({ agentId, kind, key, file })));
}

/** Members that are not ours to set have their bytes. */
function expectKept(key: string, before: string, after: string): void {
  const [old, now] = [rawMembers(before), rawMembers(after)];
  for (const [name, text] of old) {
    if (!OURS.has(name)) expect([key, name, now.get(name)]).toEqual([key, name, text]);
  }
}

/** Foreign files have every byte; transcripts and trajectories have grown at their end only. */
function expectFiles(stateDir: string, before: ReadonlyMap<string, string>, after: Store): void {
  const tree = readTree(stateDir, (path) => !/(^|\/)\.store$/u.test(path));
  const written = new Set([...after.entries].flatMap(([key, text]) => (key.startsWith('agent:main:') && text.startsWith('{') ? transcriptOf(text) : [])));
  for (const [path, bytes] of before) {
    const now = tree.get(path);
    const name = path.replace('agents/main/sessions/', '');
    if (path === 'agents/main/sessions/sessions.json') continue;
    if (name.endsWith('.jsonl.lock')) continue;
    // A run of ours says where it recorded what it did.
    if (name.endsWith('.trajectory-path.json') && written.has(name.replace('.trajectory-path.json', '.jsonl'))) continue;
    if (written.has(name) || name.endsWith('.trajectory.jsonl')) {
      expect([path, now?.startsWith(bytes)]).toEqual([path, true]);
      const added = (now ?? '').slice(bytes.length);
      expect(added === '' || added.endsWith('\n')).toBe(true);
      for (const line of added.split('\n').filter((one) => one !== '')) JSON.parse(Buffer.from(line, 'latin1').toString('utf8'));
    } else expect([path, now]).toEqual([path, bytes]);
  }
  const fresh = [...tree.keys()].filter((path) => !before.has(path));
  // What a session of ours did stands beside its transcript.
  const transcriptBeside = (path: string): string => path.replace('agents/main/sessions/', '').replace(/\.trajectory(?:\.jsonl|-path\.json)$/u, '.jsonl');
  expect(fresh.filter((path) => !written.has(transcriptBeside(path)))).toEqual([]);
}

function transcriptOf(text: string): string[] {
  const { sessionId, sessionFile, uuid } = JSON.parse(text) as Record<string, unknown>;
  if (typeof sessionFile === 'string') return [sessionFile];
  return [sessionId, uuid].filter((id) => typeof id === 'string').map((id) => `${String(id)}.jsonl`);
}
