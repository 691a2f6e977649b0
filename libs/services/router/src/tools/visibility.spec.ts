/** One matrix of what a session may see, asked at every door through which its tools are called. */
import { RouterServiceService, SessionRow } from '@sessions/contracts';
import { createClient, createSubjects } from '@sessions/bus';
import type { Client } from '@sessions/bus';
import { DOORS, openToolDoors } from '../testing/tool-doors';
import type { ToolDoors } from '../testing/tool-doors';

const CALLER = 'agent:main:main';
const CHILD = 'agent:main:subagent:c1';
const GRANDCHILD = 'agent:main:subagent:c1:subagent:g1';
const OWN = 'agent:main:telegram:direct:7';
const STRANGER = 'agent:ops:main';
const FAR_CHILD = 'agent:ops:subagent:x';
/** Who spawned the caller, and what a person branched another session from: keys that rows name. */
const SPAWNER = 'agent:ops:telegram:direct:9';
const BRANCHED_FROM = 'agent:main:telegram:direct:8';

/** Key, who spawned it, session id. */
const SESSIONS: readonly (readonly [string, string | undefined, string])[] = [
  [CALLER, undefined, '0190aaaa-0000-7000-8000-000000000001'],
  [CHILD, CALLER, '0190aaaa-0000-7000-8000-000000000002'],
  [GRANDCHILD, CHILD, '0190aaaa-0000-7000-8000-000000000003'],
  [OWN, undefined, '0190aaaa-0000-7000-8000-000000000004'],
  [STRANGER, undefined, '0190aaaa-0000-7000-8000-000000000005'],
  [FAR_CHILD, CALLER, '0190aaaa-0000-7000-8000-000000000006'],
];
const agentOf = (key: string): string => key.split(':')[1] ?? '';

const SELF = [CALLER];
const TREE = [...SELF, CHILD, GRANDCHILD, FAR_CHILD];
const AGENT = [...TREE, OWN];
const ALL = [...AGENT, STRANGER];
const GATE = { enabled: true, allow: ['*'] };
const SANDBOXED = { mode: 'all' };

interface Case {
  readonly visibility: 'self' | 'tree' | 'agent' | 'all' | undefined;
  readonly gate?: object;
  readonly sandbox?: object;
  readonly seen: readonly string[];
}

const CASES: readonly Case[] = [
  { visibility: 'self', gate: GATE, seen: SELF },
  { visibility: 'tree', gate: GATE, seen: TREE },
  { visibility: undefined, seen: TREE },
  { visibility: 'agent', gate: GATE, seen: AGENT },
  { visibility: 'all', gate: GATE, seen: ALL },
  { visibility: 'all', seen: AGENT },
  { visibility: 'all', gate: { enabled: false, allow: ['*'] }, seen: AGENT },
  { visibility: 'all', gate: { enabled: true, allow: [] }, seen: AGENT },
  { visibility: 'all', gate: { enabled: true, allow: ['main'] }, seen: AGENT },
  { visibility: 'all', gate: { enabled: true, allow: ['ops'] }, seen: AGENT },
  { visibility: 'all', gate: { enabled: true, allow: ['ma*', 'ops'] }, seen: ALL },
  { visibility: 'self', gate: GATE, sandbox: SANDBOXED, seen: SELF },
  { visibility: 'agent', gate: GATE, sandbox: SANDBOXED, seen: TREE },
  { visibility: 'all', gate: GATE, sandbox: SANDBOXED, seen: TREE },
  { visibility: 'agent', gate: GATE, sandbox: { ...SANDBOXED, sessionToolsVisibility: 'all' }, seen: AGENT },
  { visibility: 'all', gate: GATE, sandbox: { ...SANDBOXED, sessionToolsVisibility: 'all' }, seen: ALL },
  { visibility: 'all', gate: GATE, sandbox: { mode: 'non-main' }, seen: ALL },
];

let opened: ToolDoors | undefined;
afterEach(async () => {
  await opened?.stop();
  opened = undefined;
});

async function open({ visibility, gate, sandbox }: Case): Promise<ToolDoors> {
  opened = await openToolDoors({
    tools: { ...(visibility !== undefined && { sessions: { visibility } }), ...(gate !== undefined && { agentToAgent: gate }) },
    agents: { defaults: { ...(sandbox !== undefined && { sandbox }), subagents: { allowAgents: ['*'], maxSpawnDepth: 2 } }, list: [{ id: 'main' }, { id: 'ops' }] },
  });
  const { stores } = opened.running;
  for (const [place, [key, spawnedBy, sessionId]] of SESSIONS.entries()) {
    const named = key === CALLER ? { parentSessionKey: SPAWNER, openRuns: [{ request: { followUp: { spawn: { parentKey: SPAWNER } } } }] } : key === CHILD ? { parentSessionKey: BRANCHED_FROM } : {};
    stores.put(agentOf(key), key, { sessionId, updatedAt: 1_000 - place, label: `label of ${key}`, ...named, ...(spawnedBy !== undefined && { spawnedBy, spawnDepth: 1 }) }, [{ role: 'user', text: `secret of ${key}` }]);
  }
  return opened;
}

