import { FollowUp, InterSession, RunRequest, SpawnClaim, TokenUsage, type OutboundMessage, type ReplyRoute, type SendExchange } from '@sessions/contracts';
import { parseConfig } from '../config/parse-config';
import { startExchange } from './exchange';
import { followUpsOf, type RunEnd } from './follow-ups';

const settingsOf = (raw: unknown = {}) => {
  const parsed = parseConfig(raw);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};
const settings = settingsOf();
const ROUTE: ReplyRoute = { channel: 'telegram', to: '1', accountId: undefined, threadId: undefined };
const A = 'agent:main:main';
const B = 'agent:ops:main';

const endOf = (more: Partial<RunEnd>): RunEnd => ({ run: RunRequest.create({ runId: 'r1' }), sessionKey: B, sessionId: 's1', outcome: 'ok', endedAtMs: 2_000, usage: [], sendAllowed: true, ...more });
const only = (list: readonly OutboundMessage[]): OutboundMessage => {
  expect(list).toHaveLength(1);
  return list[0] as OutboundMessage;
};
const exchangeOf = (message: OutboundMessage): SendExchange => {
  const kind = message.toSession?.run?.followUp?.kind;
  if (kind?.$case !== 'exchange') throw new Error('no exchange');
  return kind.value;
};
/** The end of the run that a delivery starts. */
const answered = (message: OutboundMessage, text: string, more: Partial<RunEnd> = {}): RunEnd => {
  const { toSession } = message;
  if (toSession?.run === undefined) throw new Error('no run');
  return endOf({ run: toSession.run, sessionKey: toSession.sessionKey, text, ...(toSession.interSession !== undefined && { interSession: toSession.interSession }), ...more });
};

describe('an answer', () => {
  const run = RunRequest.create({ runId: 'r1', deliver: true, replyRoute: ROUTE });

  it('goes to the route of the message that started the run, and nowhere else', () => {
    expect(followUpsOf(endOf({ run, text: 'hi' }), settings)).toEqual([{ route: ROUTE, text: 'hi', attachments: [], toSession: undefined }]);
  });

  it.each([
    ['is not wanted', { run: { ...run, deliver: false }, text: 'hi' }],
    ['has no route', { run: { ...run, replyRoute: undefined }, text: 'hi' }],
    ['is stopped by policy', { run, text: 'hi', sendAllowed: false }],
    ['is empty', { run, text: ' \n' }],
    ['is silent', { run, text: ' no_reply ' }],
    ['is missing', { run }],
    ['belongs to a failed run', { run, text: 'half', outcome: 'error' as const }],
    ['belongs to a stopped run', { run, text: 'half', outcome: 'aborted' as const }],
  ])('goes nowhere when it %s', (_why, more) => {
    expect(followUpsOf(endOf(more), settings)).toEqual([]);
  });
});

