/**
 * What a turn does, seen while it does it: `openclaw sessions tail --follow` beside a turn that waits for its
 * model, and the bundle that is made of it afterwards. On every deployment, with the command as its own process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startModelServer } from '@sessions/llm/testing';
import type { ModelServer } from '@sessions/llm/testing';
import { LAUNCHER, environmentOf, runCommand } from '../support/command';
import { sessionsDir, useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import type { Deployment } from './deployment';
import { createSplit } from './split';
import { createStandalone } from './standalone';

const DEPLOYMENTS = [['standalone', createStandalone], ['split', createSplit]] as const;
const KEY = 'agent:main:telegram:direct:123';
const PROMPT = 'planted-prompt-words';
const ARGUMENT = 'planted-argument-words';
const ANSWER = 'planted-answer-words';
const START_MS_MAX = 300_000;
jest.setTimeout(180_000);

interface Told {
  readonly ts: string;
  readonly type: string;
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly preview: string;
}

describe.each(DEPLOYMENTS)('the trajectory of a turn, %s', (_name, create) => {
  const scene = useScene('all');
  let house: Deployment;
  let model: ModelServer;
  let sent = 0;

  const say = async (text: string): Promise<void> => {
    sent += 1;
    const answer = await house.doors[0]?.send({ channel: 'telegram', messageId: `m${String(sent)}`, chatType: 'direct', sender: { id: '123' }, text });
    expect(answer?.status).toBe(202);
  };
  /** The command as it is started by a person, and what it has printed so far. */
  const tail = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [LAUNCHER, 'sessions', 'tail', ...args], { cwd: house.stateDir, env: environmentOf(house.stateDir), stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(child, 'exit');
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    scene.onEnd(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    });
    return {
      printed: () => printed,
      async interrupt() {
        child.kill('SIGINT');
        const [code] = (await exited) as [number | null];
        return code;
      },
    };
  };
  const toldOf = (printed: string): Told[] => printed.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Told);

  beforeAll(async () => {
    model = await startModelServer(() => ({ chunks: ['hello'] }));
    scene.onEnd(() => model.close());
    const stateDir = scene.stateDir();
    house = create(stateDir, {
      session: { dmScope: 'per-channel-peer' },
      models: { providers: { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small' }] } } },
      agents: { defaults: { model: 'local/small', workspace: stateDir } },
    });
    scene.onEnd(() => house.kill());
    await house.start();
  }, START_MS_MAX);

  it('is followed while the turn runs, without a word of prompt, argument or result', async () => {
    // Before anything has been said: it waits for the first session.
    const following = tail('--follow', '--json');
    // A key that nobody has is refused, followed or not.
    expect(await runCommand(house.stateDir, ['sessions', 'tail', '--follow', '--session-key', KEY])).toMatchObject({ exitCode: 1, stdout: '' });
    let answered = false;
    model.answer = ({ body }) => {
      if (!JSON.stringify(body).includes('"role":"tool"')) return { toolCalls: [{ id: 'c1', name: 'sessions_list', arguments: { search: ARGUMENT } }] };
      answered = true;
      return { chunks: [ANSWER.slice(0, 5), ANSWER.slice(5)], delayMs: 5_000 };
    };
    await say(PROMPT);
    // The turn is under way: its model has the tool's result and has not answered.
    await waitUntil('the running turn is told', () => (toldOf(following.printed()).some(({ type }) => type === 'tool.result') ? true : undefined), 60_000);
    expect(answered).toBe(true);
    await waitUntil('the end is told', () => (toldOf(following.printed()).some(({ type }) => type === 'session.ended') ? true : undefined), 60_000);
    expect(await following.interrupt()).toBe(0);
    const told = toldOf(following.printed());
    expect(told.map(({ type }) => type)).toEqual(['session.started', 'trace.metadata', 'context.compiled', 'prompt.submitted', 'model.completed', 'tool.call', 'tool.result', 'model.completed', 'trace.artifacts', 'session.ended']);
    expect(told.map(({ preview }) => preview).slice(4)).toEqual(['local/small done', 'sessions_list {...redacted...}', 'sessions_list ok', 'local/small done', '', 'success']);
    expect(new Set(told.map(({ sessionKey }) => sessionKey))).toEqual(new Set([KEY]));
    for (const words of [PROMPT, ARGUMENT, ANSWER]) expect(following.printed()).not.toContain(words);
  });

  it('is shown as lines afterwards, and exported whole', async () => {
    const shown = await runCommand(house.stateDir, ['sessions', 'tail', '--session-key', KEY, '--tail', '3']);
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d model\.completed {2}agent:main:telegram:direct:123 local\/small done$/u),
      expect.stringMatching(/^\d\d:\d\d:\d\d trace\.artifacts {2}agent:main:telegram:direct:123$/u),
      expect.stringMatching(/^\d\d:\d\d:\d\d session\.ended {4}agent:main:telegram:direct:123 success$/u),
    ]);
    const exported = await runCommand(house.stateDir, ['sessions', 'export-trajectory', '--session-key', KEY, '--output', 'bug-1', '--json']);
    expect([exported.stderr, exported.exitCode]).toEqual(['', 0]);
    const { outputDir, runtimeEventCount, transcriptEventCount, files } = JSON.parse(exported.stdout) as { outputDir: string; runtimeEventCount: number; transcriptEventCount: number; files: string[] };
    expect(runtimeEventCount).toBe(10);
    // Question, call of the tool with its answer's own row, result, answer.
    expect(transcriptEventCount).toBeGreaterThanOrEqual(4);
    expect([...files].sort()).toEqual(readdirSync(outputDir).sort());
    expect(files).toEqual(expect.arrayContaining(['manifest.json', 'events.jsonl', 'session-branch.json', 'metadata.json', 'artifacts.json', 'prompts.json', 'system-prompt.txt', 'tools.json']));
    const read = (name: string): string => readFileSync(join(outputDir, name), 'utf8');
    expect(JSON.parse(read('prompts.json'))).toMatchObject([{ prompt: PROMPT }]);
    expect(JSON.parse(read('artifacts.json'))).toMatchObject({ finalStatus: 'success', assistantTexts: [ANSWER] });
    expect(read('events.jsonl')).toContain(ARGUMENT);
  });

  it('is one file a session with a pointer beside it, and leaves with it', async () => {
    const names = (): string[] => readdirSync(sessionsDir(house.stateDir)).filter((name) => name.includes('.trajectory')).sort();
    expect(names()).toEqual([expect.stringMatching(/\.trajectory-path\.json$/u), expect.stringMatching(/\.trajectory\.jsonl$/u)]);
    const deleted = await runCommand(house.stateDir, ['gateway', 'call', 'sessions.delete', '--params', JSON.stringify({ key: KEY }), '--json']);
    expect([deleted.stderr, deleted.exitCode]).toEqual(['', 0]);
    expect(names().every((name) => name.includes('.deleted.'))).toBe(true);
    expect(names()).toHaveLength(2);
  });
});
