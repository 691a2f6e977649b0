/** The service as its callers have it: a real store on disk behind a real bus. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import {
  Attachment,
  ChannelMessageRef,
  DeliverRequest,
  EntryFilter,
  Event,
  FieldChange,
  GetEntryRequest,
  HandOverRequest,
  InboundMessage,
  ListEntriesRequest,
  PatchEntryRequest,
  PeerRef,
  PreviewRequest,
  PutChunkRequest,
  ReadHistoryRequest,
  ReplyRoute,
  ResolveKeyRequest,
  ResolvedRoute,
  SearchRequest,
  Sender,
  SessionRow,
  StoreInfoRequest,
  StoreServiceCreateSessionRequest,
  StoreServiceService,
  AppendRecordsRequest,
  type ReadHistoryResponse,
} from '@sessions/contracts';
import { createClient, createInProcessBus, createSubjects, type Bus, type Client } from '@sessions/bus';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock, type Logger, type Service } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { createStoreWriter } from './store-writer';

const KEY = 'agent:main:telegram:direct:123';
const subjects = createSubjects();

interface Bench {
  readonly stateDir: string;
  readonly bus: Bus;
  readonly service: Service;
  readonly client: Client<typeof StoreServiceService>;
  readonly pool: Client<typeof StoreServiceService>;
  readonly events: Event[];
  stop(): Promise<void>;
}

/** A store opens and closes with several synced writes, on a disk that others use too. */
jest.setTimeout(60_000);

const opened: Bench[] = [];

function configOf(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error(result.problems.map((problem) => `${problem.path}: ${problem.message}`).join('\n'));
  return result.config;
}

async function bench(options: { stateDir?: string; config?: unknown; openStoresMax?: number; logger?: Logger } = {}): Promise<Bench> {
  const stateDir = options.stateDir ?? mkdtempSync(path.join(tmpdir(), 'store-writer-'));
  const bus = createInProcessBus({ copy: true });
  const config = configOf(options.config ?? {});
  const metrics = createMetrics({ service: 'test' });
  const service = createStoreWriter({
    bus,
    clock: systemClock,
    logger: options.logger ?? silentLogger,
    metrics,
    config: () => config,
    places: { stateDir, homeDir: stateDir },
    instance: 'test',
    ...(options.openStoresMax === undefined ? {} : { openStoresMax: options.openStoresMax }),
  });
  const events: Event[] = [];
  await bus.events.subscribe(subjects.events(), Event, (event) => void events.push(event));
  const caller = 'client:test';
  const made: Bench = {
    stateDir,
    bus,
    service,
    events,
    client: createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { agentId: string }).agentId, method) }),
    pool: createClient(bus, StoreServiceService, { caller, subject: (method) => subjects.storePool(method) }),
    async stop() {
      await service.drain();
      await service.stop();
      metrics.close();
      await bus.close();
    },
  };
  opened.push(made);
  await service.start();
  return made;
}

afterEach(async () => {
  for (const one of opened.splice(0)) {
    await one.stop();
    rmSync(one.stateDir, { recursive: true, force: true });
  }
});

/** Ends the service but keeps its directory for another one. */
async function restart(before: Bench, options: { config?: unknown } = {}): Promise<Bench> {
  await before.stop();
  opened.splice(opened.indexOf(before), 1);
  return bench({ ...options, stateDir: before.stateDir });
}

const telegram = (text: string, options: { key?: string; agentId?: string; messageId?: string; attachments?: Attachment[] } = {}): DeliverRequest => {
  const { key = KEY, agentId = 'main', messageId } = options;
  return DeliverRequest.create({
    agentId,
    route: ResolvedRoute.create({
      agentId,
      sessionKey: key,
      matchedBy: 'default',
      originKind: 'channel',
      channel: 'telegram',
      accountId: 'default',
      chatType: 'direct',
      peer: PeerRef.create({ kind: 'direct', id: '123' }),
      replyRoute: ReplyRoute.create({ channel: 'telegram', to: '123' }),
    }),
    message: InboundMessage.create({
      role: 'user',
      text,
      attachments: options.attachments ?? [],
      sender: Sender.create({ id: '123', name: 'Ann' }),
      channelMessage: messageId === undefined ? undefined : ChannelMessageRef.create({ channel: 'telegram', messageId }),
    }),
  });
};