describe('an exchange', () => {
  const begun = (more: { readonly requesterKey?: string; readonly announceRoute?: ReplyRoute; readonly raw?: unknown; readonly hops?: number } = {}): RunEnd => {
    const { requesterKey = A, raw = {}, hops = 1, announceRoute } = more;
    const followUp = startExchange({ requesterKey, targetKey: B, text: 'please look', hops, announceRoute }, settingsOf(raw));
    return endOf({ run: RunRequest.create({ runId: 'r1', followUp }), text: 'first', interSession: InterSession.create({ sourceSessionKey: requesterKey, sourceTool: 'sessions_send', hops, traceId: 't', costUsd: 0.5 }) });
  };

  it('alternates, requester first, with the turns that are left', () => {
    const keys: string[] = [];
    let list = followUpsOf(begun(), settings);
    for (let turn = 1; list.length > 0; turn += 1) {
      const message = only(list);
      keys.push(message.toSession?.sessionKey ?? '');
      expect(message.toSession?.run).toMatchObject({ runId: `r1.reply.${String(turn)}`, deliver: false, replyRoute: undefined });
      expect(message.toSession?.interSession).toMatchObject({ hops: turn + 1, traceId: 't', sourceTool: 'sessions_send' });
      expect(exchangeOf(message)).toMatchObject({ step: 'reply', turnsLeft: 5 - turn, firstReply: 'first', requestText: 'please look' });
      list = followUpsOf(answered(message, `turn ${String(turn)}`), settings);
    }
    expect(keys).toEqual([A, B, A, B, A]);
  });

  it('cuts an answer that is too long for the other', () => {
    const { text } = only(followUpsOf({ ...begun(), text: 'x'.repeat(70 * 1024) }, settings));
    expect(text).toMatch(/x{60000,}\.\.\.$/);
    expect(text.length).toBeLessThan(65 * 1024);
  });

  it('marks what it sends, so that no model takes it for a person', () => {
    expect(only(followUpsOf(begun(), settings)).text).toBe('[Inter-session message sourceSession=agent:ops:main sourceTool=sessions_send isUser=false]\nfirst');
  });

  it.each(['REPLY_SKIP', ' REPLY_SKIP\n', '', 'NO_REPLY'])('ends at the answer %j', (text) => {
    expect(followUpsOf({ ...begun(), text }, settings)).toEqual([]);
    const message = only(followUpsOf(begun({ announceRoute: ROUTE }), settings));
    const announce = only(followUpsOf(answered(message, text), settings));
    expect(announce.toSession).toMatchObject({ sessionKey: B, run: { runId: 'r1.announce', deliver: true, replyRoute: ROUTE } });
  });

  it.each(['error', 'timeout', 'aborted', 'cancelled'] as const)('ends at a run with outcome %s', (outcome) => {
    expect(followUpsOf({ ...begun({ announceRoute: ROUTE }), outcome }, settings)).toEqual([]);
  });

  it('takes a quoted REPLY_SKIP for an answer', () => {
    expect(followUpsOf({ ...begun(), text: 'I say REPLY_SKIP later' }, settings)).toHaveLength(1);
  });

  it('goes straight to the announce without turns, for jobs and for hooks', () => {
    for (const end of [begun({ announceRoute: ROUTE, raw: { session: { agentToAgent: { maxPingPongTurns: 0 } } } }), begun({ announceRoute: ROUTE, requesterKey: 'agent:main:cron:x' }), begun({ announceRoute: ROUTE, requesterKey: 'agent:main:hook:x' })]) {
      expect(only(followUpsOf(end, settings)).toSession?.run).toMatchObject({ source: 'announce' });
    }
  });

  it('announces on the target only, with request, first and latest reply, and is silent at the word', () => {
    let message = only(followUpsOf(begun({ announceRoute: ROUTE }), settings));
    message = only(followUpsOf(answered(message, 'second'), settings));
    const announce = only(followUpsOf(answered(message, 'REPLY_SKIP'), settings));
    for (const part of ['please look', 'First reply:\nfirst', 'Latest reply:\nsecond']) expect(announce.text).toContain(part);
    expect(announce.toSession?.run?.deniedTools).toContain('sessions_send');
    expect(followUpsOf(answered(announce, 'Told you'), settings)).toEqual([{ route: ROUTE, text: 'Told you', attachments: [], toSession: undefined }]);
    for (const text of ['ANNOUNCE_SKIP', ' ANNOUNCE_SKIP ', '']) expect(followUpsOf(answered(announce, text), settings)).toEqual([]);
    expect(followUpsOf(answered(announce, 'Told you', { sendAllowed: false }), settings)).toEqual([]);
  });

  it('ends at the hop limit and at the cost limit', () => {
    expect(followUpsOf(begun({ hops: 8 }), settings)).toEqual([]);
    expect(followUpsOf(begun({ hops: 7 }), settings)).toHaveLength(1);
    const dear = settingsOf({ tools: { agentToAgent: { maxCostUsd: 1 } } });
    expect(followUpsOf({ ...begun(), usage: [TokenUsage.create({ costUsd: 0.6 })] }, dear)).toEqual([]);
    const next = only(followUpsOf({ ...begun(), usage: [TokenUsage.create({ costUsd: 0.4 })] }, dear));
    expect(next.toSession?.interSession?.costUsd).toBeCloseTo(0.9);
  });

  it('does not begin when a sub-agent tells its parent something', () => {
    expect(startExchange({ requesterKey: 'agent:main:subagent:x', targetKey: A, text: 't', hops: 1, isToParent: true }, settings)).toBeUndefined();
  });
});

