/**
 * gRPC calls whose connection is cut at any byte: while the request is on its way, after it is sent
 * and before the answer, within the answer. The client cannot know what became of its message and
 * sends it again under the same id: it is kept once, and the repeat says whether it was there.
 */
import { Envelope, SubmitMessageRequest } from '@sessions/contracts';
import type { SubmitMessageResponse } from '@sessions/contracts';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { runCommand } from './support/command';
import { openGrpc, type GrpcClient } from './support/grpc-client';
import { TOKEN, configWith, useScene } from './support/scene';

/** Each way is cut at so many places, spread over all of its bytes. */
const CUTS = Number(process.env['GRPC_CUTS'] ?? 40);
const UNAVAILABLE = 14;

const scene = useScene();

type Way = 'request' | 'answer';

interface Cut {
  readonly way: Way;
  /** The connection is cut when so many bytes of this way have passed. */
  readonly bytes: number;
}

/** A TCP proxy that counts, and ends both sides at the byte that it was told. One for each call: gRPC keeps the connections of an address. */
async function countingLink(targetPort: number, cut: Cut | undefined): Promise<{ readonly grpc: string; readonly passed: Readonly<Record<Way, number>>; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const passed: Record<Way, number> = { request: 0, answer: 0 };
  const server = createServer((inner) => {
    const outer = connect(targetPort, '127.0.0.1');
    let isCut = false;
    for (const [way, from, to] of [['request', inner, outer], ['answer', outer, inner]] as const) {
      sockets.add(from);
      from.on('data', (bytes: Buffer) => {
        if (isCut) return;
        const left = cut?.way === way ? cut.bytes - passed[way] : Infinity;
        const passing = bytes.subarray(0, left);
        passed[way] += passing.length;
        isCut = bytes.length >= left;
        if (!isCut) return void to.write(passing);
        // What was passed on is read by its receiver before the end.
        to.end(passing);
        if (from === inner) inner.destroy();
        server.close();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!isCut) to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    grpc: `127.0.0.1:${address.port}`,
    passed,
    async close() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) server.close();
      await Promise.resolve();
    },
  };
}

const submit = (grpc: GrpcClient, number: number): Promise<SubmitMessageResponse> => {
  const sender = { id: '5', name: undefined, username: undefined, authority: undefined };
  const envelope = Envelope.create({ channel: 'telegram', chatType: 'direct', messageId: `m${number}`, sender, text: `message ${number}.` });
  return grpc.call('submitMessage', SubmitMessageRequest.create({ envelope }));
};

it('keeps a message once, whichever byte of its call was the last that passed', async () => {
  const stateDir = scene.stateDir(configWith({ session: { dmScope: 'per-channel-peer' } }));
  const gateway = await scene.gateway(stateDir, { args: ['--grpc-port', '0', '--token', TOKEN] });
  const target = gateway.grpc?.split(':').at(-1);
  if (target === undefined) throw new Error('no gRPC door');
  const straight = openGrpc(gateway);
  scene.onEnd(() => straight.close());
  const overLink = async (number: number, cut?: Cut): Promise<{ readonly outcome: string; readonly passed: Readonly<Record<Way, number>> }> => {
    const link = await countingLink(Number(target), cut);
    const grpc = openGrpc({ grpc: link.grpc, token: TOKEN });
    try {
      const outcome = await submit(grpc, number).then(({ status }) => status, (error: { code?: number }) => (error.code === UNAVAILABLE ? 'unavailable' : String(error)));
      return { outcome, passed: link.passed };
    } finally {
      await grpc.close();
      await link.close();
    }
  };

  let sent = 1;
  // Whole calls show how many bytes there are to cut at.
  const { outcome, passed: whole } = await overLink(sent);
  expect(outcome).toBe('accepted');
  const repeats = { accepted: 0, duplicate: 0 };
  let unanswered = 0;
  for (const way of ['request', 'answer'] as const) {
    for (let step = 0; step < CUTS; step += 1) {
      sent += 1;
      const { outcome: first } = await overLink(sent, { way, bytes: Math.floor((whole[way] * step) / CUTS) });
      expect(['accepted', 'unavailable']).toContain(first);
      if (first === 'unavailable') unanswered += 1;
      const again = await submit(straight, sent);
      expect(first === 'accepted' ? ['duplicate'] : ['accepted', 'duplicate']).toContain(again.status);
      repeats[again.status as keyof typeof repeats] += 1;
    }
  }
  process.stdout.write(`${whole.request} bytes of request, ${whole.answer} of answer; of ${2 * CUTS} calls cut ${unanswered} had no answer; their repeats: ${JSON.stringify(repeats)}\n`);
  // Some were cut before the message was taken, some after.
  expect(Math.min(repeats.accepted, repeats.duplicate)).toBeGreaterThan(0);
  expect(unanswered).toBeGreaterThan(CUTS);

  const history = await runCommand(stateDir, ['sessions', 'history', 'agent:main:telegram:direct:5', '--json', '--limit', '1000']);
  expect(history).toMatchObject({ exitCode: 0 });
  const numbers = [...history.stdout.matchAll(/"message (\d+)\."/gu)].map(([, number]) => Number(number));
  expect(numbers).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
}, 180_000);
