import { parseAgentsListArguments, parseHistoryArguments, parseListArguments, parseSendArguments, parseSpawnArguments, parseStatusArguments, parseSubagentsArguments, parseYieldArguments, TARGET_REQUIRED, utf8Bytes, type Parsed } from './tool-arguments';
import { SESSION_TOOLS, SESSION_TOOL_NAMES } from './tool-definitions';

const valueOf = <T>(parsed: Parsed<T>): T => {
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
};
const problemsOf = (parsed: Parsed<unknown>): readonly string[] => (parsed.ok ? [] : parsed.problems);

describe('arguments of session tools', () => {
  it('fills in what is not given', () => {
    expect(valueOf(parseStatusArguments(undefined))).toEqual({ sessionKey: 'current', model: undefined });
    expect(valueOf(parseListArguments(null))).toMatchObject({ limit: 50, messageLimit: 0, kinds: ['main', 'group', 'cron', 'hook', 'node', 'other'], includeLastMessage: false });
    expect(valueOf(parseHistoryArguments({ sessionKey: 'main' }))).toEqual({ sessionKey: 'main', limit: 200, includeTools: false });
    expect(valueOf(parseSendArguments({ sessionKey: 'main', message: 'hi' }))).toEqual({ kind: 'send', target: { sessionKey: 'main' }, message: 'hi', timeoutSeconds: 30 });
    expect(valueOf(parseSpawnArguments({ task: 'look' }))).toMatchObject({ task: 'look', runtime: 'subagent', mode: 'run', cleanup: 'keep', sandbox: 'inherit', context: undefined, thread: false, attachments: [] });
    expect(valueOf(parseSpawnArguments({ task: 'look', thread: true }))).toMatchObject({ mode: 'session' });
    expect(valueOf(parseYieldArguments({}))).toEqual({ message: undefined });
    expect(valueOf(parseSubagentsArguments({}))).toEqual({ action: 'list', recentMinutes: 30 });
    expect(valueOf(parseAgentsListArguments({}))).toEqual({});
  });

  it('holds page sizes to their bounds and refuses what is below', () => {
    expect(valueOf(parseListArguments({ limit: 5_000, messageLimit: 99 }))).toMatchObject({ limit: 200, messageLimit: 20 });
    for (const limit of [0, -5]) expect(valueOf(parseListArguments({ limit }))).toMatchObject({ limit: 1 });
    expect(problemsOf(parseListArguments({ label: 'a\ud800' }))).toEqual(['label: must not hold half of a surrogate pair: it would arrive as another character']);
    expect(valueOf(parseHistoryArguments({ sessionKey: 'main', limit: 5_000 }))).toMatchObject({ limit: 1_000 });
    expect(problemsOf(parseListArguments({ limit: 1.5, activeMinutes: 0, messageLimit: -1 }))).toEqual(['limit: must be a whole number', 'activeMinutes: must be a whole number of at least 1', 'messageLimit: must be a whole number of at least 0']);
    expect(problemsOf(parseListArguments({ limit: '5' }))).toEqual(['limit: must be a whole number']);
    expect(problemsOf(parseSendArguments({ sessionKey: 'a', message: 'm', timeoutSeconds: 601 }))).toEqual(['timeoutSeconds: must be a whole number from 0 to 600']);
  });

  it('names the kinds that there are when one is unknown', () => {
    expect(valueOf(parseListArguments({ kinds: ['hook', 'main'] })).kinds).toEqual(['main', 'hook']);
    expect(valueOf(parseListArguments({ kinds: [] })).kinds).toHaveLength(6);
    for (const kinds of [['mian'], 'main', [1]]) expect(problemsOf(parseListArguments({ kinds }))).toEqual(['kinds: must be a list of main, group, cron, hook, node, other']);
  });

  it('asks sessions_send for one target and one message, or for a run id alone', () => {
    expect(problemsOf(parseSendArguments({ message: 'm' }))).toEqual([TARGET_REQUIRED]);
    expect(problemsOf(parseSendArguments({ sessionKey: 'a', label: 'b', message: 'm' }))).toEqual(['label: must not be given together with sessionKey']);
    expect(problemsOf(parseSendArguments({ sessionKey: 'a', message: '  ' }))).toEqual(['message: must not be empty']);
    expect(problemsOf(parseSendArguments({}))).toEqual(['message required', TARGET_REQUIRED]);
    expect(valueOf(parseSendArguments({ label: 'ops', message: 'a\nb', timeoutSeconds: 0 }))).toEqual({ kind: 'send', target: { label: 'ops' }, message: 'a\nb', timeoutSeconds: 0 });
    expect(valueOf(parseSendArguments({ runId: 'r' }))).toEqual({ kind: 'collect', runId: 'r', timeoutSeconds: 30 });
    expect(problemsOf(parseSendArguments({ runId: 'r', message: 'm' }))[0]).toMatch(/^message: must not be given together with runId/);
  });

  it('names everything that is wrong with a spawn at once', () => {
    const problems = problemsOf(parseSpawnArguments({ label: 'x'.repeat(513), runtime: 'docker', mode: 'session', cleanup: 'maybe', runTimeoutSeconds: -1, channel: 'telegram', to: '1', tasks: 'x' }));
    expect(problems.map((one) => one.split(/[ :]/)[0])).toEqual(['channel', 'to', 'task', 'mode', 'runtime', 'label', 'runTimeoutSeconds', 'cleanup', 'tasks']);
    expect(problems[2]).toBe('task required');
  });

  it.each(['ＯＰＳ', '../ops', 'work bot', 'ops;', '-', 'о\u0440s', 'x'.repeat(65)])('takes no agent for %s, which it is no id of', (agentId) => {
    for (const problems of [problemsOf(parseSpawnArguments({ task: 't', agentId })), problemsOf(parseListArguments({ agentId }))]) expect(problems).toEqual(['agentId: must be an agent id ([a-z0-9][a-z0-9_-]{0,63}), one of those that agents_list names']);
    expect(valueOf(parseSpawnArguments({ task: 't', agentId: ' Ops ' })).agentId).toBe('Ops');
  });

  it.each(['target', 'channel', 'to', 'threadId', 'replyTo', 'transport'])('refuses to deliver a spawn by %s', (name) => {
    expect(problemsOf(parseSpawnArguments({ task: 't', [name]: 'x' }))).toEqual([`${name}: is no option of sessions_spawn: the result is delivered to the session that spawns`]);
  });

  it('reads attachments strictly and counts their bytes', () => {
    const read = valueOf(parseSpawnArguments({ task: 't', attachments: [{ name: 'ä.txt', content: 'äö€😀' }, { name: 'b', content: 'AAE=', encoding: 'base64', mimeType: 'image/png' }], attachAs: { mountPath: '/x' } }));
    expect(read.attachments.map(({ bytes }) => bytes)).toEqual([11, 2]);
    expect(read.attachAs).toEqual({ mountPath: '/x' });
    expect(problemsOf(parseSpawnArguments({ task: 't', attachments: [{ name: 1, content: 'AAE', encoding: 'base64' }, 'x', { name: 'a', content: '\ud800', mode: 1 }] }))).toEqual([
      'attachments[0].name: must be a string',
      'attachments[0].content: must be base64 with padding',
      'attachments[1]: must be an object',
      'attachments[1].name: must be a string',
      'attachments[1].content: must be a string without half characters',
      'attachments[2].content: must be a string without half characters',
      'attachments[2].mode: is not a known member',
    ]);
    expect(problemsOf(parseSpawnArguments({ task: 't', runtime: 'acp', attachments: [{ name: 'a', content: 'b' }] }))).toEqual(['attachments: are not taken by runtime "acp"']);
    for (const text of ['', 'a', 'ä', '€', '😀', 'a😀ä']) expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
  });

  it('asks subagents for what the action needs and refuses what it does not take', () => {
    expect(valueOf(parseSubagentsArguments({ action: 'steer', target: '1', message: 'stop' }))).toEqual({ action: 'steer', target: '1', message: 'stop' });
    expect(valueOf(parseSubagentsArguments({ action: 'kill', target: 'all' }))).toEqual({ action: 'kill', target: 'all' });
    expect(problemsOf(parseSubagentsArguments({ action: 'kill' }))).toEqual(['target: is required by action "kill"']);
    expect(problemsOf(parseSubagentsArguments({ action: 'list', target: 'x' }))).toEqual(['target: is not taken by action "list"']);
  });

  it('refuses members that a tool does not have, in every tool', () => {
    const parsers = [parseStatusArguments, parseListArguments, parseHistoryArguments, parseSendArguments, parseSpawnArguments, parseYieldArguments, parseSubagentsArguments, parseAgentsListArguments];
    for (const parse of parsers) {
      expect(problemsOf(parse({ sessionkey: 'main' }))).toContain('sessionkey: is not a known member');
      for (const raw of [[], 'text', 7]) expect(problemsOf(parse(raw))[0]).toBe('arguments: must be an object');
    }
  });

  it('says in its schemas what the parsers take', () => {
    expect(SESSION_TOOLS.map(({ name }) => name)).toEqual(SESSION_TOOL_NAMES);
    const parsers: Record<string, (raw: unknown) => Parsed<unknown>> = {
      session_status: parseStatusArguments, sessions_list: parseListArguments, sessions_history: parseHistoryArguments, sessions_send: parseSendArguments,
      sessions_spawn: parseSpawnArguments, sessions_yield: parseYieldArguments, subagents: parseSubagentsArguments, agents_list: parseAgentsListArguments,
    };
    for (const { name, parameters } of SESSION_TOOLS) {
      expect(parameters).toMatchObject({ type: 'object', additionalProperties: false });
      for (const member of Object.keys(parameters.properties as object)) expect(problemsOf(parsers[name]?.({ [member]: Symbol('strange') }) ?? { ok: true, value: 0 })).not.toContain(`${member}: is not a known member`);
    }
  });
});