const sessionsDir = (stateDir: string, agentId = 'main'): string => path.join(stateDir, 'agents', agentId, 'sessions');
const transcriptLines = (stateDir: string, sessionId: string): Record<string, unknown>[] =>
  readFileSync(path.join(sessionsDir(stateDir), `${sessionId}.jsonl`), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

async function history(made: Bench, request: Partial<ReadHistoryRequest> = {}): Promise<{ texts: string[]; items: ReadHistoryResponse[] }> {
  const items: ReadHistoryResponse[] = [];
  const texts: string[] = [];
  for await (const item of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, ...request }))) {
    items.push(item);
    if (item.item?.$case === 'records') texts.push(...item.item.value.records.map(({ lineJson }) => textOf(lineJson)));
  }
  return { texts, items };
}

function textOf(lineJson: Uint8Array): string {
  const line = JSON.parse(Buffer.from(lineJson).toString('utf8')) as { message: { content: { text?: string }[] } };
  return line.message.content.map((block) => block.text ?? '').join('');
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('deliver', () => {
  it('begins a session with the first message, and answers once it is kept', async () => {
    const made = await bench();
    const answer = await made.client.deliver(telegram('Hello'));
    expect(answer).toMatchObject({ status: 'accepted', sessionKey: KEY, created: true, messageSeq: 1, runId: undefined, queued: false });
    const again = await restart(made);
    const lines = transcriptLines(again.stateDir, answer.sessionId ?? '');
    expect(lines[0]).toMatchObject({ type: 'session', version: 3, id: answer.sessionId, sessionKey: KEY });
    expect(lines[1]).toMatchObject({ type: 'message', id: answer.messageId, parentId: null, message: { role: 'user', content: [{ type: 'text', text: 'Hello' }] } });
    const entry = await again.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, includeFacts: true }));
    expect(JSON.parse(entry.entryJson.toString('utf8'))).toMatchObject({
      sessionId: answer.sessionId,
      chatType: 'direct',
      lastChannel: 'telegram',
      lastTo: '123',
      origin: { provider: 'telegram', from: 'telegram:123', label: 'Ann id:123' },
    });
    expect(entry.facts).toMatchObject({ messageCount: 1, transcriptState: 'present', tipId: answer.messageId });
  });

  it('goes on in the session: each line names the one before as its parent', async () => {
    const made = await bench();
    const answers = [];
    for (const text of ['one', 'two', 'three']) answers.push(await made.client.deliver(telegram(text)));
    expect(answers.map((answer) => [answer.messageSeq, answer.created])).toEqual([[1, true], [2, false], [3, false]]);
    expect(new Set(answers.map((answer) => answer.sessionId)).size).toBe(1);
    const { texts } = await history(made);
    expect(texts).toEqual(['one', 'two', 'three']);
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    const [, first, second, third] = transcriptLines(made.stateDir, answers[0]?.sessionId ?? '');
    expect([first?.['parentId'], second?.['parentId'], third?.['parentId']]).toEqual([null, first?.['id'], second?.['id']]);
  });

  it('answers a repeated message with the first answer, also after a restart', async () => {
    const made = await bench();
    const idempotencyKey = 'telegram/default/123/501';
    const [first, raced] = await Promise.all([
      made.client.deliver(telegram('Hello', { messageId: '501' }), { idempotencyKey }),
      made.client.deliver(telegram('Hello', { messageId: '501' }), { idempotencyKey }),
    ]);
    const again = await restart(made);
    const later = await again.client.deliver(telegram('Hello', { messageId: '501' }), { idempotencyKey });
    expect([first.status, raced.status, later.status]).toEqual(['accepted', 'duplicate', 'duplicate']);
    for (const answer of [raced, later]) expect(answer).toMatchObject({ messageId: first.messageId, sessionId: first.sessionId, messageSeq: 1, created: true });
    expect((await history(again)).texts).toEqual(['Hello']);
  });

  it('refuses the same idempotency key with another text, and with another method', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'), { idempotencyKey: 'k1' });
    await expect(made.client.deliver(telegram('Bye'), { idempotencyKey: 'k1' })).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
    const patch = PatchEntryRequest.create({ agentId: 'main', key: KEY, touch: true });
    await expect(made.client.patchEntry(patch, { idempotencyKey: 'k1' })).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
    expect((await history(made)).texts).toEqual(['Hello']);
  });

  it('finds the row under its older spelling and keeps that spelling', async () => {
    const made = await bench();
    const first = await made.client.deliver(telegram('one', { key: 'agent:main:telegram:dm:123' }));
    const second = await made.client.deliver(telegram('two', { key: KEY }));
    expect(second).toMatchObject({ created: false, sessionKey: 'agent:main:telegram:dm:123', sessionId: first.sessionId });
    expect((await history(made)).texts).toEqual(['one', 'two']);
  });

  it('refuses a message to an unknown key when it must exist, and creates nothing', async () => {
    const made = await bench();
    await expect(made.client.deliver({ ...telegram('x'), requireExisting: true })).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
    expect((await made.client.listEntries(ListEntriesRequest.create({ agentId: 'main' }))).totalCount).toBe(0);
  });

  it.each([
    ['an empty message', { text: '' }, 'VALIDATION'],
    ['a text beyond its bound', { text: 'x'.repeat(256 * 1024 + 1) }, 'TOO_LARGE'],
    ['a role that nobody has', { role: 'toolResult' }, 'VALIDATION'],
    ['an attachment that is no image', { attachments: [Attachment.create({ name: 'a.zip', mimeType: 'application/zip', content: Buffer.from('x') })] }, 'VALIDATION'],
  ])('refuses %s', async (_, members, reason) => {
    const made = await bench();
    const request = telegram('Hello');
    const message = { ...InboundMessage.create({ role: 'user', text: 'Hello' }), ...members };
    await expect(made.client.deliver({ ...request, message })).rejects.toMatchObject({ reason });
  });

  it.each(['agent:main:x\u0000y', `agent:main:${'k'.repeat(600)}`, '   ', 'unknown'])('refuses to make a row under the key %j', async (key) => {
    const made = await bench();
    await expect(made.client.deliver(telegram('x', { key }))).rejects.toMatchObject({ reason: 'KEY_INVALID' });
  });

  it('keeps images in the line, also such that came in pieces', async () => {
    const made = await bench();
    const image = Buffer.alloc(1_500_000, 7);
    const pieces = [image.subarray(0, 700_000), image.subarray(700_000, 1_400_000), image.subarray(1_400_000)];
    for (const [index, data] of pieces.entries()) {
      await made.client.putChunk(PutChunkRequest.create({ agentId: 'main', uploadId: 'up-1', index, data, last: index === pieces.length - 1 }));
    }
    const small = Attachment.create({ name: 'a.png', mimeType: 'image/png', content: Buffer.from([1, 2, 3]) });
    const large = Attachment.create({ name: 'b.png', mimeType: 'image/png', uploadId: 'up-1' });
    await made.client.deliver(telegram('look', { attachments: [small, large] }));
    const parts: Buffer[] = [];
    for await (const { item } of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }))) {
      if (item?.$case === 'records') parts.push(...item.value.records.map((record) => record.lineJson));
    }
    const line = JSON.parse(Buffer.concat(parts).toString('utf8')) as { message: { content: { type: string; data?: string }[] } };
    expect(line.message.content.map((block) => block.type)).toEqual(['text', 'image', 'image']);
    expect(line.message.content[1]?.data).toBe('AQID');
    expect(Buffer.from(line.message.content[2]?.data ?? '', 'base64').equals(image)).toBe(true);
  });

  it('gives every run of an isolated cron job a session and a row of its own', async () => {
    const made = await bench();
    const cron = (text: string): DeliverRequest =>
      DeliverRequest.create({
        agentId: 'main',
        route: ResolvedRoute.create({ agentId: 'main', sessionKey: 'agent:main:cron:report', matchedBy: 'default', originKind: 'cron' }),
        message: InboundMessage.create({ role: 'user', text, bookkeeping: true }),
      });
    const first = await made.client.deliver(cron('Write the report'));
    const second = await made.client.deliver(cron('Write the report'));
    expect(second.sessionId).not.toBe(first.sessionId);
    const list = await made.client.listEntries(ListEntriesRequest.create({ agentId: 'main', filter: EntryFilter.create({ includeCronRuns: true }) }));
    const rows = list.encodedRows.map((row) => SessionRow.decode(row));
    expect(new Map(rows.map((row) => [row.key, row.sessionId]))).toEqual(
      new Map([
        ['agent:main:cron:report', second.sessionId],
        [`agent:main:cron:report:run:${String(first.sessionId)}`, first.sessionId],
        [`agent:main:cron:report:run:${String(second.sessionId)}`, second.sessionId],
      ]),
    );
  });

  it('keeps the order of many messages at once, each exactly once', async () => {
    const made = await bench();
    const sent = await Promise.all(Array.from({ length: 60 }, (_, n) => made.client.deliver(telegram(`m${String(n)}`, { key: `agent:main:telegram:direct:${String(n % 3)}` }))));
    expect(sent.filter((answer) => answer.created)).toHaveLength(3);
    await until(() => made.events.filter((event) => event.body?.$case === 'message').length >= sent.length);
    for (const peer of ['0', '1', '2']) {
      const key = `agent:main:telegram:direct:${peer}`;
      const own = sent.filter((answer) => answer.sessionKey === key).map((answer) => answer.messageSeq);
      expect(own).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
      const events = made.events.filter((event) => event.sessionKey === key && event.body?.$case === 'message');
      expect(events.map((event) => event.body?.$case === 'message' && event.body.value.messageSeq)).toEqual(own);
    }
  });
});

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