describe('the end of a sub-agent', () => {
  const CHILD = 'agent:main:subagent:c';
  const claim = (more: Partial<SpawnClaim> = {}): FollowUp => FollowUp.create({ kind: { $case: 'spawn', value: SpawnClaim.create({ parentKey: A, task: 'find it', label: 'finder', route: ROUTE, step: 'run', hops: 1, ...more }) } });
  const childEnd = (more: Partial<RunEnd> = {}, claimed: Partial<SpawnClaim> = {}): RunEnd =>
    endOf({ run: RunRequest.create({ runId: 'c1', followUp: claim(claimed) }), sessionKey: CHILD, text: 'found', startedAtMs: 1_000, endedAtMs: 313_000, usage: [TokenUsage.create({ inputTokens: 100, outputTokens: 20, costUsd: 0.0123 })], transcriptPath: '/s/s1.jsonl', ...more });

  it('asks the child what to post, then posts one block and tells the parent', () => {
    const announce = only(followUpsOf(childEnd(), settings));
    expect(announce.toSession).toMatchObject({ sessionKey: CHILD, run: { runId: 'c1.announce', deliver: false, timeoutMs: 120_000 } });
    const [posted, parent, ...rest] = followUpsOf(answered(announce, 'Status: failed\nResult: All found.\nNotes: two doubled', { sessionId: 's1', transcriptPath: '/s/s1.jsonl' }), settings);
    expect(rest).toEqual([]);
    expect(posted).toMatchObject({ route: ROUTE, toSession: undefined });
    expect(posted?.text).toBe(
      ['Status: completed successfully', 'Result: All found.', 'Notes: two doubled', 'Stats: runtime 5m12s · tokens 100 in / 20 out / 120 total · cost $0.0123 · session agent:main:subagent:c · id s1 · transcript /s/s1.jsonl'].join('\n'),
    );
    expect(parent?.toSession).toMatchObject({ sessionKey: A, interSession: { sourceSessionKey: CHILD, sourceTool: 'sessions_spawn', hops: 1 }, run: { runId: 'c1.result', deliver: false, replyRoute: ROUTE } });
    expect(parent?.text).toContain('Result: found');
  });

  it.each(['ANNOUNCE_SKIP', 'NO_REPLY'])('posts nothing at %s, and still tells the parent', (text) => {
    const announce = only(followUpsOf(childEnd(), settings));
    expect(only(followUpsOf(answered(announce, text), settings)).toSession?.sessionKey).toBe(A);
  });

  it('posts the result itself when the announce fails', () => {
    const announce = only(followUpsOf(childEnd(), settings));
    const list = followUpsOf(answered(announce, 'half', { outcome: 'timeout' }), settings);
    expect(list).toHaveLength(2);
    expect(list[0]?.text).toContain('Status: completed successfully\nResult: found');
  });

  it('takes the last tool result for a reply that is empty, but never for a failed run', () => {
    const told = (end: RunEnd): string => followUpsOf(end, settings).at(-1)?.text ?? '';
    expect(told(childEnd({ text: '', lastToolResultText: 'rows: 3' }, { route: undefined }))).toContain('Result: rows: 3');
    const failed = told(childEnd({ outcome: 'error', text: 'secret half', lastToolResultText: 'rows: 3', errorMessage: 'no model' }));
    expect(failed).toContain('Status: failed\nResult: (none)\nNotes: no model');
    expect(failed).not.toMatch(/secret half|rows: 3/);
    expect(told(childEnd({ outcome: 'timeout' }))).toContain('Status: timed out\nResult: (none)');
  });

  it('tells the parent once and directly where there is no channel, or another sub-agent spawned it', () => {
    expect(only(followUpsOf(childEnd({}, { route: undefined }), settings)).toSession).toMatchObject({ sessionKey: A, run: { deliver: false } });
    expect(only(followUpsOf(childEnd({}, { parentKey: 'agent:main:subagent:p' }), settings)).toSession).toMatchObject({ sessionKey: 'agent:main:subagent:p', run: { deliver: false, replyRoute: undefined } });
  });

  it.each(['aborted', 'cancelled'] as const)('leaves a word for the parent without a turn when it was %s', (outcome) => {
    const message = only(followUpsOf(childEnd({ outcome }), settings));
    expect(message.toSession).toMatchObject({ sessionKey: A, run: undefined });
    expect(message.text).toContain('Status: unknown\nResult: (none)\nNotes: the run was stopped before it ended');
  });

  it('cuts a result that is too long, and nothing of what stands behind it', () => {
    const claim = SpawnClaim.create({ parentKey: A, task: 't', step: 'run', hops: 1 });
    const end = endOf({ run: RunRequest.create({ runId: 'c1', followUp: FollowUp.create({ kind: { $case: 'spawn', value: claim } }) }), sessionKey: 'agent:main:subagent:x', text: 'x'.repeat(70 * 1024), startedAtMs: 1_000, transcriptPath: '/where/it/is/whole.jsonl' });
    const { text } = only(followUpsOf(end, settings));
    expect(text.length).toBeLessThan(70 * 1024);
    expect(text).toContain('xxx...\nNotes: none\n');
    expect(text).toContain('/where/it/is/whole.jsonl');
  });

  it('posts nothing where policy lets nothing out', () => {
    const announce = only(followUpsOf(childEnd(), settings));
    expect(only(followUpsOf(answered(announce, 'All found', { sendAllowed: false }), settings)).toSession?.sessionKey).toBe(A);
  });
});
