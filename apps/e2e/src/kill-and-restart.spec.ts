/**
 * `kill -9` in the middle of writes, three times: whatever was acknowledged is there exactly once
 * and in order, read by the command line and by nothing but `JSON.parse`. A message without an
 * answer may have been kept or not; sent again under the same id it is kept once.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import type { Gateway } from './support/gateway';
import { configWith, sessionsDir, useScene } from './support/scene';

const ROUNDS = 3;
const WRITERS = 6;
const ACKNOWLEDGED_BEFORE_KILL = 80;
/** Time between two looks at sessions.json. */
const LOOK_EVERY_MS = 5;

const scene = useScene();

interface Writer {
  readonly at: number;
  readonly acknowledged: string[];
  sentCount: number;
  unanswered: string | undefined;
  sessionKey: string | undefined;
}

const CHANNELS = ['telegram', 'discord', 'slack', 'signal'];

const envelope = ({ at }: Writer, id: string): Record<string, unknown> => ({
  channel: CHANNELS[at % CHANNELS.length],
  messageId: id,
  chatType: 'direct',
  sender: { id: `peer-${at}` },
  text: `text of ${id}.`,
});

/** Sends again what has no answer, else the next one. @returns false when the gateway is gone */
async function sendNext(gateway: Gateway, writer: Writer): Promise<boolean> {
  const id = writer.unanswered ?? `w${writer.at}-${(writer.sentCount += 1)}`;
  writer.unanswered = id;
  const answer = await gateway.send(envelope(writer, id));
  if (answer === undefined) return false;
  expect(answer.json).toMatchObject({ ok: true });
  expect(['accepted', 'duplicate']).toContain(answer.json?.['status']);
  writer.sessionKey = String(answer.json?.['sessionKey']);
  writer.unanswered = undefined;
  writer.acknowledged.push(id);
  return true;
}

/** Looks at sessions.json again and again, as a reader beside us does. */
function watchSessionsFile(dir: string): { stop(): Promise<number> } {
  const file = join(dir, 'sessions.json');
  let looksCount = 0;
  let isDone = false;
  const loop = (async () => {
    while (!isDone) {
      if (existsSync(file)) {
        const entries = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { sessionId: string }>;
        for (const [key, { sessionId }] of Object.entries(entries)) expect([key, typeof sessionId]).toEqual([key, 'string']);
        looksCount += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return looksCount;
  })();
  // A failed look is reported by `stop`, not before.
  loop.catch(() => undefined);
  return {
    stop: () => {
      isDone = true;
      return loop;
    },
  };
}

const idsIn = (texts: readonly string[]): string[] => texts.map((text) => /^text of (w\d+-\d+)\.$/u.exec(text)?.[1] ?? `unexpected: ${text}`);

interface Line {
  readonly type: string;
  readonly id: string;
  readonly parentId: string | null;
  readonly message?: { readonly content: readonly { readonly text: string }[] };
}

/** The transcript as any script reads it: a header, then a chain of messages. */
function readTranscript(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  const [header, ...lines] = text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Line);
  expect(header).toMatchObject({ type: 'session', version: 3 });
  lines.forEach((line, at) => expect([line.type, line.parentId]).toEqual(['message', at === 0 ? null : lines[at - 1]?.id]));
  return lines.map(({ message }) => message?.content[0]?.text ?? '');
}

describe('a gateway that is killed while it writes', () => {
  it('has every acknowledged message exactly once and in order', async () => {
    const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
    const dir = sessionsDir(stateDir);
    const watch = watchSessionsFile(dir);
    const writers = Array.from({ length: WRITERS }, (_, at): Writer => ({ at, acknowledged: [], sentCount: 0, unanswered: undefined, sessionKey: undefined }));
    let interruptedCount = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const gateway = await scene.gateway(stateDir);
      let acknowledgedCount = 0;
      let killed: Promise<void> | undefined;
      const write = async (writer: Writer): Promise<void> => {
        while (await sendNext(gateway, writer)) {
          acknowledgedCount += 1;
          if (acknowledgedCount === ACKNOWLEDGED_BEFORE_KILL) killed = gateway.kill();
        }
      };
      await Promise.all(writers.map(write));
      await killed;
      expect(acknowledgedCount).toBeGreaterThanOrEqual(ACKNOWLEDGED_BEFORE_KILL);
      interruptedCount += writers.filter(({ unanswered }) => unanswered !== undefined).length;
    }
    // Each round ended with requests in hand: the kill came in the middle.
    expect(interruptedCount).toBeGreaterThan(0);

    const last = await scene.gateway(stateDir);
    for (const writer of writers) if (writer.unanswered !== undefined) expect(await sendNext(last, writer)).toBe(true);
    const readAll = async (): Promise<void> => {
      const readOne = async ({ sessionKey = '', acknowledged }: Writer): Promise<void> => {
        const { exitCode, stdout } = await runCommand(stateDir, ['sessions', 'history', sessionKey, '--limit', 'all', '--json']);
        expect(exitCode).toBe(0);
        const history = JSON.parse(stdout) as { sessionId: string; totalCount: number; messages: { content: { text: string }[] }[] };
        expect(history.totalCount).toBe(acknowledged.length);
        expect(idsIn(history.messages.map(({ content }) => content[0]?.text ?? ''))).toEqual(acknowledged);
      };
      await Promise.all(writers.map(readOne));
    };
    // Beside the gateway, where the newest lines may stand in the journal alone, and after it.
    await readAll();
    expect(await last.stop()).toBe(0);
    await readAll();
    expect(await watch.stop()).toBeGreaterThan(ROUNDS);

    const entries = JSON.parse(readFileSync(join(dir, 'sessions.json'), 'utf8')) as Record<string, { sessionId: string; sessionFile: string }>;
    expect(Object.keys(entries).sort()).toEqual(writers.map(({ sessionKey = '' }) => sessionKey).sort());
    for (const { sessionKey = '', acknowledged } of writers) {
      expect(idsIn(readTranscript(join(dir, entries[sessionKey]?.sessionFile ?? '')))).toEqual(acknowledged);
    }
    // Nothing is left of the lives that were cut off.
    expect(readdirSync(dir).filter((name) => name.endsWith('.lock') || name.endsWith('.tmp'))).toEqual([]);
    expect(await runCommand(stateDir, ['sessions', 'verify', '--all-agents'])).toMatchObject({ exitCode: 0 });
  });

  it('answers a repeat with the first answer, whatever door and life it comes to', async () => {
    const stateDir = scene.stateDir(configWith());
    let gateway = await scene.gateway(stateDir);
    const socket = await scene.socket(gateway);
    const sent = { sessionKey: 'main', message: 'once', idempotencyKey: 'k-1' };
    expect(await socket.call('chat.send', sent)).toMatchObject({ runId: 'k-1', status: 'started' });
    const created = await socket.call('sessions.create', { label: 'Fresh' });
    await gateway.kill();
    gateway = await scene.gateway(stateDir);
    const again = await scene.socket(gateway);
    expect(await again.call('chat.send', sent)).toMatchObject({ runId: 'k-1', status: 'ok' });
    expect(await again.call('sessions.describe', { key: created['key'] })).toMatchObject({ session: { sessionId: created['sessionId'], label: 'Fresh' } });
    expect(((await again.call('chat.history', { sessionKey: 'main' })) as { messages: unknown[] }).messages).toHaveLength(1);
  });
});
