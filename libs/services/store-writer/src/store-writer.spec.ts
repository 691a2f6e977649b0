/** What the service promises beside its methods: events, ownership, start and end. */
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { GetEntryRequest, HandOverRequest, ListEntriesRequest, ReadTrajectoryRequest, SessionRow, StoreServiceService, type DeliverResponse } from '@sessions/contracts';
import { createClient } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import { openStore, type AgentStore } from '@sessions/store';
import { createRecordingLogger } from '@sessions/host/testing';
import { KEY, bench, cleanUpBenches, history, newStateDir, sessionsDir, subjects, telegram, textOf, until } from './testing/writer-bench';

cleanUpBenches();

describe('events', () => {
  it('tell of a new session and of each message, with the row after it, numbered without a gap', async () => {
    const made = await bench();
    const answer = await made.client.deliver(telegram('Hello'));
    await made.client.deliver(telegram('again'));
    await until(() => made.events.length >= 4);
    const own = made.events.filter((event) => event.sessionKey === KEY);
    expect(own.map((event) => [event.seq, event.body?.$case])).toEqual([[1, 'changed'], [2, 'message'], [3, 'message']]);
    expect(own[0]?.body).toMatchObject({ value: { reason: 'create' } });
    const last = own[2]?.body?.$case === 'message' ? own[2].body.value : undefined;
    expect(SessionRow.decode(last?.encodedRow ?? Buffer.alloc(0))).toMatchObject({ key: KEY, agentId: 'main', sessionId: answer.sessionId, messageCount: 2, lastChannel: 'telegram' });
    expect(textOf(last?.lineJson ?? Buffer.alloc(0))).toBe('again');
    const list = await made.client.listEntries(ListEntriesRequest.create({ agentId: 'main' }));
    expect(SessionRow.decode(list.encodedRows[0] ?? Buffer.alloc(0))).toEqual(SessionRow.decode(last?.encodedRow ?? Buffer.alloc(0)));
  });

  it('come from a repeated request not again', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'), { idempotencyKey: 'k' });
    await made.client.deliver(telegram('Hello'), { idempotencyKey: 'k' });
    await made.client.deliver(telegram('end'));
    await until(() => made.events.some((event) => event.body?.$case === 'message' && event.body.value.messageSeq === 2));
    expect(made.events.filter((event) => event.body?.$case === 'message')).toHaveLength(2);
  });

  it('log nothing of a conversation', async () => {
    const logger = createRecordingLogger();
    const made = await bench({ logger });
    await made.client.deliver(telegram('the secret word'));
    await made.client.deliver(telegram('x', { key: 'unknown' })).catch(() => undefined);
    await made.service.drain();
    const printed = JSON.stringify(logger.lines);
    expect(printed).not.toContain('secret');
    expect(printed).not.toContain('direct:123');
  });
});

