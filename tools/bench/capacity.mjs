/**
 * `npm run bench:capacity [-- flags]`: what one store-writer carries on this machine over a real
 * nats-server, for the arithmetic in docs/scale.md. Plain figures of this machine, no verdicts: what
 * must not get worse is in `npm run bench`.
 *
 *     --json                the figures as JSON
 *     --directory <path>    where the stores are made; default: a temporary one
 */
import { createHouse, directMessage, processorMs, residentBytes, startNats } from './split-house.mjs';
import { quantile, summarise } from './statistics.mjs';
import { short } from './table.mjs';
import { connectNatsBus, provisionNats } from '@sessions/bus';
import { ListEntriesRequest, SubmitMessageRequest } from '@sessions/contracts';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({ options: { json: { type: 'boolean' }, directory: { type: 'string' } } });
const MIB = 2 ** 20;
const LOAD_MS = 3_000;
const ROUNDS = 5;
const WARM_CALLS = 3_000;
const SESSIONS = 2_000;
const TEXT = 'Please check the calendar of next week and send the draft of the release plan. '.repeat(11).slice(0, 850);
const AGENTS_WITH_STORE = 64;
/** Bound of the writer: `OPEN_STORES_MAX`. */
const OPEN_AT_ONCE = 16;
const AGENTS_HELD = 400;
const REST_MS = 60_000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const figures = [];
const note = (name, unit, samples, how) => {
  const { min, median, max } = summarise(samples);
  figures.push({ name, unit, lowest: min, median, highest: max, how });
  process.stderr.write(`${name}: ${short(min)}–${short(median)}–${short(max)} ${unit}\n`);
};

/** Each of so many callers makes one call after another. @returns calls a second, and processors that the writer took */
async function atOnce(callers, pid, call) {
  const startedAt = performance.now();
  const before = processorMs(pid);
  let calls = 0;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() - startedAt < LOAD_MS) {
        await call(caller);
        calls += 1;
      }
    }),
  );
  const tookMs = performance.now() - startedAt;
  return { perSecond: (1000 * calls) / tookMs, cores: (processorMs(pid) - before) / tookMs, msEach: (processorMs(pid) - before) / calls };
}

async function timesOf(items, work) {
  const times = [];
  for (const item of items) {
    const startedAt = performance.now();
    await work(item);
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** Bytes that the files of a directory's tree take on the disk, and that they hold. */
function sizeOf(directory, matches = () => true) {
  let held = 0;
  let onDisk = 0;
  for (const entry of existsSync(directory) ? readdirSync(directory, { withFileTypes: true, recursive: true }) : []) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isFile() || !matches(file)) continue;
    const { size, blocks } = statSync(file);
    held += size;
    onDisk += blocks * 512;
  }
  return { held, onDisk };
}

/** Renewals that one bucket takes, so many under way at a time, each writing its lease again. */
async function renewals(server, what) {
  const place = { servers: [server.url], service: 'bench', instance: 'leases', subjectPrefix: 'leases' };
  await provisionNats(place);
  const bus = await connectNatsBus(place);
  const holder = { instance: 'bench/1', epoch: 1, host: 'bench', pid: process.pid, acquiredAtMs: Date.now() };
  const leases = [];
  for (let key = 0; key < 64; key += 1) leases.push(await bus.leases.acquire(`store.bench${key}`, holder));
  const runs = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    runs.push(
      await atOnce(leases.length, server.pid, async (key) => {
        leases[key] = await bus.leases.renew(leases[key]);
      }),
    );
  }
  await bus.close();
  note(`lease renewals a nats-server takes, ${what}`, 'a second', runs.map(({ perSecond }) => perSecond), '64 leases, each renewed again and again');
  note(`processor time of a renewal in nats-server, ${what}`, 'ms', runs.map(({ msEach }) => msEach), 'schedstat ÷ renewals');
}

const directory = flags.directory ?? mkdtempSync(path.join(tmpdir(), 'openclaw-capacity-'));
const stateDir = path.join(directory, 'state');
const nats = await startNats();
const house = await createHouse({ nats, stateDir, scratch: directory });
let writer = await house.start('store-writer', 'w1');
let calls = 0;
const deliver = (agentId, peer) => house.store.deliver(directMessage(agentId, String(peer), TEXT), { idempotencyKey: `capacity-${(calls += 1)}` });
const claim = (agentId) => house.pool.claimStore({ agentId });
const sessionsDir = (agentId) => path.join(stateDir, 'agents', agentId, 'sessions');

