/**
 * Jobs are notices: those that are lost, come twice, late or in another order change nothing. Every
 * message is answered once, in the order in which its conversation was written.
 */
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { Bus, Jobs } from '@sessions/bus';
import { openInProcess, type GatewayInProcess } from './gateway-in-process';

const PEERS = 8;
const MESSAGES_EACH = 3;
const LATE_MS_MAX = 400;

/** What becomes of a notice when it is first given to the queue, in turn. */
const FATES = ['lost', 'twice', 'late', 'as it should', 'late and twice'] as const;

interface Unreliable {
  readonly busOf: (bus: Bus) => Bus;
  /** How many notices met which fate. */
  readonly met: Map<string, number>;
  /** Resolves when no late notice is on its way. */
  settled(): Promise<unknown>;
}

function unreliable(): Unreliable {
  const met = new Map<string, number>();
  const seen = new Set<string>();
  const late = new Set<Promise<unknown>>();
  const busOf = (bus: Bus): Bus => {
    const publish: Jobs['publish'] = async (subject, codec, job, messageId) => {
      // The owner gives it again under the same id: that one arrives.
      if (seen.has(messageId)) return bus.jobs.publish(subject, codec, job, messageId);
      const fate = FATES[seen.size % FATES.length] ?? 'lost';
      seen.add(messageId);
      met.set(fate, (met.get(fate) ?? 0) + 1);
      if (fate === 'lost') return { duplicate: false };
      const ids = fate.includes('twice') ? [messageId, `${messageId} again`] : [messageId];
      const give = (): Promise<unknown> => Promise.all(ids.map((id) => bus.jobs.publish(subject, codec, job, id)));
      if (!fate.includes('late')) return give().then(() => ({ duplicate: false }));
      // Each waits another time, so that they overtake each other.
      const waited: Promise<unknown> = new Promise((resolve) => setTimeout(resolve, (seen.size * 137) % LATE_MS_MAX)).then(give).catch(() => undefined).finally(() => late.delete(waited));
      late.add(waited);
      return { duplicate: false };
    };
    const jobs: Jobs = { publish, consume: (...given) => bus.jobs.consume(...given), listDead: (pattern) => bus.jobs.listDead(pattern) };
    return { clock: bus.clock, rpc: bus.rpc, events: bus.events, leases: bus.leases, jobs, close: () => bus.close() };
  };
  return { busOf, met, settled: () => Promise.all(late) };
}

let gateway: GatewayInProcess;
afterEach(() => gateway.stop());

it('answers every message once and in order, whatever becomes of the notices', async () => {
  const { busOf, met, settled } = unreliable();
  gateway = await openInProcess({ session: { dmScope: 'per-channel-peer' }, messages: { queue: { mode: 'followup', debounceMs: 0, cap: 100 } } }, { busOf });
  const heard = new Map<string, string[]>();
  gateway.adapter({ channel: 'telegram', accountId: 'default' }, ({ inReplyTo, text }) => {
    const peer = inReplyTo?.messageId.split(' ')[0] ?? '';
    heard.set(peer, [...(heard.get(peer) ?? []), text]);
  });
  gateway.model.answer = ({ body }) => {
    const newest = (body['messages'] as { role: string; content: unknown }[]).filter(({ role }) => role === 'user').at(-1);
    return { chunks: [`answer to ${/p\d+ m\d+/u.exec(JSON.stringify(newest))?.[0] ?? 'nothing'}`], usage: { input: 10, output: 2 } };
  };
  const peers = Array.from({ length: PEERS }, (_, at) => `p${String(at)}`);
  await Promise.all(peers.map(async (peer) => {
    for (let at = 0; at < MESSAGES_EACH; at += 1) {
      const text = `${peer} m${String(at)}`;
      await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', accountId: 'default', messageId: text, chatType: 'direct', sender: Sender.create({ id: peer }), conversation: Conversation.create({ id: peer }), text }) }));
    }
  }));
  await gateway.idle('main');
  await settled();
  await gateway.idle('main');
  const wanted = (peer: string): string[] => Array.from({ length: MESSAGES_EACH }, (_, at) => `answer to ${peer} m${String(at)}`);
  expect([...heard.values()].map((texts) => texts.length)).toEqual(peers.map(() => MESSAGES_EACH));
  expect([...heard.values()].flat().sort()).toEqual(peers.flatMap(wanted).sort());
  for (const texts of heard.values()) expect(texts).toEqual([...texts].sort());
  // One turn a message: nothing was done twice and thrown away.
  expect(gateway.model.asked).toHaveLength(PEERS * MESSAGES_EACH);
  for (const fate of FATES) expect([fate, (met.get(fate) ?? 0) > 0]).toEqual([fate, true]);
}, 600_000);
