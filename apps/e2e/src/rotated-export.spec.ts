/** A session that went on in other transcripts, carried to another host: what was said, and what its checkpoints can bring back. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { startGateway } from './support/gateway';
import type { Gateway } from './support/gateway';
import { sessionsDir, useScene } from './support/scene';

const KEY = 'agent:main:telegram:direct:123';
const TOKEN = 'rotated-export-token';
jest.setTimeout(180_000);

interface Checkpoint {
  readonly checkpointId: string;
}

describe('a session that went on in other transcripts', () => {
  const scene = useScene('all');

  const host = (): string => {
    const stateDir = scene.stateDir();
    const settings = { session: { dmScope: 'per-channel-peer' }, agents: { defaults: { compaction: { model: 'demo/echo', truncateAfterCompaction: true } } } };
    writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify({ ...settings, gateway: { port: 1, auth: { token: TOKEN } } }));
    return stateDir;
  };
  const serve = (stateDir: string): Promise<Gateway> => startGateway(stateDir, { token: TOKEN, onSpawn: (end) => scene.onEnd(end) });
  const say = async (gateway: Gateway, from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += 1) expect((await gateway.send({ channel: 'telegram', messageId: String(at), chatType: 'direct', sender: { id: '123' }, text: `n${String(at)}. ${'word '.repeat(30)}` }))?.status).toBe(202);
  };
  /** Hashes of all lines of messages in the store's transcripts. */
  const messageHashes = (stateDir: string): string[] =>
    readdirSync(sessionsDir(stateDir)).filter((name) => name.endsWith('.jsonl') && !name.includes('.trajectory')).flatMap((name) => readFileSync(join(sessionsDir(stateDir), name), 'utf8').split('\n').filter((line) => line.includes('"type":"message"'))).map((line) => createHash('sha256').update(line).digest('hex')).sort();

  it('is whole on the other host, each message with its hash, and goes back to each checkpoint there', async () => {
    const here = host();
    const first = await serve(here);
    const socket = await scene.socket(first);
    for (let round = 0; round < 3; round += 1) {
      await say(first, round * 4, round * 4 + 4);
      if (round < 2) expect(await socket.call('sessions.compact', { key: KEY })).toMatchObject({ ok: true, compacted: true });
    }
    expect(await first.stop()).toBe(0);
    const archive = join(here, 'family.tar');
    const exported = await runCommand(here, ['sessions', 'export', KEY, '--output', archive, '--json']);
    expect(JSON.parse(exported.stdout)).toMatchObject({ ok: true, sessions: 1, earlierTranscripts: 2, earlierLeftOut: 0 });

    const there = host();
    const imported = await runCommand(there, ['sessions', 'import', archive, '--json']);
    expect(JSON.parse(imported.stdout)).toMatchObject({ ok: true, imported: 1 });
    expect(messageHashes(there)).toEqual(messageHashes(here));
    expect(messageHashes(there).length).toBeGreaterThanOrEqual(12);
    const second = await serve(there);
    const other = await scene.socket(second);
    const { checkpoints } = (await other.call('sessions.compaction.list', { key: KEY })) as unknown as { checkpoints: Checkpoint[] };
    expect(checkpoints).toHaveLength(2);
    const numbers = async (): Promise<string[]> => {
      const { messages } = await other.call('chat.history', { sessionKey: KEY, limit: 1000 });
      return (messages as { content: { text?: string }[] }[]).flatMap(({ content }) => /^n\d+\./u.exec(content[0]?.text ?? '') ?? []);
    };
    const upTo = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${String(at)}.`);
    expect(await numbers()).toEqual(upTo(12).slice(8));
    const restored: string[][] = [];
    for (const { checkpointId } of checkpoints) {
      expect(await other.call('sessions.compaction.restore', { key: KEY, checkpointId })).toMatchObject({ ok: true });
      restored.push(await numbers());
    }
    // As before the one compaction, and before the other.
    expect(restored.map((each) => each.at(-1)).sort()).toEqual(['n3.', 'n7.']);
    expect(await second.stop()).toBe(0);
    const verified = await runCommand(there, ['sessions', 'verify', '--agent', 'main', '--json']);
    expect([verified.exitCode, verified.stderr]).toEqual([0, '']);
  });
});
