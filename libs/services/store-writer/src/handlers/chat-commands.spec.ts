/** Chat commands through the whole service: carried out for those who may, in one mutation, with an answer. */
import { CancelRunRequest, GetEntryRequest, RunRequest, type DeliverRequest } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, restart, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const config = {
  agents: { list: [{ id: 'main', model: 'anthropic/claude-a' }] },
  models: { providers: { openai: { baseUrl: 'http://127.0.0.1:1', models: [{ id: 'gpt-x', contextWindow: 50_000 }] } } },
};
const entry = async (made: Bench, key = KEY): Promise<Record<string, unknown>> => JSON.parse((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: key } }))).entryJson.toString('utf8')) as Record<string, unknown>;
const owner = (text: string, key = KEY): DeliverRequest => telegram(text, { key, authority: 'owner' });

describe('chat commands', () => {
  it.each([
    ['/new', 'New session started.', 'new'],
    ['/RESET', 'Session reset.', 'reset'],
    ['/clear', 'History cleared.', 'clear'],
  ])('%s begins a new session and answers', async (text, reply, reason) => {
    const made = await bench({ config });
    const first = await made.client.deliver(telegram('before'));
    await made.client.deliver(telegram('/model openai/gpt-x'));
    const answer = await made.client.deliver(telegram(text, { messageId: '7' }), { idempotencyKey: 'k' });
    expect(answer).toMatchObject({ status: 'handled', reply, messageId: undefined, reset: { reason, previousSessionId: first.sessionId } });
    expect(await entry(made)).toMatchObject({ sessionId: answer.sessionId, lastResetReason: reason, modelOverride: 'gpt-x' });
    expect((await history(made)).texts).toEqual([]);
    const again = await made.client.deliver(telegram(text, { messageId: '7' }), { idempotencyKey: 'k' });
    expect(again).toMatchObject({ status: 'duplicate', reply, sessionId: answer.sessionId });
    // Still so after a restart: nothing lives in memory.
    const later = await restart(made, { config });
    expect((await later.client.deliver(telegram('after'))).sessionId).toBe(answer.sessionId);
  });

  it('takes the rest of a reset as the first message of the new session, and a model out of it', async () => {
    const made = await bench({ config });
    const first = await made.client.deliver(telegram('before'));
    const second = await made.client.deliver(telegram('/reset tell me more'));
    expect(second).toMatchObject({ status: 'accepted', messageSeq: 1, reset: { reason: 'reset', previousSessionId: first.sessionId } });
    expect((await history(made)).texts).toEqual(['tell me more']);
    const third = await made.client.deliver(telegram('/new openai write a poem'));
    expect(third).toMatchObject({ status: 'accepted', messageSeq: 1, reset: { reason: 'new', previousSessionId: second.sessionId } });
    expect((await history(made)).texts).toEqual(['write a poem']);
    expect(await entry(made)).toMatchObject({ modelOverride: 'gpt-x', providerOverride: 'openai' });
    expect(await made.client.deliver(telegram('/new openai/gpt-x'))).toMatchObject({ status: 'handled', reply: 'New session started.' });
  });

  it('begins a session for a key that has none', async () => {
    const made = await bench({ config });
    expect(await made.client.deliver(telegram('/new hello there'))).toMatchObject({ status: 'accepted', created: true, messageSeq: 1, reset: undefined });
    const other = 'agent:main:telegram:direct:9';
    expect(await made.client.deliver(telegram('/new', { key: other }))).toMatchObject({ status: 'handled', created: true });
    expect((await history(made)).texts).toEqual(['hello there']);
  });

  it('heeds resetTriggers instead of /new and /reset', async () => {
    const made = await bench({ config: { ...config, session: { resetTriggers: ['/fresh'] } } });
    expect(await made.client.deliver(telegram('/new'))).toMatchObject({ status: 'accepted' });
    expect(await made.client.deliver(telegram('/fresh'))).toMatchObject({ status: 'handled', reply: 'New session started.' });
  });

  it('keeps settings on the entry: model, send policy, activation, toggles', async () => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    expect((await made.client.deliver(telegram('/model'))).reply).toBe('Model: anthropic/claude-a (default)');
    await made.client.deliver(telegram('/model openai/gpt-x'));
    expect((await made.client.deliver(telegram('/model'))).reply).toBe('Model: openai/gpt-x (chosen for this session)');
    await made.client.deliver(telegram('/think high'));
    await made.client.deliver(owner('/send off'));
    expect(await entry(made)).toMatchObject({ modelOverride: 'gpt-x', thinkingLevel: 'high', sendPolicy: 'deny' });
    expect(await made.client.deliver(telegram('are you there'))).toMatchObject({ status: 'accepted', deliveryBlocked: true });
    await made.client.deliver(owner('/send: inherit'));
    await made.client.deliver(telegram('/model default'));
    const after = await entry(made);
    expect([after['sendPolicy'], after['modelOverride']]).toEqual([undefined, undefined]);
    expect((await made.client.deliver(owner('/activation always'))).reply).toBe('/activation works in groups only.');
    const group = 'agent:main:telegram:group:g';
    await made.client.deliver(owner('hi', group));
    await made.client.deliver(owner('/activation always', group));
    expect(await entry(made, group)).toMatchObject({ groupActivation: 'always' });
    expect((await history(made)).texts).toEqual(['hi', 'are you there']);
  });

  it.each([
    ['/queue collect', 'queueMode', 'collect'],
    ['/queue: interrupt', 'queueMode', 'interrupt'],
    ['/think high', 'thinkingLevel', 'high'],
    ['/verbose on', 'verboseLevel', 'on'],
    ['/reasoning on', 'reasoningLevel', 'on'],
    ['/elevated on', 'elevatedLevel', 'on'],
  ])('%s alone persists, over a restart and a reset, and starts no turn', async (text, field, value) => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    expect(await made.client.deliver(telegram(text, { authority: 'owner' }))).toMatchObject({ status: 'handled', messageId: undefined, runId: undefined, reply: expect.stringContaining(value) as string });
    expect(await entry(made)).toMatchObject({ [field]: value });
    const later = await restart(made, { config });
    await later.client.deliver(telegram('/new'));
    expect(await entry(later)).toMatchObject({ [field]: value });
    expect((await history(later)).texts).toEqual([]);
  });

  it('lets settings inside a message hold for its turn alone, of those who may, and leaves other words as they are', async () => {
    const made = await bench({ config });
    const ask = async (text: string, runId: string, authority = 'allowed'): Promise<object> => {
      await made.client.deliver({ ...telegram(text, { authority }), run: RunRequest.create({ runId, deliver: false, source: 'channel' }) }, { idempotencyKey: runId });
      const runs = ((await entry(made))['openRuns'] ?? []) as { request: { runId: string } }[];
      return runs.find(({ request }) => request.runId === runId)?.request ?? {};
    };
    expect(await ask('/think high', 'r0')).toEqual({});
    expect(await ask('solve /think low this', 'r1')).toMatchObject({ thinkingLevel: 'low' });
    expect(await ask('and this /queue: collect please', 'r2')).toEqual(expect.objectContaining({ queueMode: 'collect' }));
    expect(await ask('mine /think low', 'r3', 'other')).not.toHaveProperty('thinkingLevel');
    expect(await ask('what does /think banana do, or /verbose on?', 'r4')).not.toHaveProperty('thinkingLevel');
    expect(await ask('show /verbose full /reasoning: on /elevated ask how', 'r5')).toMatchObject({ toggles: { verboseLevel: 'full', reasoningLevel: 'on', elevatedLevel: 'ask' } });
    expect(await ask('run /exec host=gateway security=allowlist it /exec ask=always', 'r6')).toMatchObject({ toggles: { execHost: 'gateway', execSecurity: 'allowlist', execAsk: 'always' } });
    expect(await ask('no /exec host=moon /verbose perhaps /elevated default', 'r7')).not.toHaveProperty('toggles');
    expect(await ask('wait /queue collect debounce:3s cap:30 drop:old', 'r8')).toMatchObject({ queueMode: 'collect', queueDebounceMs: 3000, queueCap: 30, queueDrop: 'old' });
    expect(await ask('hi /queue debounce:0 cap:4 there', 'r10')).toMatchObject({ queueDebounceMs: 0, queueCap: 4 });
    for (const [at, text] of ['/verbose on', '/reasoning on', '/elevated on', '/exec host=node'].entries()) expect(await ask(`mine ${text} too`, `o${String(at)}`, 'other')).not.toHaveProperty('toggles');
    // Who may ask for turns alone says of a turn what its request could say.
    expect(await ask('of a writer /think minimal /elevated full', 'w1', 'turns')).toEqual(expect.objectContaining({ thinkingLevel: 'minimal' }));
    expect(await ask('of a writer /exec security=full', 'w2', 'turns')).not.toHaveProperty('toggles');
    expect(await entry(made)).toMatchObject({ thinkingLevel: 'high' });
    for (const field of ['queueMode', 'queueCap', 'verboseLevel', 'reasoningLevel', 'elevatedLevel', 'execHost', 'execSecurity', 'execAsk']) expect(await entry(made)).not.toHaveProperty(field);
    for (const runId of ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r10', 'o0', 'o1', 'o2', 'o3', 'w1', 'w2']) await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'runId', value: runId }, reason: 'abort' }));
    expect((await history(made)).texts).toEqual(['solve this', 'and this please', 'mine /think low', 'what does /think banana do, or /verbose on?',
      'show how', 'run it', 'no /exec host=moon /verbose perhaps /elevated default', 'wait', 'hi there', 'mine /verbose on too', 'mine /reasoning on too', 'mine /elevated on too', 'mine /exec host=node too', 'of a writer /elevated full', 'of a writer /exec security=full']);
  });

  it('answers /status inside a message beside its turn, of those who may, and the model does not read it', async () => {
    const made = await bench({ config });
    const say = (text: string, runId: string, authority = 'allowed') => made.client.deliver({ ...telegram(text, { authority }), run: RunRequest.create({ runId, deliver: true, source: 'channel' }) }, { idempotencyKey: runId });
    expect(await say('how are you /status today', 's1')).toMatchObject({ status: 'accepted', runId: 's1', queued: false, reply: expect.stringContaining('Compactions: 0') as string });
    expect(await say('and /status: now', 's2')).toMatchObject({ status: 'accepted', queued: true, reply: expect.stringContaining('Context: ') as string });
    expect(await say('mine /status', 's3', 'other')).toMatchObject({ status: 'accepted', reply: undefined });
    expect(await say('of a writer /status too', 's4', 'turns')).toMatchObject({ status: 'accepted', reply: expect.stringContaining('Context: ') as string });
    expect(await say('how are you /status today', 's1')).toMatchObject({ status: 'duplicate', runId: 's1' });
    const told = (await entry(made))['openDeliveries'] as { message: { text: string } }[];
    expect(told.map(({ message }) => message.text.split(':')[0])).toEqual(['Context', 'Context', 'Context']);
    for (const runId of ['s1', 's2', 's3', 's4']) await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'runId', value: runId }, reason: 'abort' }));
    expect((await history(made)).texts).toEqual(['how are you today', 'and now', 'mine /status', 'of a writer too']);
  });

  it.each([
    ['/queue collect debounce:2s cap:10 drop:old', 'queue: collect, debounce 2000 ms, cap 10, drop old', { queueMode: 'collect', queueDebounceMs: 2000, queueCap: 10, queueDrop: 'old' }],
    ['/queue coalesce debounce=0.5s', 'queue: collect, debounce 500 ms, cap 20, drop summarize', { queueMode: 'collect', queueDebounceMs: 500 }],
    ['/queue cap:3', 'queue: steer, debounce 500 ms, cap 3, drop summarize', { queueCap: 3 }],
    ['/exec host=gateway security=allowlist', 'exec: host gateway, security allowlist', { execHost: 'gateway', execSecurity: 'allowlist' }],
  ])('%s sets what it names, default takes it back', async (text, reply, members) => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    expect((await made.client.deliver(owner(text))).reply).toBe(reply);
    expect(await entry(made)).toMatchObject(members);
    const name = text.split(' ')[0] ?? '';
    expect((await made.client.deliver(owner(name))).reply).toBe(reply);
    expect((await made.client.deliver(owner(`${name} default`))).reply).toMatch(/^exec: default$|^queue: steer, debounce 500 ms, cap 20, drop summarize \(default\)$/);
    for (const member of Object.keys(members)) expect(await entry(made)).not.toHaveProperty(member);
  });

  it.each(['/queue bogus', '/queue collect cap:0', '/queue collect cap:ten', '/queue collect drop:all', '/queue collect debounce:11m', '/queue collect debounce:soon', '/queue debounce', '/exec shell=yes', '/exec host=moon', '/think bogus', '/verbose bogus', '/elevated banana'])('%s changes nothing and says why', async (text) => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    const { updatedAt, ...before } = await entry(made);
    expect(await made.client.deliver(owner(text))).toMatchObject({ status: 'handled', reply: expect.stringMatching(/^(Usage: |Nothing was changed: )/) as string });
    const after = await entry(made);
    expect(after['updatedAt']).toBe(updatedAt);
    for (const name of ['queueMode', 'queueDebounceMs', 'queueCap', 'queueDrop', 'execHost', 'thinkingLevel', 'verboseLevel', 'elevatedLevel']) expect(after[name]).toBe(before[name as keyof typeof before]);
  });

  it('takes no command from the command line, whoever it says it is, and changes nothing for one', async () => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    const before = await entry(made);
    for (const text of ['/new', '/reset go on', '/clear', '/model openai/gpt-x', '/send off', '/activation always', '/stop', '/compact', '/status', '/context list', '/subagents list', '/kill all', '/export-trajectory', '/queue collect', '/think high', '/NEW', ' /stop ']) {
      const request = owner(text);
      const asked = made.client.deliver({ ...request, run: RunRequest.create({ runId: `r${text}`, deliver: false, source: 'agent', queueMode: 'queue' }) });
      await expect(asked).rejects.toMatchObject({ reason: 'UNSUPPORTED', message: expect.stringContaining('openclaw sessions') as string });
    }
    expect(await entry(made)).toEqual(before);
    expect((await history(made)).texts).toEqual(['hi']);
  });

  it('ignores commands of those who may not give them: only the interaction counts', async () => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    const before = await entry(made);
    for (const request of [telegram('/send off'), telegram('/reset', { authority: 'other' }), telegram('/export-trajectory')]) {
      expect(await made.client.deliver(request)).toMatchObject({ status: 'ignored', ignoredReason: 'unauthorised_command' });
    }
    const { lastInteractionAt, ...after } = await entry(made);
    expect(after).toEqual(Object.fromEntries(Object.entries(before).filter(([name]) => name !== 'lastInteractionAt')));
    expect(lastInteractionAt).toBeGreaterThanOrEqual(Number(before['lastInteractionAt']));
  });

  it('answers what it cannot do yet in a sentence, creates no session for a question, and takes other words as text', async () => {
    const made = await bench({ config });
    const status = await made.client.deliver(telegram('/status'));
    expect(status).toMatchObject({ status: 'handled', created: false, sessionId: undefined });
    expect(status.reply).toContain('Compactions: 0');
    for (const text of ['/stop', '/compact', '/context list', '/subagents list', '/queue', '/context nonsense']) {
      expect(await made.client.deliver(telegram(text))).toMatchObject({ status: 'handled', reply: expect.stringMatching(/\w/) as string });
    }
    expect(await made.client.deliver(telegram('/unheard of'))).toMatchObject({ status: 'accepted' });
    expect(await made.client.deliver({ ...telegram('/status'), interSession: { sourceSessionKey: 'agent:main:main', sourceTool: 'sessions_send', runId: undefined, hops: 1 } })).toMatchObject({ status: 'accepted' });
  });

  it('tells how much of the window is used, by the model that is chosen', async () => {
    const made = await bench({ config });
    await made.client.deliver(telegram('hi'));
    expect((await made.client.deliver(telegram('/status'))).reply).toBe('Context: unknown of 200000 tokens\nModel: anthropic/claude-a (default)\nCompactions: 0');
    await made.client.deliver(telegram('/model openai/gpt-x'));
    expect((await made.client.deliver(telegram('/status'))).reply).toContain('of 50000 tokens\nModel: openai/gpt-x (chosen for this session)');
  });

  it('refuses an operator\'s send that the policy denies, and keeps nothing', async () => {
    const made = await bench({ config: { ...config, session: { sendPolicy: { default: 'deny', rules: [] } } } });
    const operator: DeliverRequest = { ...telegram('hi'), route: { ...telegram('hi').route, originKind: 'webchat', matchedBy: 'explicit', agentId: 'main', sessionKey: KEY } as DeliverRequest['route'] };
    await expect(made.client.deliver(operator)).rejects.toMatchObject({ reason: 'SEND_DENIED', message: 'send blocked by session policy' });
    expect(await made.client.deliver(telegram('hi'))).toMatchObject({ status: 'accepted', deliveryBlocked: true });
  });
});
