/** History, page by page and followed, through the whole service. */
import { AppendRecordsRequest, DeliverRequest, InboundMessage, ReadHistoryRequest, ResolvedRoute, StoreServiceResetSessionRequest, StoreServiceRestoreSessionRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, telegram, textOf, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

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

  describe('after another transcript', () => {
    type Told = (string | { readonly reset: string })[];
    /** What a reader is told that does not follow. */
    async function told(made: Bench, after: { sessionId: string; messageSeq: number; recordId?: string }, key = KEY): Promise<Told> {
      const heard: Told = [];
      const request = ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: key }, includeTools: true, after });
      for await (const { item } of made.client.readHistory(request)) {
        if (item?.$case === 'head') heard.push(`head ${item.value.sessionId ?? ''}`);
        if (item?.$case === 'records') heard.push(...item.value.records.map(({ lineJson, messageSeq }) => `${String(messageSeq)} ${textOf(lineJson)}`));
        if (item?.$case === 'reset') heard.push({ reset: `${item.value.previousSessionId} ${item.value.sessionId} ${item.value.reason}` });
      }
      return heard;
    }
    const resetBy = async (made: Bench): Promise<string> =>
      (await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }))).sessionId;

    it('gives the rest of the one that the key has left, then that it was left, then the live one', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      for (const text of ['m2', 'm3']) await made.client.deliver(telegram(text));
      const next = await resetBy(made);
      await made.client.deliver(telegram('n1'));
      const live = [{ reset: `${sessionId} ${next} reset` }, `head ${next}`, '1 n1'];
      expect(await told(made, { sessionId, messageSeq: 1 })).toEqual([`head ${sessionId}`, '2 m2', '3 m3', ...live]);
      expect(await told(made, { sessionId, messageSeq: 3 })).toEqual([`head ${sessionId}`, ...live]);
      expect(await told(made, { sessionId, messageSeq: 99 })).toEqual([`head ${sessionId}`, ...live]);
    });

    it('gives those that the key has had in between too, each behind its own change', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      const second = await resetBy(made);
      for (const text of ['n1', 'n2']) await made.client.deliver(telegram(text));
      const third = await resetBy(made);
      await made.client.deliver(telegram('o1'));
      const left = [{ reset: `${sessionId} ${second} reset` }, `head ${second}`, '1 n1', '2 n2', { reset: `${second} ${third} reset` }, `head ${third}`, '1 o1'];
      expect(await told(made, { sessionId, messageSeq: 1 })).toEqual([`head ${sessionId}`, ...left]);
    });

    it('gives what came and went around a restore, and what was brought back where it stands', async () => {
      const made = await bench();
      const restore = () => made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      const empty = await resetBy(made);
      // Nothing was said in that one: it is no archive, and yet a place that somebody may have.
      await restore();
      await made.client.deliver(telegram('m2'));
      const third = await resetBy(made);
      await made.client.deliver(telegram('o1'));
      const back = [{ reset: `${sessionId} ${third} reset` }, `head ${third}`, '1 o1'];
      expect(await told(made, { sessionId: empty, messageSeq: 0 })).toEqual([`head ${empty}`, { reset: `${empty} ${sessionId} restore` }, `head ${sessionId}`, '1 m1', '2 m2', ...back]);
      await resetBy(made);
      await restore();
      // The one that was left and brought back again is read as the present one alone.
      expect(await told(made, { sessionId, messageSeq: 1 })).toEqual([`head ${sessionId}`, '2 m2', { reset: `${sessionId} ${third} restore` }, ...back.slice(1)]);
    });

    it('begins anew for a place whose number means another message since a cut', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      const ids: string[] = [];
      for (const text of ['m2', 'm3', 'm4']) await made.client.deliver(telegram(text));
      for await (const { item } of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }), {})) {
        if (item?.$case === 'records') ids.push(...item.value.records.map(({ recordId = '' }) => recordId));
      }
      const [, second = '', , fourth = ''] = ids;
      expect(await told(made, { sessionId, messageSeq: 2, recordId: second })).toEqual([`head ${sessionId}`, '3 m3', '4 m4']);
      // The header counts: m3 and m4 stay, as 1 and 2.
      await made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines: 3 }));
      await made.client.deliver(telegram('m5'));
      const anew = [{ reset: `${sessionId} ${sessionId} compact` }, `head ${sessionId}`, '1 m3', '2 m4', '3 m5'];
      expect(await told(made, { sessionId, messageSeq: 2, recordId: second })).toEqual([`head ${sessionId}`, ...anew]);
      // A number alone may be one from before.
      expect(await told(made, { sessionId, messageSeq: 2 })).toEqual([`head ${sessionId}`, ...anew]);
      expect(await told(made, { sessionId, messageSeq: 2, recordId: fourth })).toEqual([`head ${sessionId}`, '3 m5']);
      const next = await resetBy(made);
      const live = [{ reset: `${sessionId} ${next} reset` }, `head ${next}`];
      // Cut meanwhile, or perhaps before the place was: what stands in it now is given whole, or its end would be given to nobody.
      for (const recordId of [second, undefined]) expect(await told(made, { sessionId, messageSeq: 2, ...(recordId !== undefined && { recordId }) })).toEqual([`head ${sessionId}`, ...anew, ...live]);
      expect(await told(made, { sessionId, messageSeq: 2, recordId: fourth })).toEqual([`head ${sessionId}`, '3 m5', ...live]);
    });

    it('gives all of a long one, in order', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      const lines = Array.from({ length: 100 }, (_, n) => Buffer.from(JSON.stringify({ type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: `l${String(n)}` }] } })));
      for (let part = 0; part < 25; part += 1) await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines }));
      await resetBy(made);
      const heard = await told(made, { sessionId, messageSeq: 3 });
      expect(heard.slice(1, -2).map((one) => Number(String(one).split(' ')[0]))).toEqual(Array.from({ length: 2498 }, (_, n) => n + 4));
    });

    it('begins anew for an id that was never this key\'s, and gives nothing of it', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      const other = await made.client.deliver(telegram('a secret', { key: 'agent:main:telegram:direct:other' }));
      const fresh = [`head ${sessionId}`, '1 m1'];
      for (const id of [other.sessionId ?? '', '0190ffff-0000-7000-8000-000000000001', '../../x', sessionId.slice(1)]) expect([id, await told(made, { sessionId: id, messageSeq: 0 })]).toEqual([id, fresh]);
      await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: 'agent:main:telegram:direct:other', reason: 'reset' }));
      expect(await told(made, { sessionId: other.sessionId ?? '', messageSeq: 0 })).toEqual(fresh);
    });

    it('begins anew behind the end of the live one', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      expect(await told(made, { sessionId, messageSeq: 7 })).toEqual([`head ${sessionId}`, { reset: `${sessionId} ${sessionId} compact` }, `head ${sessionId}`, '1 m1']);
    });

    it('is told of a cut and of its undoing while it follows, and has each state whole', async () => {
      const made = await bench();
      const { sessionId = '' } = await made.client.deliver(telegram('m1'));
      for (let n = 2; n <= 6; n += 1) await made.client.deliver(telegram(`m${String(n)}`));
      const heard: string[] = [];
      const leaving = new AbortController();
      const following = (async () => {
        for await (const { item } of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, follow: true }), { signal: leaving.signal })) {
          if (item?.$case === 'records') heard.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
          if (item?.$case === 'reset') heard.push(item.value.reason);
          if (item?.$case === 'pageEnd') heard.push('.');
        }
      })().catch(() => undefined);
      await until(() => heard.includes('.'));
      await made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines: 3 }));
      await until(() => heard.filter((one) => one === '.').length === 2);
      await made.client.deliver(telegram('m7'));
      await until(() => heard.at(-1) === 'm7');
      await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
      await until(() => heard.filter((one) => one === '.').length === 3);
      leaving.abort();
      await following;
      expect(heard).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', '.', 'compact', 'm5', 'm6', '.', 'm7', 'restore', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', '.']);
      expect(sessionId).not.toBe('');
    });

    it('loses nothing that was said just before a reset', async () => {
      const made = await bench();
      await made.client.deliver(telegram('m1'));
      const heard: string[] = [];
      const leaving = new AbortController();
      const following = (async () => {
        for await (const { item } of made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, follow: true }), { signal: leaving.signal })) {
          if (item?.$case === 'records') heard.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
        }
      })().catch(() => undefined);
      await until(() => heard.length === 1);
      const said = ['m1'];
      for (let turn = 0; turn < 12; turn += 1) {
        const texts = [`t${String(turn)}a`, `t${String(turn)}b`];
        said.push(...texts);
        await Promise.all([...texts.map((text) => made.client.deliver(telegram(text)))]);
        await resetBy(made);
      }
      await made.client.deliver(telegram('last'));
      await until(() => heard.includes('last'));
      leaving.abort();
      await following;
      expect(heard).toEqual([...said, 'last']);
    });
  });

  it('goes on with the new transcript when the key gets another session', async () => {
    const made = await bench();
    const key = 'agent:main:cron:report';
    const run = (text: string) =>
      made.client.deliver(
        DeliverRequest.create({
          agentId: 'main',
          route: ResolvedRoute.create({ agentId: 'main', sessionKey: key, matchedBy: 'default', originKind: 'cron' }),
          message: InboundMessage.create({ role: 'user', text, bookkeeping: true }),
        }),
      );
    const first = await run('run 1');
    const seen: string[] = [];
    const stream = made.client.readHistory(ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: key }, follow: true }));
    let second: Awaited<ReturnType<typeof run>> | undefined;
    for await (const { item } of stream) {
      if (item?.$case === 'pageEnd' && second === undefined) second = await run('run 2');
      else if (item?.$case === 'pageEnd') break;
      if (item?.$case === 'reset') {
        expect(item.value).toMatchObject({ previousSessionId: first.sessionId, sessionId: second?.sessionId });
        seen.push('reset');
      }
      if (item?.$case === 'records') seen.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
    }
    expect(seen).toEqual(['run 1', 'reset', 'run 2']);
  });
});