describe('create and patch', () => {
  const create = (members: Partial<StoreServiceCreateSessionRequest> = {}): StoreServiceCreateSessionRequest => StoreServiceCreateSessionRequest.create({ agentId: 'main', ...members });
  const change = (name: string, value?: unknown): FieldChange => FieldChange.create({ name, valueJson: value === undefined ? undefined : Buffer.from(JSON.stringify(value)) });
  const patch = (changes: FieldChange[], members: Partial<PatchEntryRequest> = {}): PatchEntryRequest => PatchEntryRequest.create({ agentId: 'main', key: KEY, touch: true, create: true, changes, ...members });

  it('makes a dashboard session where no key is given', async () => {
    const made = await bench();
    const answer = await made.client.createSession(create({ fields: [change('label', 'Plan')] }));
    expect(answer.key).toMatch(/^agent:main:dashboard:[0-9a-f-]{36}$/);
    const entry = JSON.parse(answer.entryJson.toString('utf8')) as Record<string, unknown>;
    expect(Object.keys(entry)).toEqual(['sessionId', 'sessionFile', 'updatedAt', 'label']);
    expect(answer).toMatchObject({ created: true, sessionId: entry['sessionId'] });
    expect(String(entry['sessionId'])).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('keeps the session of a key that exists, and moves its time', async () => {
    const made = await bench();
    const first = await made.client.createSession(create({ key: KEY }));
    const second = await made.client.createSession(create({ key: KEY }));
    expect(second).toMatchObject({ created: false, sessionId: first.sessionId });
    const times = [first, second].map((answer) => (JSON.parse(answer.entryJson.toString('utf8')) as { updatedAt: number }).updatedAt);
    expect(times[1]).toBeGreaterThanOrEqual(times[0] ?? Infinity);
    const message = await made.client.deliver(telegram('first words'));
    expect(message).toMatchObject({ created: false, sessionId: first.sessionId, messageSeq: 1 });
    expect((await history(made)).texts).toEqual(['first words']);
    const more = await made.client.deliver(telegram('second words'));
    expect(more.messageId).toMatch(/^[0-9a-f]{8}$/);
  });

  it('gives a label to one session only', async () => {
    const made = await bench();
    await made.client.createSession(create({ key: 'agent:main:a', fields: [change('label', 'L')] }));
    await expect(made.client.createSession(create({ key: 'agent:main:b', fields: [change('label', 'L')] }))).rejects.toMatchObject({ reason: 'LABEL_IN_USE', message: 'label already in use: L' });
    await expect(made.client.patchEntry(patch([change('label', ' L ')]))).rejects.toMatchObject({ reason: 'LABEL_IN_USE' });
    await made.client.patchEntry(patch([change('label')], { key: 'agent:main:a' }));
    await expect(made.client.patchEntry(patch([change('label', 'L')]))).resolves.toMatchObject({ created: true });
  });

  it('refuses an unknown parent and links a known one', async () => {
    const made = await bench();
    await expect(made.client.createSession(create({ parentSessionKey: KEY }))).rejects.toMatchObject({ message: `unknown parent session: ${KEY}` });
    await made.client.deliver(telegram('Hello'));
    const child = await made.client.createSession(create({ parentSessionKey: KEY }));
    expect(JSON.parse(child.entryJson.toString('utf8'))).toMatchObject({ parentSessionKey: KEY });
  });

  it('sets and clears single fields and keeps every unknown one', async () => {
    const stateDir = mkdtempSync(path.join(tmpdir(), 'store-writer-'));
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: 's-1', updatedAt: 5, x: { deep: [1, 2.50] }, thinkingLevel: 'low' } }, null, 2));
    const made = await bench({ stateDir });
    const answer = await made.client.patchEntry(patch([change('verboseLevel', 'on'), change('thinkingLevel')], { expectedUpdatedAtMs: 5, expectedSessionId: 's-1' }));
    const entry = JSON.parse(answer.entryJson.toString('utf8')) as Record<string, unknown>;
    expect(entry).toMatchObject({ sessionId: 's-1', x: { deep: [1, 2.5] }, verboseLevel: 'on' });
    expect(entry).not.toHaveProperty('thinkingLevel');
    expect(entry['updatedAt']).toBeGreaterThan(5);
  });

  it('refuses a patch of what has changed meanwhile', async () => {
    const made = await bench();
    const { sessionId } = await made.client.deliver(telegram('Hello'));
    await expect(made.client.patchEntry(patch([], { expectedUpdatedAtMs: 1 }))).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
    await expect(made.client.patchEntry(patch([], { expectedSessionId: 'other' }))).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
    await expect(made.client.patchEntry(patch([], { expectedSessionId: sessionId }))).resolves.toMatchObject({ created: false });
  });

  it.each([['sessionId', 'x'], ['updatedAt', 1], ['uuid', 'x'], ['sessionFile', '../x'], ['skillsSnapshot', {}]])('does not let a patch name %s', async (name, value) => {
    const made = await bench();
    await expect(made.client.patchEntry(patch([change(name, value)]))).rejects.toMatchObject({ reason: 'VALIDATION' });
  });

  it('refuses a patch of an unknown key that it may not create', async () => {
    const made = await bench();
    await expect(made.client.patchEntry(patch([], { create: false }))).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
  });
});

