/** `sessions verify` of stores that a running gateway holds: looked at beside it, repaired by it. */
import { appendFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import type { Answer } from './support/command';
import type { Gateway } from './support/gateway';
import { configWith, sessionsDir, TOKEN, useScene } from './support/scene';
import { readTree } from './support/tree';
import { waitUntil } from './support/wait-until';

const scene = useScene();
const HALF_LINE = '{"type":"message","id":"deadbeef","message":{"role":"user","content":"never fin';
const message = (id: string, text: string): Record<string, unknown> => ({ channel: 'telegram', messageId: `m-${text}`, chatType: 'direct', sender: { id }, text });

interface Report {
  readonly ok: boolean;
  readonly stores: readonly { readonly agentId: string; readonly findings: readonly object[]; readonly totals: Readonly<Record<string, number>> }[];
}

/** The command with a configuration that names the port which the gateway was given. */
function verify(stateDir: string, { url }: Pick<Gateway, 'url'>, ...more: string[]): Promise<Answer> {
  const config = join(scene.stateDir(), 'client.json');
  writeFileSync(config, JSON.stringify({ gateway: { port: Number(new URL(url).port), auth: { token: TOKEN } } }));
  return runCommand(stateDir, ['sessions', 'verify', ...more], { env: { OPENCLAW_CONFIG_PATH: config } });
}

describe('sessions verify beside a running gateway', () => {
  it('has the gateway cut a half-written line, which is kept aside, and the session goes on', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const dir = sessionsDir(stateDir);
    const first = await scene.gateway(stateDir);
    const sessionId = (await first.send(message('a', 'one')))?.json?.['sessionId'] as string;
    expect(await first.send(message('b', 'two'))).toMatchObject({ status: 202 });
    expect(await first.stop()).toBe(0);
    const transcript = join(dir, `${sessionId}.jsonl`);
    const whole = readFileSync(transcript, 'utf8');
    writeFileSync(join(dir, 'notes.txt'), 'mine');

    const gateway = await scene.gateway(stateDir);
    expect(await gateway.send(message('b', 'three'))).toMatchObject({ status: 202 });
    // After the start, which would have set it aside itself.
    appendFileSync(transcript, HALF_LINE);
    expect((await verify(stateDir, gateway)).exitCode).toBe(0);
    expect(readFileSync(transcript, 'utf8')).toBe(`${whole}${HALF_LINE}`);
    const before = [...readTree(dir).keys()].filter((file) => !file.startsWith('.store/') && !file.endsWith('.lock'));

    const answer = await verify(stateDir, gateway, '--repair', '--json');
    expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(answer.stdout)).toEqual({
      ok: true,
      stores: [{
        agentId: 'main',
        path: join(dir, 'sessions.json'),
        ok: true,
        findings: [{ kind: 'unknown-name', file: 'notes.txt', detail: expect.any(String) as string, repair: 'none' }],
        totals: expect.objectContaining({ entries: 2, transcripts: 2, lines: 5, messages: 3, malformedLines: 0, findingsOmitted: 0 }) as object,
        done: [{ do: 'cut-torn-tail', file: `${sessionId}.jsonl`, key: 'agent:main:telegram:direct:a' }],
      }],
    });
    expect(readFileSync(transcript, 'utf8')).toBe(whole);
    const quarantine = join(dir, '.store', 'quarantine');
    expect(readdirSync(quarantine).map((name) => readFileSync(join(quarantine, name), 'utf8'))).toEqual([HALF_LINE]);
    expect([...readTree(dir).keys()]).toEqual(expect.arrayContaining(before));

    // The same behind a line that has just been acknowledged.
    const other = (await gateway.send(message('b', 'five')))?.json?.['sessionId'] as string;
    // The line reaches its transcript soon after it is acknowledged.
    await waitUntil('the line is in its transcript', () => readFileSync(join(dir, `${other}.jsonl`), 'utf8').includes('five') || undefined);
    appendFileSync(join(dir, `${other}.jsonl`), HALF_LINE);
    expect(JSON.parse((await verify(stateDir, gateway, '--repair', '--json')).stdout)).toMatchObject({ ok: true, stores: [{ totals: { messages: 4 }, done: [{ do: 'cut-torn-tail', file: `${other}.jsonl` }] }] });

    // A second time there is nothing to do; the same in words.
    expect(JSON.parse((await verify(stateDir, gateway, '--repair', '--json')).stdout)).toMatchObject({ ok: true, stores: [{ done: [] }] });
    expect((await verify(stateDir, gateway, '--repair')).stdout).toContain('Everything agrees.');
    expect(await gateway.send(message('a', 'four'))).toMatchObject({ status: 202, json: { sessionId } });
    const history = await runCommand(stateDir, ['sessions', 'history', 'agent:main:telegram:direct:a']);
    expect(history.stdout).toMatch(/user: one\n[^]*user: four\n/u);
    expect(await gateway.stop()).toBe(0);
    expect((await runCommand(stateDir, ['sessions', 'verify'])).exitCode).toBe(0);
  });

  it('says what it cannot mend with exit 1, and touches none of it', async () => {
    const stateDir = scene.stateDir(configWith());
    const first = await scene.gateway(stateDir);
    const sessionId = (await first.send(message('a', 'one')))?.json?.['sessionId'] as string;
    expect(await first.stop()).toBe(0);
    const transcript = join(sessionsDir(stateDir), `${sessionId}.jsonl`);
    appendFileSync(transcript, 'no json\n');
    const damaged = readFileSync(transcript, 'utf8');
    const gateway = await scene.gateway(stateDir);
    const answer = await verify(stateDir, gateway, '--repair', '--json');
    expect(answer).toMatchObject({ exitCode: 1, stderr: '' });
    expect(JSON.parse(answer.stdout)).toMatchObject({ ok: false, stores: [{ ok: false, findings: [{ kind: 'malformed-lines', file: `${sessionId}.jsonl` }], totals: { malformedLines: 1 } }] });
    expect(readFileSync(transcript, 'utf8')).toBe(damaged);
  });

  it('leaves the gateway the only owner of its state directory', async () => {
    const stateDir = scene.stateDir(configWith());
    const gateway = await scene.gateway(stateDir);
    expect(await gateway.send(message('a', 'one'))).toMatchObject({ status: 202 });
    const socket = await scene.socket(gateway);
    for (const repair of [false, true]) {
      const report = (await socket.call('sessions.verify', { repair })) as unknown as Report;
      expect(report).toMatchObject({ ok: true, stores: [{ agentId: 'main', findings: [], totals: { entries: 1, messages: 1 } }] });
      const second = await runCommand(stateDir, ['gateway', 'run', '--port', '0']);
      expect(second.exitCode).toBe(1);
      expect(second.stderr).toContain(`in use by process ${gateway.pid}`);
    }
    const reader = await scene.socket(gateway, { scopes: ['operator.read'] });
    expect((await reader.request('sessions.verify', {})).error?.message).toBe('missing scope: operator.admin');
  });
});