try {
  // Appends and lists.
  note('memory of a writer that serves nobody yet', 'MiB', [residentBytes(writer.pid) / MIB], 'VmRSS');
  await claim('main');
  for (let call = 0; call < WARM_CALLS; call += 1) await deliver('main', 'one');
  for (const callers of [1, 64]) {
    const runs = [];
    for (let round = 0; round < ROUNDS; round += 1) runs.push(await atOnce(callers, writer.pid, (caller) => deliver('main', `s${caller}`)));
    note(`durable appends of 1 KB, ${callers} at once`, 'a second', runs.map(({ perSecond }) => perSecond), 'StoreService.Deliver to one agent, each caller a session');
    note(`processors of the writer meanwhile, ${callers} at once`, 'of 2', runs.map(({ cores }) => cores), 'schedstat');
    note(`processor time of an append, ${callers} at once`, 'ms', runs.map(({ msEach }) => msEach), 'schedstat ÷ appends');
  }
  const request = ListEntriesRequest.fromPartial({ agentId: 'main', limit: 100 });
  // So many sessions, so that a list has its hundred rows.
  await Promise.all(Array.from({ length: 100 }, (_, peer) => deliver('main', `s${peer}`)));
  const lists = [];
  for (let round = 0; round < ROUNDS; round += 1) lists.push(await atOnce(16, writer.pid, () => house.store.listEntries(request)));
  note('lists of 100, 16 at once', 'a second', lists.map(({ perSecond }) => perSecond), 'StoreService.ListEntries');
  note('processor time of a list', 'ms', lists.map(({ msEach }) => msEach), 'schedstat ÷ lists');

  // The router's part.
  const router = await house.start('router', 'r1');
  const submit = (peer) => {
    const envelope = { originKind: 'channel', channel: 'telegram', messageId: `capacity-${(calls += 1)}`, chatType: 'direct', sender: { id: String(peer) }, text: TEXT };
    return house.router.submitMessage(SubmitMessageRequest.fromPartial({ envelope }), { idempotencyKey: `capacity-${calls}` });
  };
  for (let call = 0; call < WARM_CALLS / 3; call += 1) await submit(0);
  const submits = [];
  for (let round = 0; round < ROUNDS; round += 1) submits.push(await atOnce(16, router.pid, submit));
  note('messages through a router, 16 at once', 'a second', submits.map(({ perSecond }) => perSecond), 'RouterService.SubmitMessage over NATS');
  note('processor time of a message in the router', 'ms', submits.map(({ msEach }) => msEach), 'schedstat ÷ messages');
  note('memory of the router afterwards', 'MiB', [residentBytes(router.pid) / MIB], 'VmRSS');
  await router.stop();

  // What sessions and messages take on the disk; the writer ends in between, so that all files are up to date.
  const peers = Array.from({ length: SESSIONS }, (_, peer) => peer);
  const sizes = async () => {
    await writer.stop();
    const dir = sessionsDir('disk');
    const parts = {
      transcripts: sizeOf(dir, (file) => path.dirname(file) === dir && file.endsWith('.jsonl')),
      'answers kept for repeats': sizeOf(path.join(dir, '.store'), (file) => path.basename(file).startsWith('results-')),
      'sessions.json': sizeOf(dir, (file) => path.basename(file) === 'sessions.json'),
      index: sizeOf(dir, (file) => path.basename(file).startsWith('index.sqlite')),
      journal: sizeOf(path.join(dir, '.store'), (file) => path.basename(file).startsWith('journal-')),
    };
    writer = await house.start('store-writer', 'w1');
    await claim('disk');
    return parts;
  };
  const toAll = async () => {
    for (let from = 0; from < SESSIONS; from += 64) await Promise.all(peers.slice(from, from + 64).map((peer) => deliver('disk', peer)));
  };
  await claim('disk');
  await toAll();
  const withOne = await sizes();
  for (let round = 0; round < 4; round += 1) await toAll();
  const withFive = await sizes();
  for (const part of ['transcripts', 'answers kept for repeats', 'sessions.json', 'index']) {
    const each = (withFive[part].held - withOne[part].held) / (4 * SESSIONS);
    note(`${part}: bytes of a further message`, 'bytes', [each], `${SESSIONS} sessions, from 1 to 5 messages of 850 characters`);
    note(`${part}: bytes of a session with one message`, 'bytes', [withOne[part].held / SESSIONS], `${SESSIONS} sessions`);
  }
  note('transcripts: on the disk, session with one message', 'bytes', [withOne.transcripts.onDisk / SESSIONS], 'whole blocks');
  note('journal of a store', 'MiB', [withFive.journal.onDisk / MIB], 'blocks, after an orderly end');

  // Agents: without a store, with one, more than are open at a time.
  const empty = Array.from({ length: AGENTS_HELD }, (_, index) => `empty${index}`);
  const memoryBefore = residentBytes(writer.pid);
  note('claim of an agent that has no store yet', 'ms', await timesOf(empty, claim), 'StoreService.ClaimStore, one after another');
  await wait(2_000);
  note('memory of an agent held, its store not open', 'KiB', [(residentBytes(writer.pid) - memoryBefore) / 1024 / AGENTS_HELD], `VmRSS, ${AGENTS_HELD} agents`);
  await wait(12_000);
  const startedAt = performance.now();
  const before = [processorMs(writer.pid), processorMs(nats.pid)];
  const messagesBefore = await nats.messages();
  await wait(REST_MS);
  const tookMs = performance.now() - startedAt;
  note(`processor time of a writer that holds ${AGENTS_HELD} agents at rest`, 's an hour', [((processorMs(writer.pid) - before[0]) / tookMs) * 3600], 'schedstat over 60 s');
  note('processor time of nats-server meanwhile', 's an hour', [((processorMs(nats.pid) - before[1]) / tookMs) * 3600], 'schedstat over 60 s');
  const inMessages = (await nats.messages()).in - messagesBefore.in;
  note('messages into NATS, an agent held, at rest', 'a second', [(1000 * inMessages) / tookMs / AGENTS_HELD], 'varz of nats-server over 60 s');
  await writer.stop();

  writer = await house.start('store-writer', 'w1');
  const stored = Array.from({ length: AGENTS_WITH_STORE }, (_, index) => `stored${index}`);
  for (const agentId of stored) {
    await claim(agentId);
    for (let peer = 0; peer < 10; peer += 1) await deliver(agentId, peer);
  }
  await writer.stop();
  writer = await house.start('store-writer', 'w1');
  const first = await timesOf(stored.slice(0, 1), claim);
  const oneOpen = residentBytes(writer.pid);
  const claims = await timesOf(stored.slice(1, OPEN_AT_ONCE), claim);
  await wait(2_000);
  note('memory of an open store (small)', 'MiB', [(residentBytes(writer.pid) - oneOpen) / MIB / (OPEN_AT_ONCE - 1)], `VmRSS, from 1 to ${OPEN_AT_ONCE} open stores`);
  note('claim of an agent and opening of its store', 'ms', [...first, ...claims], 'StoreService.ClaimStore, one after another');
  for (const agentId of stored.slice(OPEN_AT_ONCE)) await claim(agentId);
  const touches = await timesOf([...stored, ...stored], (agentId) => house.store.storeInfo({ agentId }));
  note('a call that has another store closed and its own opened', 'ms', touches, `StoreService.StoreInfo round ${AGENTS_WITH_STORE} agents, ${OPEN_AT_ONCE} open at a time`);
  note('of these the slowest tenth begins at', 'ms', [quantile(touches, 0.9)], 'the same');
  const messages = await nats.messages();
  const before1k = calls;
  await timesOf(Array.from({ length: 1000 }), () => deliver('stored0', 1));
  const after = await nats.messages();
  await renewals(nats, 'not synced');
  const synced = await startNats({ isSynced: true }).catch(() => undefined);
  if (synced === undefined) process.stderr.write('this nats-server does not know sync_interval: always (2.10 and later do)\n');
  else {
    await renewals(synced, 'each write synced');
    await synced.stop();
  }
  note('messages into NATS, an append', 'messages', [(after.in - messages.in) / (calls - before1k)], 'varz of nats-server over 1 000 appends');
} finally {
  await house.stop();
  await nats.stop();
  if (flags.directory === undefined) rmSync(directory, { recursive: true, force: true });
}

if (flags.json === true) {
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
} else {
  const lines = figures.map(({ name, unit, lowest, median, highest, how }) => `| ${name} | ${short(median)} ${unit} | ${lowest === highest ? '–' : `${short(lowest)}–${short(highest)}`} | ${how} |`);
  process.stdout.write(['| what | median | lowest–highest | how |', '|---|---|---|---|', ...lines, ''].join('\n'));
}
