/** Chat commands at the gateway's door, and `sessions cleanup` of stores that a running gateway holds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { configWith, sessionsDir, useScene } from './support/scene';
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
