/** `sessions erase` through a running gateway, by a command of its own; and the gateway goes on. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { freePort } from './support/free-port';
import { TOKEN, sessionsDir, useScene } from './support/scene';

const scene = useScene();
const ANN = 'agent:main:telegram:direct:700700700';
const SECRET = 'words that nobody may read again, said on the first of June';
const message = (sender: string, text: string, messageId: string): Record<string, unknown> => ({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: sender, name: 'Ann' }, text });

function filesWith(dir: string, word: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(word) || (statSync(join(dir, name)).isFile() && readFileSync(join(dir, name)).includes(word)));
}

it('erases a person from the store of a running gateway, tells its clients, and takes their next message as the first', async () => {
  const port = await freePort();
  const stateDir = scene.stateDir({ gateway: { port, auth: { mode: 'token', token: TOKEN } }, session: { dmScope: 'per-channel-peer' } });
  const gateway = await scene.gateway(stateDir, { args: ['--port', String(port)] });
  const dir = sessionsDir(stateDir);
  const first = (await gateway.send(message('700700700', SECRET, 'm-1')))?.json?.['sessionId'] as string;
  await gateway.send(message('700700700', '/new', 'm-2'));
  await gateway.send(message('700700700', `${SECRET}, once more`, 'm-3'));
  await gateway.send(message('800800800', 'somebody else', 'm-4'));
  const dry = await runCommand(stateDir, ['sessions', 'erase', 'telegram:700700700', '--dry-run', '--json']);
  expect(JSON.parse(dry.stdout)).toMatchObject({ ok: true, dryRun: true, stores: [{ agentId: 'main', found: true, keys: [ANN], receipt: null }] });
  expect(filesWith(dir, SECRET).length).toBeGreaterThan(1);
  const done = await runCommand(stateDir, ['sessions', 'erase', 'telegram:700700700', '--yes', '--json']);
  expect(done).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(done.stdout)).toMatchObject({ ok: true, stores: [{ keys: [ANN], left: [], copies: [], receipt: { sessions: 1 } }] });
  for (const word of [SECRET, '700700700', first]) expect(filesWith(dir, word)).toEqual([]);
  expect(filesWith(dir, 'somebody else').length).toBeGreaterThan(0);
  // The message ids that were known have gone too: what they name begins anew.
  expect((await gateway.send(message('700700700', 'hello again', 'm-5')))?.json).toMatchObject({ sessionKey: ANN });
  expect(gateway.printed()).not.toContain('700700700');
  expect(await gateway.stop()).toBe(0);
  expect((await runCommand(stateDir, ['sessions', 'verify', '--json'])).exitCode).toBe(0);
});
