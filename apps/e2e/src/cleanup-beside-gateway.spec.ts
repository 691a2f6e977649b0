/** Chat commands at the gateway's door, and `sessions cleanup` of stores that a running gateway holds. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { freePort } from './support/free-port';
import { TOKEN, configWith, sessionsDir, useScene } from './support/scene';
import { readTree } from './support/tree';

const scene = useScene();
const KEY = 'agent:main:telegram:direct:a';
const message = (text: string, messageId: string, authority?: string): Record<string, unknown> => ({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: 'a', ...(authority !== undefined && { authority }) }, text });

describe('lifecycle beside a running gateway', () => {
  it('carries out a command once, whatever is repeated, and restores what it set aside when the gateway is gone', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const gateway = await scene.gateway(stateDir);
    const first = (await gateway.send(message('one', 'm-1')))?.json?.['sessionId'] as string;
    const reset = await gateway.send(message('/new', 'm-2'));
    expect(reset?.json).toMatchObject({ status: 'handled', reply: 'New session started.', sessionKey: KEY });
    const second = reset?.json?.['sessionId'] as string;
    expect(second).not.toBe(first);
    expect((await gateway.send(message('/new', 'm-2')))?.json).toMatchObject({ status: 'duplicate', sessionId: second });
    // The command line is no chat.
    for (const text of ['/reset', '/stop', '/send inherit']) {
      const asked = await runCommand(stateDir, ['agent', '--message', text, '--session-key', KEY, '--url', gateway.url.replace('http', 'ws'), '--token', gateway.token, '--json']);
      expect([text, asked.exitCode, asked.stdout]).toEqual([text, 1, expect.stringContaining('chat commands are not taken from the command line')]);
    }
    expect((await gateway.send(message('/send off', 'm-3')))?.json).toMatchObject({ status: 'ignored', ignoredReason: 'unauthorised_command' });
    expect((await gateway.send(message('/send off', 'm-4', 'owner')))?.json).toMatchObject({ status: 'handled', reply: 'Send policy: deny.' });
    expect((await gateway.send(message('two', 'm-5')))?.json).toMatchObject({ sessionId: second });
    expect(await gateway.stop()).toBe(0);
    const restored = await runCommand(stateDir, ['sessions', 'restore', KEY, '--json']);
    expect(restored).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(restored.stdout)).toMatchObject({ ok: true, key: KEY, sessionId: first });
    expect((await runCommand(stateDir, ['sessions', 'history', KEY])).stdout).toMatch(/user: one\n$/u);
  });

  it('clears, removes and brings back rows whose keys other programs wrote in capitals, with and without the gateway', async () => {
    const port = await freePort();
    const stateDir = scene.stateDir({ gateway: { port, auth: { mode: 'token', token: TOKEN } }, session: { dmScope: 'per-channel-peer' } });
    const dir = sessionsDir(stateDir);
    mkdirSync(dir, { recursive: true });
    const [bob, cy, dee] = ['@Bob', '@Cy', '@Dee'].map((name) => `agent:main:telegram:direct:${name}`) as [string, string, string];
    const ids = new Map([bob, cy, dee].map((key, index) => [key, `0000000${index}-0000-4000-8000-000000000000`]));
    for (const [key, id] of ids) writeFileSync(join(dir, `${id}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: key } })}\n`);
    writeFileSync(join(dir, 'sessions.json'), JSON.stringify(Object.fromEntries([...ids].map(([key, sessionId]) => [key, { sessionId, updatedAt: Date.now() - 1_000 }]))));
    const gateway = await scene.gateway(stateDir, { args: ['--port', String(port)] });
    const asked = async (...words: string[]): Promise<Record<string, unknown>> => {
      const { exitCode, stdout } = await runCommand(stateDir, ['sessions', ...words, '--json']);
      expect([words, exitCode]).toEqual([words, 0]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const keys = async (): Promise<string[]> => ((await asked('list')).sessions as { key: string }[]).map(({ key }) => key).sort();
    expect(await asked('clear', bob)).toMatchObject({ ok: true, key: bob, previousSessionId: ids.get(bob), archived: expect.stringContaining('.reset.') });
    expect(await asked('delete', cy)).toMatchObject({ ok: true, key: cy, deleted: true, archived: [expect.stringContaining('.deleted.')] });
    expect(await keys()).toEqual([bob, dee]);
    expect(await asked('restore', cy)).toMatchObject({ ok: true, key: cy, sessionId: ids.get(cy) });
    expect(await keys()).toEqual([bob, cy, dee]);
    expect(await gateway.stop()).toBe(0);
    expect(await asked('delete', dee)).toMatchObject({ key: dee, deleted: true });
    expect(await asked('restore', bob)).toMatchObject({ key: bob, sessionId: ids.get(bob) });
    expect(await asked('restore', dee)).toMatchObject({ key: dee, sessionId: ids.get(dee) });
    expect(await keys()).toEqual([bob, cy, dee]);
  });

  it('previews beside the owner without writing, and applies a store named by its file only without it', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer', maintenance: { mode: 'enforce', maxEntries: 1 } } }));
    const gateway = await scene.gateway(stateDir);
    expect(await gateway.send(message('one', 'm-1'))).toMatchObject({ status: 202 });
    expect(await gateway.send({ ...message('two', 'm-2'), sender: { id: 'b' } })).toMatchObject({ status: 202 });
    const store = join(sessionsDir(stateDir), 'sessions.json');
    const preview = await runCommand(stateDir, ['sessions', 'cleanup', '--dry-run', '--store', store, '--json']);
    expect(preview).toMatchObject({ exitCode: 0, stderr: '' });
    // Active a moment ago: the bound is reported, not enforced.
    expect(JSON.parse(preview.stdout)).toMatchObject({ beforeCount: 2, afterCount: 2, capUnmet: true, wouldMutate: false });
    const refused = await runCommand(stateDir, ['sessions', 'cleanup', '--enforce', '--store', store]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(`belongs to process ${gateway.pid}`);
    expect(await gateway.stop()).toBe(0);
    const before = readFileSync(store, 'utf8');
    const names = [...readTree(sessionsDir(stateDir)).keys()].filter((name) => !name.startsWith('.store/'));
    const applied = await runCommand(stateDir, ['sessions', 'cleanup', '--store', store]);
    expect(applied).toMatchObject({ exitCode: 0, stdout: `Session store: ${store}\nApplied maintenance. Current entries: 2\nKept over maxEntries: 2 protected (2 used in the last 5 minutes)\n` });
    expect(readFileSync(store, 'utf8')).toBe(before);
    expect([...readTree(sessionsDir(stateDir)).keys()].filter((name) => !name.startsWith('.store/'))).toEqual(names);
  });
});
