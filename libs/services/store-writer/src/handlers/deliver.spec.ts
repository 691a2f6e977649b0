/** Messages through the whole service. */
import { Attachment, DeliverRequest, EntryFilter, GetEntryRequest, HandOverRequest, InboundMessage, InterSession, ListEntriesRequest, PatchEntryRequest, PutChunkRequest, ReadHistoryRequest, ResolvedRoute, SessionRow } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, restart, telegram, transcriptLines, until } from '../testing/writer-bench';

cleanUpBenches();

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
    // Which of the two that race is the first is theirs to settle.
    expect([first.status, raced.status].sort()).toEqual(['accepted', 'duplicate']);
    expect(later.status).toBe('duplicate');
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

  it('answers a key that a client used for the session again, and refuses it for another session', async () => {
    const made = await bench();
    const sent = (sessionKey: string, text: string) =>
      DeliverRequest.create({
        agentId: 'main',
        route: ResolvedRoute.create({ agentId: 'main', sessionKey, matchedBy: 'explicit', originKind: 'webchat', channel: 'webchat', chatType: 'direct' }),
        message: InboundMessage.create({ role: 'user', text }),
      });
    const first = await made.client.deliver(sent('agent:main:telegram:direct:123', 'Hello'), { idempotencyKey: 'k1' });
    const refused = { reason: 'IDEMPOTENCY_MISMATCH' };
    await expect(made.client.deliver(sent('agent:main:other', 'Hello'), { idempotencyKey: 'k1' })).rejects.toMatchObject(refused);
    // The same session, in other words and under an older spelling.
    for (const key of ['agent:main:telegram:direct:123', 'agent:main:telegram:dm:123']) expect(await made.client.deliver(sent(key, 'Bye'), { idempotencyKey: 'k1' })).toMatchObject({ status: 'duplicate', messageId: first.messageId });
    const again = await restart(made);
    await expect(again.client.deliver(sent('agent:main:other', 'Hello'), { idempotencyKey: 'k1' })).rejects.toMatchObject(refused);
    expect(await again.client.deliver(sent('agent:main:other', 'Hello'), { idempotencyKey: 'k2' })).toMatchObject({ status: 'accepted' });
    expect((await history(again)).texts).toEqual(['Hello']);
  });

  it('refuses the key of a client’s tool for another session, and answers a call that a run makes again wherever its label leads by now', async () => {
    const made = await bench();
    const sent = (sessionKey: string, runId?: string) =>
      DeliverRequest.create({
        agentId: 'main',
        route: ResolvedRoute.create({ agentId: 'main', sessionKey, matchedBy: 'explicit', originKind: 'webchat', channel: 'webchat', chatType: 'direct' }),
        message: InboundMessage.create({ role: 'user', text: 'Hello' }),
        interSession: InterSession.create({ sourceSessionKey: 'agent:main:main', sourceTool: 'sessions_send', hops: 1, runId }),
      });
    await made.client.deliver(sent(KEY), { idempotencyKey: 'k1' });
    await expect(made.client.deliver(sent('agent:main:other'), { idempotencyKey: 'k1' })).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
    expect(await made.client.deliver(sent(KEY), { idempotencyKey: 'k1' })).toMatchObject({ status: 'duplicate' });
    await made.client.deliver(sent(KEY, 'r'), { idempotencyKey: 'k2' });
    expect(await made.client.deliver(sent('agent:main:other', 'r'), { idempotencyKey: 'k2' })).toMatchObject({ status: 'duplicate' });
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
      const own = sent.filter((answer) => answer.sessionKey === key).map((answer) => answer.messageSeq ?? 0).sort((a, b) => a - b);
      expect(own).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
      const events = made.events.filter((event) => event.sessionKey === key && event.body?.$case === 'message');
      expect(events.map((event) => event.body?.$case === 'message' && event.body.value.messageSeq)).toEqual(own);
    }
  });
});
