/** History, page by page and followed, through the whole service. */
import { AppendRecordsRequest, DeliverRequest, InboundMessage, ReadHistoryRequest, ResolvedRoute } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, telegram, textOf, until } from '../testing/writer-bench';

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
