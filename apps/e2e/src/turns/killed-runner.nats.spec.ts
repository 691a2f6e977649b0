/** A runner that dies in the middle of a turn: another one takes the turn up, and the message is answered once. */
import { startNatsServer } from '@sessions/bus/testing';
import { contextProblems, type JsonObject } from '@sessions/domain';
import { startModelServer } from '@sessions/llm/testing';
import { runCommand } from '../support/command';
import { doorAt } from '../support/door';
import { freePort } from '../support/free-port';
import { startApp, type AppName, type SplitApp } from '../support/split-app';
import { TOKEN, useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { writeSettings } from '../scenarios/write-settings';

const KEY = 'agent:main:telegram:direct:123';
const scene = useScene();

it('a turn whose runner is killed between a call and its result is taken up with a valid prompt, and answered once', async () => {
  const nats = await startNatsServer();
  scene.onEnd(() => nats.stop());
  const model = await startModelServer();
  scene.onEnd(() => model.close());
  const stateDir = scene.stateDir();
  const port = await freePort();
  const providers = { local: { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small' }] } };
  writeSettings(stateDir, port, { session: { dmScope: 'per-channel-peer' }, models: { providers }, agents: { defaults: { model: { primary: 'local/small' } } }, tools: { sessions: { visibility: 'agent' } }, storeWriter: { checkpointDelayMs: 0 } });
  expect((await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', nats.url])).exitCode).toBe(0);
  const start = async (app: AppName, env: Record<string, string> = {}): Promise<SplitApp> => {
    const process = await startApp(app, stateDir, nats.url, { env });
    scene.onEnd(() => process.kill());
    return process;
  };
  const [, router, first] = await Promise.all([start('store-writer'), start('router', { SESS_PORT: String(port) }), start('agent-runner')]);
  const door = doorAt({ url: `http://127.0.0.1:${String(router.port)}`, grpc: undefined, token: TOKEN });

  // Asks another session, which answers nothing while the runner lives: the call has no result when it dies.
  model.answer = ({ text }) =>
    text.includes('to the other') && !text.includes('has no result') ? { toolCalls: [{ id: 'c1', name: 'sessions_send', arguments: { sessionKey: 'agent:main:dashboard:other', message: 'for the other one', timeoutSeconds: 60 } }] } : text.includes('for the other one') ? { hangs: 'before' } : { chunks: ['All done.'] };
  const accepted = await door.send({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '123' }, text: 'Say it to the other' });
  const runId = String(accepted?.json?.['runId']);
  await waitUntil('the call stands in the transcript', async () => ((await messagesOf(door)).some(({ role }) => role === 'assistant') ? true : undefined));
  await waitUntil('the tool is called', () => (model.asked.some(({ text }) => text.includes('for the other one')) ? true : undefined));
  await first.kill();
  await start('agent-runner');
  await waitUntil('the turn is answered', async () => ((await messagesOf(door)).at(-1)?.['role'] === 'assistant' && (await messagesOf(door)).length >= 4 ? true : undefined));
  const messages = await messagesOf(door);
  expect(contextProblems(messages)).toEqual([]);
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'toolResult', 'assistant']);
  expect(JSON.stringify(messages.at(-1))).toContain('All done.');
  const { json } = await door.http(`/sessions/${encodeURIComponent('agent:main:dashboard:other')}/history`);
  expect(JSON.stringify(json?.['messages']).split('for the other one')).toHaveLength(2);
  expect(runId).not.toBe('undefined');
});

async function messagesOf(door: ReturnType<typeof doorAt>): Promise<JsonObject[]> {
  const { json } = await door.http(`/sessions/${encodeURIComponent(KEY)}/history?includeTools=1`);
  return (json?.['messages'] as JsonObject[] | undefined) ?? [];
}