describe.each(CASES)('what a session sees with visibility $visibility, gate $gate, sandbox $sandbox', (one) => {
  it('is the same at every door', async () => {
    const { doors, running } = await open(one);
    for (const door of DOORS) {
      const call = doors[door];
      const list = await call('sessions_list', { messageLimit: 2, includeLastMessage: true, includeDerivedTitles: true }, CALLER);
      const keys = (list.sessions as { key: string }[]).map(({ key }) => (key === 'main' ? CALLER : key));
      expect([door, ...keys.sort()]).toEqual([door, ...[...one.seen].sort()]);
      expect(list.count).toBe(one.seen.length);
      for (const [key, , sessionId] of SESSIONS) {
        const isSeen = one.seen.includes(key);
        if (!isSeen) for (const trace of [key, sessionId]) expect(JSON.stringify(list)).not.toContain(trace);
        const history = await call('sessions_history', { sessionKey: key }, CALLER);
        if (isSeen) expect(JSON.stringify(history)).toContain(`secret of ${key}`);
        else expect(history).toMatchObject({ status: 'forbidden' });
        expect(await call('session_status', { sessionKey: key }, CALLER)).toMatchObject(isSeen ? { key } : { status: 'forbidden' });
        expect(await call('sessions_history', { sessionKey: sessionId }, CALLER)).toMatchObject(isSeen ? { sessionKey: key } : { status: 'error', error: `No session found: ${sessionId}` });
        if (key === CALLER) continue;
        const before = running.stores.texts(agentOf(key), key).length;
        const sent = await call('sessions_send', { label: `label of ${key}`, message: 'hello', timeoutSeconds: 0 }, CALLER);
        expect(sent.error === `No session found with label: label of ${key}`).toBe(!isSeen);
        expect((await call('sessions_send', { sessionKey: key, message: 'hello', timeoutSeconds: 0 }, CALLER)).status === 'forbidden').toBe(!isSeen);
        // Both messages of this door, not of one before it.
        expect([door, running.stores.texts(agentOf(key), key).length - before]).toEqual([door, isSeen ? 2 : 0]);
      }
    }
  });
});

describe.each(CASES)('the keys that rows name, with visibility $visibility, gate $gate, sandbox $sandbox', ({ seen, ...one }) => {
  const seesAll = seen.includes(STRANGER);
  const seesAgent = seen.includes(OWN);

  it('are told of sessions that the caller may know of, at every door', async () => {
    const { doors } = await open({ seen, ...one });
    for (const door of DOORS) {
      const { sessions } = (await doors[door]('sessions_list', {}, CALLER)) as { sessions: { key: string; parentSessionKey?: string }[] };
      const parents = Object.fromEntries(sessions.map(({ key, parentSessionKey }) => [key === 'main' ? CALLER : key, parentSessionKey]));
      expect([door, parents[CALLER]]).toEqual([door, seesAll ? SPAWNER : undefined]);
      if (seen.includes(CHILD)) expect([door, parents[CHILD]]).toEqual([door, seesAgent ? BRANCHED_FROM : CALLER]);
      // Where one is hidden, and of what is seen, the key is that of who spawned it.
      if (seen.includes(GRANDCHILD)) expect([door, parents[GRANDCHILD]]).toEqual([door, CHILD]);
    }
  });

  it('are told so by the other methods too', async () => {
    const { running } = await open({ seen, ...one });
    const subjects = createSubjects();
    const client = createClient(running.bus, RouterServiceService, { caller: `agent:${CALLER}`, scopes: ['operator.admin'], subject: (method) => subjects.router(method) });
    const described = await client.describeSession({ key: CALLER } as never);
    const listed = await client.listSessions({ allAgents: true, discover: true, limit: 50 } as never);
    const rows = [...listed.encodedRows, described.encodedRow ?? Buffer.alloc(0)].map((bytes) => SessionRow.decode(bytes));
    expect(JSON.stringify([rows, described.entryJson?.toString('utf8')]).includes(SPAWNER)).toBe(seesAll);
    expect(JSON.stringify(rows).includes(BRANCHED_FROM)).toBe(seesAgent);
    expect(JSON.parse(described.entryJson?.toString('utf8') ?? '')).toMatchObject({ label: `label of ${CALLER}`, openRuns: [{ request: { followUp: { spawn: seesAll ? { parentKey: SPAWNER } : {} } } }] });
    const childrenOf = (spawnedBy: string): Promise<string> => client.listSessions({ allAgents: true, discover: true, spawnedBy, limit: 50 } as never).then(() => 'told', (error: { reason?: string }) => error.reason ?? '');
    expect(await childrenOf(SPAWNER)).toBe(seesAll ? 'told' : 'NOT_VISIBLE');
    expect(await childrenOf(CALLER)).toBe('told');
  });
});