describe('ownership', () => {
  it('answers reads of an agent without a store as empty and creates nothing', async () => {
    const made = await bench();
    await made.pool.claimStore({ agentId: 'ghost' });
    expect(await made.client.listEntries(ListEntriesRequest.create({ agentId: 'ghost' }))).toMatchObject({ totalCount: 0 });
    expect(await made.client.getEntry(GetEntryRequest.create({ agentId: 'ghost', by: { $case: 'key', value: 'agent:ghost:main' } }))).toMatchObject({ found: false });
    expect((await history(made)).items).toHaveLength(1);
    expect(existsSync(path.join(made.stateDir, 'agents'))).toBe(false);
  });

  it('lets a message create the store of an agent that nobody configured', async () => {
    const made = await bench();
    await expect(made.client.deliver(telegram('x', { agentId: 'new', key: 'agent:new:main' }))).rejects.toMatchObject({ reason: 'NO_OWNER' });
    await made.pool.claimStore({ agentId: 'new' });
    await made.client.deliver(telegram('x', { agentId: 'new', key: 'agent:new:main' }));
    const { agents } = await made.pool.listAgents({});
    expect(agents.map((agent) => [agent.agentId, agent.configured, agent.hasStore])).toEqual([['main', true, false], ['new', false, true]]);
  });

  it('serves stores found on disk, and none that is reached by a link', async () => {
    const stateDir = newStateDir();
    for (const agentId of ['disk', 'outside']) {
      mkdirSync(sessionsDir(stateDir, agentId), { recursive: true });
      writeFileSync(path.join(sessionsDir(stateDir, agentId), 'sessions.json'), JSON.stringify({ [`agent:${agentId}:main`]: { sessionId: 's', updatedAt: 1 } }));
    }
    symlinkSync(path.join(stateDir, 'agents', 'outside'), path.join(stateDir, 'agents', 'linked'));
    const made = await bench({ stateDir });
    const { agents } = await made.pool.listAgents({});
    expect(agents.map((agent) => agent.agentId)).toEqual(['main', 'disk', 'outside']);
    expect((await made.client.listEntries(ListEntriesRequest.create({ agentId: 'disk' }))).totalCount).toBe(1);
  });

  it('hands a store over with its files up to date, and takes it again when it is claimed', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'));
    const left = await made.client.handOver(HandOverRequest.create({ agentId: 'main', reason: 'rebalance' }));
    const file = JSON.parse(readFileSync(path.join(sessionsDir(made.stateDir), 'sessions.json'), 'utf8')) as Record<string, unknown>;
    expect(Object.keys(file)).toEqual([KEY]);
    const request = ListEntriesRequest.create({ agentId: 'main' });
    await expect(made.client.listEntries(request)).rejects.toMatchObject({ reason: expect.stringMatching(/NO_OWNER|NOT_OWNER/) as string });
    const claimed = await made.pool.claimStore({ agentId: 'main' });
    expect(claimed.epoch).toBeGreaterThan(left.epoch);
    expect((await made.client.listEntries(request)).totalCount).toBe(1);
  });

  it('refuses to start on a store that another process holds', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'));
    const refusal = await bench({ stateDir: made.stateDir }).then(
      () => undefined,
      (error: { reason?: string; code?: string }) => error.reason ?? error.code,
    );
    // Under jest the native module's errors are of another realm than the engine's: it passes them on as they are.
    expect(refusal).toMatch(/^(SESSION_LOCKED|SQLITE_BUSY)$/);
    await expect(made.client.deliver(telegram('still here'))).resolves.toMatchObject({ messageSeq: 2 });
  });

  it('opens a store again that failed, with everything that was acknowledged', async () => {
    const handed: AgentStore[] = [];
    const made = await bench({
      openStore: async (options) => {
        const store = await openStore(options);
        handed.push(store);
        return store;
      },
    });
    const first = await made.client.deliver(telegram('Hello'), { idempotencyKey: 'k1' });
    handed[0]?.fail(new SessionError('OUTCOME_UNKNOWN', 'a sync failed'));
    const refused = await made.client.deliver(telegram('again'), { idempotencyKey: 'k2' }).catch((error: unknown) => error);
    // On a slow machine the delay before the next opening may be over by now.
    if (refused instanceof Error) expect(refused).toMatchObject({ reason: 'OUTCOME_UNKNOWN' });
    let answer: DeliverResponse | undefined;
    while (answer === undefined) {
      answer = await made.client.deliver(telegram('again'), { idempotencyKey: 'k2' }).catch(async (error: SessionError) => {
        // Only the delay before the next opening is waited out; any other refusal is a failure.
        if (error.retryAfterMs === undefined) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
        return undefined;
      });
    }
    expect(answer).toMatchObject({ sessionId: first.sessionId, messageSeq: 2 });
    expect(answer.epoch).toBeGreaterThan(first.epoch);
    expect(await made.client.deliver(telegram('Hello'), { idempotencyKey: 'k1' })).toMatchObject({ status: 'duplicate', messageId: first.messageId });
    expect((await history(made)).texts).toEqual(['Hello', 'again']);
    const epochs = made.events.filter((event) => event.body?.$case === 'store').map((event) => event.epoch);
    expect(epochs).toEqual([first.epoch, answer.epoch]);
  });

  it('works through more agents than may be open at a time', async () => {
    const made = await bench({ openStoresMax: 2 });
    const agents = ['a', 'b', 'c', 'd'];
    for (const agentId of agents) await made.pool.claimStore({ agentId });
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(agents.map((agentId) => made.client.deliver(telegram(`r${String(round)}`, { agentId, key: `agent:${agentId}:main` }))));
    }
    for (const agentId of agents) {
      const seen = await history(made, { agentId, by: { $case: 'key', value: `agent:${agentId}:main` } });
      expect(seen.texts).toEqual(['r0', 'r1']);
    }
  });

  it('answers only for the agents that it is configured for', async () => {
    const made = await bench({ config: { storeWriter: { agents: ['main', 'team-*'] } } });
    await expect(made.pool.claimStore({ agentId: 'other' })).rejects.toMatchObject({ reason: 'NO_OWNER' });
    await expect(made.pool.claimStore({ agentId: 'team-a' })).resolves.toMatchObject({ owner: 'store-writer/test' });
  });

  it('names methods that it does not have', async () => {
    const made = await bench();
    const lines = made.client.readTrajectory(ReadTrajectoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }));
    await expect(lines[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });

  it('refuses a request that names another agent than its subject', async () => {
    const made = await bench();
    const client = createClient(made.bus, StoreServiceService, { caller: 'client:test', subject: (method) => subjects.store('main', method) });
    await expect(client.listEntries(ListEntriesRequest.create({ agentId: 'other' }))).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(readdirSync(made.stateDir)).toEqual([]);
  });

  it('writes simple entries where the configuration says so', async () => {
    const made = await bench({ config: { session: { storeFormat: 'simple' } } });
    const answer = await made.client.deliver(telegram('Hello'));
    await made.client.deliver(telegram('again'));
    const entry = await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }));
    const members = JSON.parse(entry.entryJson.toString('utf8')) as Record<string, unknown>;
    expect(members).toMatchObject({ uuid: answer.sessionId, messageCount: 2 });
    expect(members).not.toHaveProperty('sessionId');
  });
});