describe('append records', () => {
  it('fills in ids, parents and times, and keeps the rest of each line', async () => {
    const made = await bench();
    const { sessionId = '', messageId } = await made.client.deliver(telegram('Hello'));
    const answer = await made.client.appendRecords(
      AppendRecordsRequest.create({
        agentId: 'main',
        key: KEY,
        sessionId,
        lines: [Buffer.from('{"type":"model_change","provider":"p","modelId":"m"}'), Buffer.from('{"type":"message","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}]},"cost":1.10}')],
      }),
    );
    expect(answer).toMatchObject({ firstMessageSeq: 2, lastMessageSeq: 2 });
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    const raw = readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8');
    expect(raw).toContain('"cost":1.10');
    const lines = transcriptLines(made.stateDir, sessionId);
    expect(lines.slice(2).map((line) => [line['id'], line['parentId']])).toEqual([[answer.recordIds[0], messageId], [answer.recordIds[1], answer.recordIds[0]]]);
  });

  it('refuses lines for a session id that the key has no longer', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'));
    const request = AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: 'other', lines: [Buffer.from('{"type":"custom"}')] });
    await expect(made.client.appendRecords(request)).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
  });
});

describe('reads', () => {
  const list = (members: Partial<ListEntriesRequest> = {}): ListEntriesRequest => ListEntriesRequest.create({ agentId: 'main', ...members });
  const keysOf = (rows: readonly Uint8Array[]): string[] => rows.map((row) => SessionRow.decode(row).key);

  async function filled(): Promise<Bench> {
    const made = await bench();
    for (const peer of ['1', '2', '3', '4', '5']) {
      await made.client.deliver(telegram(`[Wed 2026-03-11 23:51 PDT] Question ${peer}`, { key: `agent:main:telegram:direct:${peer}` }));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return made;
  }

  it('list rows newest first, in pages', async () => {
    const made = await filled();
    const first = await made.client.listEntries(list({ limit: 2 }));
    expect(keysOf(first.encodedRows)).toEqual(['agent:main:telegram:direct:5', 'agent:main:telegram:direct:4']);
    expect(first).toMatchObject({ totalCount: 5, hasMore: true, nextOffset: 2, path: path.join(sessionsDir(made.stateDir), 'sessions.json') });
    const last = await made.client.listEntries(list({ limit: 2, offset: 4 }));
    expect(keysOf(last.encodedRows)).toEqual(['agent:main:telegram:direct:1']);
    expect(last).toMatchObject({ hasMore: false, nextOffset: undefined });
    expect(await made.client.listEntries(list({ countOnly: true }))).toMatchObject({ encodedRows: [], totalCount: 5, hasMore: false });
  });

  it.each([
    ['keys', { keys: ['agent:main:telegram:dm:2', 'agent:main:nobody'] }, ['agent:main:telegram:direct:2']],
    ['a prefix', { keyPrefix: 'agent:main:telegram:direct:4' }, ['agent:main:telegram:direct:4']],
    ['a kind that no row has', { kinds: ['cron'] }, []],
    ['a text', { search: 'DIRECT:3' }, ['agent:main:telegram:direct:3']],
    ['the time of the last change', { activeWithinMs: 60_000, keyPrefix: 'agent:main:telegram:direct:1' }, ['agent:main:telegram:direct:1']],
  ])('filter by %s', async (_, filter, keys) => {
    const made = await filled();
    const answer = await made.client.listEntries(list({ filter: EntryFilter.create(filter) }));
    expect(keysOf(answer.encodedRows)).toEqual(keys);
    expect(answer.totalCount).toBe(keys.length);
  });

  it('give titles and last messages where they are asked for, without injected times', async () => {
    const made = await filled();
    await made.client.deliver(telegram('and more', { key: 'agent:main:telegram:direct:5' }));
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    await made.pool.claimStore({ agentId: 'main' });
    const answer = await made.client.listEntries(list({ limit: 1, includeDerivedTitles: true, includeLastMessage: true, full: true }));
    expect(SessionRow.decode(answer.encodedRows[0] ?? Buffer.alloc(0))).toMatchObject({ derivedTitle: 'Question 5', lastMessagePreview: 'and more' });
    expect(JSON.parse(answer.entriesJson[0]?.toString('utf8') ?? '')).toMatchObject({ lastChannel: 'telegram' });
  });

  it('preview the newest texts of each key, known or not', async () => {
    const made = await filled();
    const { previews } = await made.client.preview(PreviewRequest.create({ agentId: 'main', keys: ['agent:main:telegram:dm:1', 'agent:main:none'] }));
    expect(previews).toEqual([
      { key: 'agent:main:telegram:dm:1', status: 'ok', items: [{ role: 'user', text: 'Question 1' }] },
      { key: 'agent:main:none', status: 'missing', items: [] },
    ]);
  });

  it('resolve keys in any spelling, session ids and labels', async () => {
    const made = await filled();
    const resolve = (by: ResolveKeyRequest['by']) => made.client.resolveKey(ResolveKeyRequest.create({ agentId: 'main', by }));
    const byKey = await resolve({ $case: 'key', value: 'agent:main:telegram:dm:3' });
    expect(byKey.keys).toEqual(['agent:main:telegram:direct:3']);
    expect((await resolve({ $case: 'sessionId', value: byKey.sessionId ?? '' })).keys).toEqual(byKey.keys);
    expect((await resolve({ $case: 'label', value: 'none' })).keys).toEqual([]);
  });

  it('search names page by page, and say plainly that texts are not searched', async () => {
    const made = await filled();
    const first = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3 }));
    const second = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3, cursor: first.nextCursor }));
    expect([...first.hits, ...second.hits].map((hit) => hit.key)).toHaveLength(5);
    expect(second.nextCursor).toBeUndefined();
    await expect(made.client.search(SearchRequest.create({ agentId: 'main', query: 'x', in: 'text' }))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });

  it('tell what a store holds', async () => {
    const made = await filled();
    const info = await made.client.storeInfo(StoreInfoRequest.create({ agentId: 'main' }));
    expect(info).toMatchObject({ entryCount: 5, damage: [], writeRefusal: undefined, owner: 'store-writer/test' });
    expect(info.epoch).toBeGreaterThan(0);
  });
});