describe('what is hidden', () => {
  it.each(DOORS)('answers at the door %s as what does not exist', async (door) => {
    const { doors } = await open({ visibility: 'self', seen: SELF });
    const call = doors[door];
    const same = async (tool: string, args: (key: string) => object): Promise<void> => {
      const [hidden, missing] = [await call(tool, args(OWN), CALLER), await call(tool, args('agent:main:telegram:direct:8'), CALLER)];
      expect(hidden).toEqual(missing);
      expect(hidden.status).toBe('forbidden');
    };
    await same('sessions_history', (sessionKey) => ({ sessionKey }));
    await same('session_status', (sessionKey) => ({ sessionKey, model: 'a/b' }));
    await same('sessions_send', (sessionKey) => ({ sessionKey, message: 'm', timeoutSeconds: 0 }));
    const missingId = '0190ffff-0000-7000-8000-000000000001';
    expect(await call('sessions_history', { sessionKey: missingId }, CALLER)).toEqual({ status: 'error', error: `No session found: ${missingId}` });
  });
});

describe('the other methods for an agent’s session', () => {
  const clientFor = (key: string): Client<typeof RouterServiceService> => {
    const subjects = createSubjects();
    return createClient((opened as ToolDoors).running.bus, RouterServiceService, { caller: `agent:${key}`, scopes: ['operator.admin'], subject: (method) => subjects.router(method) });
  };
  const asRequest = <T extends object>(request: T): T => request;

  it.each(CASES)('lists, finds and reads with visibility $visibility, gate $gate, sandbox $sandbox', async (one) => {
    await open(one);
    const client = clientFor(CALLER);
    // The stores were filled behind the router's back: a read of one tells it that they are there.
    await client.describeSession({ key: CALLER } as never);
    const rows = await client.listSessions({ allAgents: true, discover: true, includeLastMessage: true, limit: 50 } as never);
    expect(rows.encodedRows.map((bytes) => SessionRow.decode(bytes).key).sort()).toEqual([...one.seen].sort());
    expect(rows.totalCount).toBe(one.seen.length);
    const { hits, nextCursor } = await client.searchSessions(asRequest({ query: 'agent:', agentId: undefined, in: 'meta', limit: 50, cursor: undefined }));
    expect(hits.map(({ key }) => key).sort()).toEqual([...one.seen].sort());
    expect(nextCursor).toBeUndefined();
    for (const [key, , sessionId] of SESSIONS) {
      const isSeen = one.seen.includes(key);
      const seen = (made: Promise<unknown>): Promise<string> => made.then(() => 'seen', (error: { reason?: string }) => error.reason ?? 'unknown');
      expect(await seen(client.describeSession({ key } as never))).toBe(isSeen ? 'seen' : 'NOT_VISIBLE');
      expect(await seen(client.describeSession({ key: sessionId } as never))).toBe(isSeen ? 'seen' : 'SESSION_NOT_FOUND');
      expect(await seen(client.resolveSession({ by: { $case: 'key', value: key } } as never))).toBe(isSeen ? 'seen' : 'NOT_VISIBLE');
      expect(await seen(client.resolveSession({ by: { $case: 'label', value: `label of ${key}` } } as never))).toBe(isSeen ? 'seen' : 'SESSION_NOT_FOUND');
      const { previews } = await client.previewSessions({ keys: [key] } as never);
      expect(JSON.stringify(previews).includes('secret')).toBe(isSeen);
      const read = async (): Promise<void> => {
        for await (const item of client.getHistory({ key } as never)) expect(item).toBeDefined();
      };
      expect(await seen(read())).toBe(isSeen ? 'seen' : 'NOT_VISIBLE');
    }
  });

  it('changes nothing but by its tools', async () => {
    await open({ visibility: 'all', gate: GATE, seen: ALL });
    const client = clientFor(CALLER);
    const calls: (() => Promise<unknown>)[] = [
      () => client.patchSession({ key: CALLER, patchJson: Buffer.from('{}') } as never),
      () => client.resetSession({ key: CALLER, reason: '' } as never),
      () => client.deleteSession({ key: CHILD } as never),
      () => client.sendMessage({ key: CHILD, message: 'm', attachments: [] } as never),
      () => client.submitMessage({ envelope: undefined } as never),
      () => client.cleanup({} as never),
      () => client.killSession({ key: CHILD } as never),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ reason: 'NOT_VISIBLE' });
  });
});

