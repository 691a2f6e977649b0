/** What makes the system summarise by itself, through owner, runner, router and worker: a full window, a long transcript, long results within a turn. */
import { Conversation, Envelope, ListPendingRequest, ReadBranchRequest, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { AskedModel, ScriptedAnswer } from '@sessions/llm/testing';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';

const KEY = 'agent:main:telegram:direct:p1';
const SUMMARISES = 'You write the memory of a conversation';
const PATIENT_MS = 120_000;

describe('a conversation is summarised by itself', () => {
  let gateway: GatewayInProcess;
  let sent = 0;
  /** Turns the model was asked for, and summaries. */
  let asked: { turns: string[]; summaries: string[] };

  const begin = async (compaction: JsonObject, answer: (request: AskedModel, turn: number) => ScriptedAnswer, summary: ScriptedAnswer = { chunks: ['in short'] }): Promise<void> => {
    sent = 0;
    asked = { turns: [], summaries: [] };
    gateway = await openInProcess({ session: { dmScope: 'per-channel-peer' }, agents: { defaults: { model: { primary: 'local/small' }, contextTokens: 10_000, compaction: { memoryFlush: { enabled: false }, ...compaction } } } }, { compacts: true });
    gateway.model.answer = (request) => {
      const isSummary = ((request.body['messages'] ?? []) as JsonObject[]).some(({ role, content }) => role === 'system' && String(content).startsWith(SUMMARISES));
      if (isSummary) {
        asked.summaries.push(request.text);
        return summary;
      }
      asked.turns.push(request.text);
      return answer(request, asked.turns.length);
    };
  };
  const say = async (text: string): Promise<void> => {
    sent += 1;
    const envelope = Envelope.create({ channel: 'telegram', accountId: 'default', messageId: `m${String(sent)}`, chatType: 'direct', sender: Sender.create({ id: 'p1' }), conversation: Conversation.create({ id: 'p1' }), text });
    await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope }));
    await waitUntil('the turn has ended', async () => ((await gateway.store.listPending(ListPendingRequest.create({ agentId: 'main' }))).turns.length === 0 ? true : undefined), PATIENT_MS);
  };
  const lines = async (): Promise<JsonObject[]> => {
    const found: JsonObject[] = [];
    for await (const { item } of gateway.store.readBranch(ReadBranchRequest.create({ agentId: 'main', key: KEY }))) {
      if (item?.$case !== 'records') continue;
      for (const { lineJson } of item.value.records) {
        const value: unknown = JSON.parse(Buffer.from(lineJson).toString('utf8'));
        if (isJsonObject(value as JsonObject)) found.push(value as JsonObject);
      }
    }
    return found;
  };
  const compactions = async (): Promise<JsonObject[]> => (await lines()).filter(({ type }) => type === 'compaction');
  afterEach(() => gateway.stop());

  it.each([false, true])('when the provider says that the request does not fit: then it is asked once more (in a transcript of its own: %p)', async (truncateAfterCompaction) => {
    await begin({ truncateAfterCompaction }, (_request, turn) => (turn === 4 ? { status: 400, errorText: 'request_too_large' } : { chunks: [`answer ${String(turn)}`] }));
    for (let at = 1; at <= 3; at += 1) await say(`question ${String(at)} ${'q'.repeat(1_000)}`);
    await say('Now?');
    expect(asked.turns).toHaveLength(5);
    expect(asked.turns[4]).toContain('in short');
    expect(asked.turns[4]).toContain('Now?');
    expect(asked.turns[4]).not.toContain('question 1');
    expect(await compactions()).toMatchObject([{ summary: 'in short' }]);
    // What was summarised stands in the transcript that is live, or it does not.
    expect((await lines()).some((line) => JSON.stringify(line).includes('question 1'))).toBe(!truncateAfterCompaction);
  });

  it('when its transcript has reached its size, and not again for the same', async () => {
    await begin({ truncateAfterCompaction: true, maxActiveTranscriptBytes: '8kb' }, (_request, turn) => ({ chunks: [`answer ${String(turn)}`] }));
    await say(`question 1 ${'q'.repeat(3_000)}`);
    expect(asked.summaries).toHaveLength(0);
    await say(`question 2 ${'q'.repeat(6_000)}`);
    await waitUntil('it is summarised', async () => ((await compactions()).length === 1 ? true : undefined), PATIENT_MS);
    await say('Now?');
    expect(asked.turns.at(-1)).toContain('in short');
    expect(asked.turns.at(-1)).not.toContain('question 1');
    expect(await compactions()).toHaveLength(1);
    expect(asked.summaries).toHaveLength(1);
  });

  it.each([false, true])('when the results of tools would not fit into the next request of a turn (in a transcript of its own: %p)', async (truncateAfterCompaction) => {
    await begin({ midTurnPrecheck: { enabled: true }, truncateAfterCompaction }, (_request, turn) => (turn === 2 ? { toolCalls: [{ id: 'call_1', name: 'sessions_history', arguments: { sessionKey: KEY, limit: 50 } }] } : { chunks: [`answer ${String(turn)}`] }));
    await say(`question 1 ${'q'.repeat(18_000)}`);
    await say('Look it up');
    expect(asked.summaries).toHaveLength(1);
    expect(asked.turns).toHaveLength(3);
    expect(asked.turns[2]).toContain('in short');
    const now = await lines();
    expect(now.filter(({ message }) => isJsonObject(message) && message['role'] === 'toolResult')).toHaveLength(1);
    expect(now.findIndex(({ type }) => type === 'compaction')).toBeLessThan(now.length - 1);
  });

  it.each([['cannot be reached', { status: 500 }], ['has nothing to say', { chunks: [' '] }]] as const)('or is not, where the model %s: the session stays as it was, and answers', async (_how, script) => {
    await begin({}, (_request, turn) => (turn === 4 ? { status: 400, errorText: 'context length exceeded' } : { chunks: [`answer ${String(turn)}`] }), script);
    for (let at = 1; at <= 3; at += 1) await say(`question ${String(at)} ${'q'.repeat(1_000)}`);
    const idOf = async (): Promise<string> => {
      for await (const { item } of gateway.store.readBranch(ReadBranchRequest.create({ agentId: 'main', key: KEY }))) if (item?.$case === 'head') return item.value.sessionId;
      return '';
    };
    const before = { id: await idOf(), lines: await lines() };
    await say('Now?');
    expect(await idOf()).toBe(before.id);
    const after = await lines();
    expect(after.slice(0, before.lines.length)).toEqual(before.lines);
    expect(await compactions()).toEqual([]);
    expect(asked.turns.at(-1)).toMatch(/oldest \d+ entries of this conversation are left out/u);
    await say('And now?');
    expect((await lines()).at(-1)).toMatchObject({ message: { role: 'assistant', content: [{ text: expect.stringContaining('answer') as string }] } });
  });
});
