/**
 * Messages to a large store while a clean-up archives sessions of it: the slowest hundredth of them
 * against the same without a clean-up, over the services as a gateway has them in one process.
 */
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import { DeliverRequest, InboundMessage, MaintenanceServiceService, PeerRef, ResolvedRoute, Sender, StoreServiceService } from '@sessions/contracts';
import { parseConfig } from '@sessions/domain';
import { createMetrics, silentLogger, systemClock } from '@sessions/host';
import { createMaintenanceScheduler } from '@sessions/maintenance-scheduler';
import { createStoreWriter } from '@sessions/store-writer';
import Database from 'better-sqlite3';
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ratioTo } from '../results.mjs';
import { quantile } from '../statistics.mjs';

export const name = 'cleanup-append';
export const rows = [{ what: 'slowest hundredth of messages to the large store during a clean-up', against: 'the same without a clean-up', floor: 3, goal: 1.5 }];

const ROUNDS = 5;
const WRITERS = 4;
/** Sessions that one clean-up archives, each with a transcript. */
const ARCHIVED = 300;
const TEXT = 'x'.repeat(900);

export async function run({ quick, sizes, scratch, served }) {
  const prepared = await served(sizes.largeEntries);
  const stateDir = path.join(scratch, 'state');
  cpSync(prepared.stateDir, stateDir, { recursive: true });
  const dir = path.join(stateDir, 'agents', 'main', 'sessions');
  const archived = quick ? ARCHIVED / 5 : ARCHIVED;
  writeTranscripts(dir, archived * (ROUNDS + 2) * 4);

  let maxEntries = 0;
  const bus = createInProcessBus({ copy: true });
  const subjects = createSubjects();
  const config = () => parseConfig({ session: { reset: { mode: 'none' }, maintenance: { mode: 'warn', pruneAfter: 0, maxEntries } } }).config;
  const parts = { bus, clock: systemClock, logger: silentLogger, config, instance: 'bench' };
  const writer = createStoreWriter({ ...parts, metrics: createMetrics({ service: 'bench-writer' }), places: { stateDir, homeDir: stateDir } });
  const scheduler = createMaintenanceScheduler({ ...parts, metrics: createMetrics({ service: 'bench-scheduler' }), onTick: () => Promise.resolve() });
  await writer.start();
  await scheduler.start();
  const client = createClient(bus, StoreServiceService, { caller: 'client:bench', subject: (method, { agentId }) => subjects.store(agentId, method) });
  const maintenance = createClient(bus, MaintenanceServiceService, { caller: 'client:bench', subject: (method) => subjects.maintenance(method) });
  const flags = { agentIds: ['main'], allAgents: false, enforce: true, fixMissing: false, fixDmScope: false, activeKey: undefined };
  let calls = 0;

  /** Sends from all writers until `ends`. @returns the times of single messages */
  const send = async (ends) => {
    let isOver = false;
    void ends.finally(() => (isOver = true)).catch(() => undefined);
    const times = [];
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, one) => {
        while (!isOver) {
          const startedAt = performance.now();
          await client.deliver(messageOf(one), { idempotencyKey: `bench-${(calls += 1)}` });
          times.push(performance.now() - startedAt);
        }
      }),
    );
    await ends;
    return times;
  };
  const cleanUp = async () => {
    const { reports: [before] } = await maintenance.cleanup({ flags, dryRun: true, nowAtMs: undefined }, { timeoutMs: 120_000 });
    maxEntries = before.beforeCount - archived;
    const { reports: [report] } = await maintenance.cleanup({ flags, dryRun: false, nowAtMs: undefined }, { idempotencyKey: `cleanup-${(calls += 1)}`, timeoutMs: 600_000 });
    maxEntries = 0;
    if (report.capped !== archived) throw new Error(`the clean-up archived ${report.capped} sessions, not ${archived}: ${JSON.stringify({ ...report, skipped: report.skipped.slice(0, 2) })}`);
  };
  try {
    const p99 = { with: [], without: [] };
    let tookMs = 1000;
    let sent = 0;
    for (let round = -1; round < ROUNDS; round += 1) {
      const startedAt = performance.now();
      const busy = await send(cleanUp());
      tookMs = performance.now() - startedAt;
      const quiet = await send(new Promise((resolve) => setTimeout(resolve, Math.max(2000, tookMs))));
      if (round < 0) continue;
      p99.with.push(quantile(busy, 0.99));
      p99.without.push(quantile(quiet, 0.99));
      sent += busy.length;
    }
    return [ratioTo(p99.with, p99.without, 'ms', `${sent} messages during ${ROUNDS} clean-ups of ${archived} sessions, the last of ${Math.round(tookMs)} ms`)];
  } finally {
    await scheduler.stop();
    await writer.stop();
    await bus.close();
  }
}

/** Transcripts of the oldest sessions: the first that a clean-up takes. */
function writeTranscripts(dir, count) {
  const index = new Database(path.join(dir, '.store', 'index.sqlite'), { readonly: true });
  const oldest = index.prepare('SELECT session_id AS id, file FROM session WHERE file IS NOT NULL AND session_id IS NOT NULL ORDER BY sort_at LIMIT ?').all(count);
  index.close();
  for (const { id, file } of oldest) {
    const line = JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: TEXT } });
    writeFileSync(path.join(dir, file), `${JSON.stringify({ type: 'session', version: 3, id })}\n${line}\n`);
  }
}

function messageOf(one) {
  const key = `agent:main:telegram:direct:bench${String(one)}`;
  return DeliverRequest.create({
    agentId: 'main',
    route: ResolvedRoute.create({ agentId: 'main', sessionKey: key, matchedBy: 'default', originKind: 'channel', channel: 'telegram', accountId: 'default', chatType: 'direct', peer: PeerRef.create({ kind: 'direct', id: `bench${String(one)}` }) }),
    message: InboundMessage.create({ role: 'user', text: TEXT, attachments: [], sender: Sender.create({ id: `bench${String(one)}` }) }),
  });
}
