/** Under the default `dmScope` strangers share one conversation: the status and the start of a gateway say so once it happened. */
import { runCommand } from './support/command';
import { configWith, useScene } from './support/scene';

/** Gateways and commands start several times, on a machine that others use too. */
const LONG_MS = 240_000;
const scene = useScene();
const WARNING = /[Ww]arning: 2 senders share the main session/u;

it('is warned about by status and at start, once a second person has written', async () => {
  const stateDir = scene.stateDir(configWith());
  let gateway = await scene.gateway(stateDir);
  const write = (id: string, messageId: string): Promise<unknown> => gateway.send({ channel: 'telegram', messageId, chatType: 'direct', sender: { id }, text: 'hello' });
  const status = async (): Promise<string> => (await runCommand(stateDir, ['status'])).stdout;
  await write('1', 'm1');
  await write('1', 'm2');
  expect(await status()).not.toMatch(WARNING);
  expect(gateway.printed()).not.toMatch(WARNING);
  await write('2', 'm3');
  expect(await status()).toMatch(WARNING);
  await gateway.stop();
  gateway = await scene.gateway(stateDir);
  expect(gateway.printed()).toMatch(WARNING);
}, LONG_MS);

it('is not warned about where every person has a session', async () => {
  const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-peer' } }));
  let gateway = await scene.gateway(stateDir);
  for (const id of ['1', '2']) await gateway.send({ channel: 'telegram', messageId: `m${id}`, chatType: 'direct', sender: { id }, text: 'hello' });
  expect((await runCommand(stateDir, ['status'])).stdout).not.toMatch(WARNING);
  await gateway.stop();
  gateway = await scene.gateway(stateDir);
  expect(gateway.printed()).not.toMatch(WARNING);
}, LONG_MS);