describe('history', () => {
  it('comes in pages, newest page first, each ascending', async () => {
    const made = await bench();
    for (let n = 1; n <= 7; n += 1) await made.client.deliver(telegram(`m${String(n)}`));
    const newest = await history(made, { limit: 3 });
    expect(newest.texts).toEqual(['m5', 'm6', 'm7']);
    const end = newest.items.at(-1)?.item;
    expect(end).toMatchObject({ $case: 'pageEnd', value: { hasMore: true, nextBeforeSeq: 5, lastMessageSeq: 7 } });
    expect((await history(made, { limit: 3, beforeSeq: 5 })).texts).toEqual(['m2', 'm3', 'm4']);
    expect((await history(made, { limit: 3, beforeSeq: 2 })).texts).toEqual(['m1']);
    expect((await history(made, { afterSeq: 5 })).texts).toEqual(['m6', 'm7']);
    expect((await history(made, { limit: 2, roles: ['assistant'] })).texts).toEqual([]);
  });

  it('says of an unknown key that there is none', async () => {
    const made = await bench();
    expect((await history(made)).items.map(({ item }) => item)).toMatchObject([{ $case: 'head', value: { found: false } }]);
  });

  it('hides tool calls and tool results from those who did not ask for them, and still fills the page', async () => {
    const made = await bench();
    const { sessionId = '' } = await made.client.deliver(telegram('u1'));
    const line = (message: unknown): Buffer => Buffer.from(JSON.stringify({ type: 'message', message }));
    const text = (value: string) => ({ type: 'text', text: value });
    const call = { type: 'toolCall', id: 'c', name: 'n', arguments: {} };
    await made.client.appendRecords(
      AppendRecordsRequest.create({
        agentId: 'main',
        key: KEY,
        sessionId,
        lines: [
          line({ role: 'assistant', content: [text('a1'), call] }),
          line({ role: 'toolResult', toolCallId: 'c', toolName: 'n', content: [text('r')] }),
          line({ role: 'assistant', content: [call] }),
          line({ role: 'toolResult', toolCallId: 'c', toolName: 'n', content: [text('r')] }),
          line({ role: 'assistant', content: [text('a2')] }),
        ],
      }),
    );
    expect((await history(made, { limit: 3 })).texts).toEqual(['u1', 'a1', 'a2']);
    expect((await history(made, { limit: 6, includeTools: true })).texts).toHaveLength(6);
  });

  it('is followed without loss while messages come in', async () => {
    const made = await bench();
    await made.client.deliver(telegram('m1'));
    const leaving = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      const stream = made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, follow: true }), { signal: leaving.signal });
      for await (const { item } of stream) if (item?.$case === 'records') seen.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
    })().catch(() => undefined);
    const wanted = Array.from({ length: 40 }, (_, n) => `m${String(n + 1)}`);
    await Promise.all(wanted.slice(1).map((text) => made.client.deliver(telegram(text))));
    await until(() => seen.length >= 40);
    leaving.abort();
    await following;
    expect(seen).toEqual(wanted);
  });

  it('resumes after the place where an earlier stream ended', async () => {
    const made = await bench();
    const { sessionId = '' } = await made.client.deliver(telegram('m1'));
    await made.client.deliver(telegram('m2'));
    await made.client.deliver(telegram('m3'));
    const leaving = new AbortController();
    const seen: string[] = [];
    const request = ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, follow: true, after: { sessionId, messageSeq: 1 } });
    for await (const { item } of made.client.readHistory(request, { signal: leaving.signal })) {
      if (item?.$case === 'records') seen.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
      if (item?.$case === 'pageEnd') break;
    }
    expect(seen).toEqual(['m2', 'm3']);
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
    const stateDir = mkdtempSync(path.join(tmpdir(), 'store-writer-'));
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
    await expect(bench({ stateDir: made.stateDir })).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
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

  it('names methods that it does not have', async () => {
    const made = await bench();
    await expect(made.client.resetSession({ agentId: 'main', key: KEY, reason: 'new', waitMs: undefined, fields: [], expectedSessionId: undefined })).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
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
