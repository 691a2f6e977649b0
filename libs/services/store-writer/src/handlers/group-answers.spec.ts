/** Several people speak in one group: each is answered to his own message, whatever messages during a turn mean. */
import { BeginTurnRequest, ChannelMessageRef, DeliverRequest, FinishTurnRequest, InboundMessage, InterSession, ListPendingRequest, PatchEntryRequest, ReplyRoute, RunRequest, Sender } from '@sessions/contracts';
import { bench, cleanUpBenches, history, restart, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const KEY = 'agent:main:telegram:group:g1';
const GROUP = ReplyRoute.create({ channel: 'telegram', to: 'g1' });
const WITH_MODEL = { agents: { defaults: { model: 'demo/echo' } } };

/** As the router delivers what somebody says in the group; the run has the message's name. */
const says = (made: Bench, sender: string, name: string, queueMode: string, run: Partial<RunRequest> = {}, more: Partial<DeliverRequest> = {}) =>
  made.client.deliver(
    DeliverRequest.create({
      ...telegram(name, { key: KEY }),
      message: InboundMessage.create({ role: 'user', text: name, mentioned: true, sender: Sender.create({ id: sender }), channelMessage: ChannelMessageRef.create({ channel: 'telegram', messageId: name }) }),
      run: RunRequest.create({ runId: name, deliver: true, replyRoute: GROUP, source: 'channel', queueMode, ...run }),
      ...more,
    }),
  );
/** A channel that does not say who wrote. */
const nobodySays = (made: Bench, name: string, queueMode: string) =>
  says(made, '', name, queueMode, {}, { message: InboundMessage.create({ role: 'user', text: name, mentioned: true, channelMessage: ChannelMessageRef.create({ channel: 'telegram', messageId: name }) }) });
const begin = (made: Bench, runId: string, takeSteered = false) => made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId: 'runner/a', attempt: 1, takeSteered }));
const finish = (made: Bench, runId: string, text = `answer to ${runId}`) => made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, outcome: 'ok', text, attempt: 1 }));
const answered = async (made: Bench): Promise<unknown[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'] }))).deliveries.map(({ text, inReplyTo }) => [text, inReplyTo?.messageId]);
const textsOf = async (made: Bench): Promise<string[]> => (await history(made, { by: { $case: 'key', value: KEY } })).texts;

it('steers the messages of the one who is answered, and of nobody else', async () => {
  let made = await bench({ config: WITH_MODEL });
  await says(made, 'ann', 'ann-1', 'steer');
  await begin(made, 'ann-1');
  await says(made, 'ann', 'ann-2', 'steer');
  await says(made, 'bob', 'bob-1', 'steer');
  await says(made, 'ann', 'ann-3', 'steer');
  expect((await begin(made, 'ann-1', true)).steerMessages).toHaveLength(1);
  // Who wrote what waits is known after a restart too.
  made = await restart(made, { config: WITH_MODEL });
  expect((await begin(made, 'ann-1', true)).steerMessages).toEqual([]);
  expect(await textsOf(made)).toEqual(['ann-1', 'ann-2']);
  expect(await finish(made, 'ann-1')).toMatchObject({ nextRunId: 'bob-1' });
  await begin(made, 'bob-1');
  expect(await finish(made, 'bob-1')).toMatchObject({ nextRunId: 'ann-3' });
  await begin(made, 'ann-3');
  await finish(made, 'ann-3');
  expect(await answered(made)).toEqual([['answer to ann-1', 'ann-1'], ['answer to bob-1', 'bob-1'], ['answer to ann-3', 'ann-3']]);
  expect(await textsOf(made)).toEqual(['ann-1', 'ann-2', 'bob-1', 'ann-3']);
});

it('collects the messages of one person into his turn, and leaves those of another for the next', async () => {
  const made = await bench({ config: WITH_MODEL });
  for (const [sender, name] of [['ann', 'ann-1'], ['bob', 'bob-1'], ['bob', 'bob-2'], ['ann', 'ann-2']] as const) await says(made, sender, name, 'collect');
  for (const [runId, nextRunId] of [['ann-1', 'bob-1'], ['bob-1', 'ann-2'], ['ann-2', undefined]] as const) {
    await begin(made, runId);
    expect((await finish(made, runId)).nextRunId).toBe(nextRunId);
  }
  expect(await answered(made)).toEqual([['answer to ann-1', 'ann-1'], ['answer to bob-1', 'bob-1'], ['answer to ann-2', 'ann-2']]);
});

it.each(['steer', 'collect'])('answers each message of somebody whom the channel does not name by itself, in mode %s', async (mode) => {
  const made = await bench({ config: WITH_MODEL });
  for (const name of ['one', 'two']) await nobodySays(made, name, mode);
  await begin(made, 'one');
  expect((await begin(made, 'one', true)).steerMessages).toEqual([]);
  expect(await finish(made, 'one')).toMatchObject({ nextRunId: 'two' });
  await begin(made, 'two');
  await finish(made, 'two');
  expect(await answered(made)).toEqual([['answer to one', 'one'], ['answer to two', 'two']]);
});

it('keeps with a message whose agent sent it, whether it waits or is written at once', async () => {
  const made = await bench({ config: WITH_MODEL });
  const interSession = InterSession.create({ sourceSessionKey: 'agent:main:other', sourceTool: 'sessions_send', hops: 2, runId: 'there' });
  await says(made, 'ann', 'ann-1', 'queue', {}, { interSession });
  await says(made, 'ann', 'ann-2', 'queue', {}, { interSession });
  await begin(made, 'ann-1');
  await finish(made, 'ann-1');
  await begin(made, 'ann-2');
  const { items } = await history(made, { by: { $case: 'key', value: KEY } });
  const kept = items.flatMap(({ item }) => (item?.$case === 'records' ? item.value.records.map(({ lineJson }) => (JSON.parse(lineJson.toString('utf8')) as { message?: { provenance?: unknown } }).message?.provenance) : []));
  const provenance = { kind: 'inter_session', sourceSessionKey: 'agent:main:other', sourceTool: 'sessions_send', runId: 'there', hops: 2 };
  expect(kept).toEqual([provenance, provenance]);
});

it('answers with the result of a sub-agent whom it was for, though another one waits later', async () => {
  const made = await bench({ config: WITH_MODEL });
  const yields = async (runId: string): Promise<void> => {
    await begin(made, runId);
    await made.client.patchEntry(PatchEntryRequest.create({ agentId: 'main', key: KEY, changes: [{ name: 'yieldingRun', valueJson: Buffer.from(JSON.stringify(runId)) }] }));
    await finish(made, runId, '');
  };
  const result = async (runId: string, traceId: string): Promise<void> => {
    const message = InboundMessage.create({ role: 'user', text: runId });
    await says(made, '', runId, 'queue', { deliver: false, source: 'announce' }, { message, interSession: InterSession.create({ sourceSessionKey: 'agent:main:subagent:x', sourceTool: 'sessions_spawn', hops: 1, traceId }) });
    await begin(made, runId);
    await finish(made, runId);
  };
  await says(made, 'ann', 'ann-1', 'queue');
  await yields('ann-1');
  await says(made, 'bob', 'bob-1', 'queue');
  await yields('bob-1');
  await nobodySays(made, 'unnamed', 'queue');
  await yields('unnamed');
  // Of a message that nobody waits for, not even one whom the channel does not name.
  await result('for-cyd', 'cyd-1');
  await result('for-ann', 'ann-1');
  await result('for-bob', 'bob-1');
  await result('again', 'ann-1');
  await result('for-unnamed', 'unnamed');
  expect(await answered(made)).toEqual([['answer to for-ann', 'ann-1'], ['answer to for-bob', 'bob-1'], ['answer to for-unnamed', 'unnamed']]);
});
