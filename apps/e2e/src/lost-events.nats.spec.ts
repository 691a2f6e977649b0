/**
 * A router loses its link to a real nats-server while a session that somebody watches over a WebSocket is
 * written to, cut, compacted into another transcript and reset by an owner whose link holds. What was
 * published meanwhile is lost for it; the watcher gets each message once and in order all the same, although
 * the numbers of messages begin anew below those that it has seen.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClaimStoreRequest, DeliverRequest, Event, InboundMessage, InstallCompactionRequest, PeerRef, ReplyRoute, RequestCompactionRequest, ResolvedRoute, Sender,
  StoreServiceResetSessionRequest, StoreServiceService, TruncateTranscriptRequest,
} from '@sessions/contracts';
import { connectNatsBus, createClient, createSubjects, type Client, type NatsBus } from '@sessions/bus';
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { parseConfig, type SessionConfig } from '@sessions/domain';
import { createHealth, createMetrics, silentLogger, systemClock, type Metrics } from '@sessions/host';
import { createRouter } from '@sessions/router';
import { createStoreWriter } from '@sessions/store-writer';
import { connectParams, openSocket, type GatewaySocket } from './support/gateway-socket';
import { waitUntil } from './support/wait-until';

const KEY = 'agent:main:telegram:direct:123';
const TOKEN = 't';
const TIMEOUT_MS = 180_000;
const subjects = createSubjects();

/** A way to a server that ends when it is broken, and takes nobody until it is mended. */
class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isBroken = false;

  constructor(port: number) {
    this.#server = createServer((inner) => {
      if (this.#isBroken) return void inner.destroy();
      const outer = connect(port, '127.0.0.1');
      for (const [from, to] of [[inner, outer], [outer, inner]] as const) {
        this.#sockets.add(from);
        from.on('error', () => undefined).on('close', () => (this.#sockets.delete(from), to.destroy())).pipe(to);
      }
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `nats://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  break(): void {
    this.#isBroken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isBroken = false;
  }

  close(): void {
    this.break();
    this.#server.close();
  }
}

let nats: NatsServer;
let link: Link;
let stateDir: string;
const metrics: Metrics[] = [];
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'lost-events-'));
  nats = await startNatsServer();
  link = new Link(Number(new URL(nats.url).port));
}, TIMEOUT_MS);
afterEach(async () => {
  link.mend();
  for (const end of ends.splice(0).reverse()) await end();
  for (const each of metrics.splice(0)) each.close();
  link.close();
  await nats.stop();
  rmSync(stateDir, { recursive: true, force: true });
}, TIMEOUT_MS);

async function busOf(url: string, service: string): Promise<NatsBus> {
  const bus = await connectNatsBus({ servers: [url], service, instance: `${service}-1`, provision: true, subjectPrefix: 'sess' });
  ends.push(() => bus.close());
  return bus;
}

function metricsOf(service: string): Metrics {
  const made = createMetrics({ service });
  metrics.push(made);
  return made;
}

interface Watched {
  readonly store: Client<typeof StoreServiceService>;
  readonly router: NatsBus;
  readonly socket: GatewaySocket;
  /** Texts of the messages that the watcher was told, in order. */
  readonly heard: string[];
  /** Events that a listener whose link holds has seen. */
  readonly seen: () => number;
}

async function watch(config: SessionConfig): Promise<Watched> {
  const direct = await busOf(nats.url, 'store-writer');
  const writer = createStoreWriter({ bus: direct, clock: systemClock, logger: silentLogger, metrics: metricsOf('writer'), config: () => config, places: { stateDir, homeDir: stateDir }, instance: 'w1' });
  await writer.start();
  ends.push(() => writer.stop());
  const store = createClient(direct, StoreServiceService, { caller: 'client:test', subject: (method, request) => (method === 'ClaimStore' ? subjects.storePool(method) : subjects.store((request as { agentId: string }).agentId, method)) });
  await store.claimStore(ClaimStoreRequest.create({ agentId: 'main' }));
  let seenCount = 0;
  const witness = await busOf(nats.url, 'witness');
  await witness.events.subscribe(subjects.events(), Event, ({ sessionKey }) => void (seenCount += sessionKey === KEY ? 1 : 0));

  const bus = await busOf(await link.open(), 'router');
  const health = createHealth();
  health.setPhase('serving');
  const router = createRouter({
    bus, health, clock: systemClock, logger: silentLogger, metrics: metricsOf('router'), config: () => config, stateDir, homeDir: stateDir, configPath: join(stateDir, 'openclaw.json'),
    version: '0.0.0-test', instance: 'r1', listen: { host: '127.0.0.1', port: 0 }, auth: { token: TOKEN },
  });
  await router.start();
  ends.push(() => router.stop());
  const { host, port } = router.address();
  const socket = await openSocket({ url: `http://${host}:${String(port)}` });
  ends.push(() => Promise.resolve(socket.close()));
  await socket.call('connect', connectParams({ token: TOKEN }));
  await socket.call('sessions.messages.subscribe', { key: KEY });
  const heard: string[] = [];
  const listen = async (): Promise<void> => {
    for (;;) {
      const { payload } = await socket.next(({ event }) => event === 'session.message');
      const { content } = payload?.['message'] as { content: string | { text?: string }[] };
      heard.push(typeof content === 'string' ? content : content.map(({ text = '' }) => text).join(''));
    }
  };
  void listen().catch(() => undefined);
  return { store, router: bus, socket, heard, seen: () => seenCount };
}

it('is told once and in order to who watches over a WebSocket, over a cut, a rotation and a reset', async () => {
  const parsed = parseConfig({ agents: { defaults: { compaction: { truncateAfterCompaction: true } } }, session: { reset: { mode: 'none' } }, gateway: { auth: { token: TOKEN } } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { store, heard, seen } = await watch(parsed.config);
  const at = { agentId: 'main', key: KEY };
  const route = ResolvedRoute.create({ agentId: 'main', sessionKey: KEY, matchedBy: 'default', originKind: 'channel', channel: 'telegram', accountId: 'default', chatType: 'direct', peer: PeerRef.create({ kind: 'direct', id: '123' }), replyRoute: ReplyRoute.create({ channel: 'telegram', to: '123' }) });
  const said: string[] = [];
  const published = async (work: () => Promise<unknown>): Promise<void> => {
    const before = seen();
    await work();
    await waitUntil('its event was published', async () => (seen() > before ? true : undefined));
  };
  const say = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= 1) {
      const text = `m${String(said.length + 1)}`;
      said.push(text);
      await published(() => store.deliver(DeliverRequest.create({ agentId: 'main', route, message: InboundMessage.create({ role: 'user', text, sender: Sender.create({ id: '123', name: 'Ann' }) }) })));
    }
  };
  const isHeard = (): Promise<unknown> => waitUntil(`the watcher hears ${String(said.at(-1))}`, async () => (heard.includes(said.at(-1) as string) ? true : undefined));
  const unheard = async (work: () => Promise<unknown>): Promise<void> => {
    const known = heard.length;
    link.break();
    await say(1);
    await work();
    await say(2);
    // All of it went to a server that the router cannot reach.
    expect(heard).toHaveLength(known);
    link.mend();
    await isHeard();
    expect(heard).toEqual(said);
    await say(2);
    await isHeard();
    expect(heard).toEqual(said);
  };

  await say(12);
  await isHeard();
  await unheard(() => published(async () => expect((await store.truncateTranscript(TruncateTranscriptRequest.create({ ...at, maxLines: 3 }))).result?.compacted).toBe(true)));
  await unheard(async () => {
    const asked = await store.requestCompaction(RequestCompactionRequest.create({ ...at, reason: 'manual' }));
    await published(async () => {
      const { result } = await store.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, summary: 'what was said', tokensBefore: 900, tokensAfter: 90 }));
      expect(result?.compacted).toBe(true);
    });
  });
  await unheard(() => published(() => store.resetSession(StoreServiceResetSessionRequest.create({ ...at, reason: 'reset' }))));
}, TIMEOUT_MS);
