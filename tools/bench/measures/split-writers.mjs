/**
 * Durable appends of many sessions to agents of one writer, and the same to agents shared by two.
 * Each writer is a process; load and NATS share the machine with them, so what each process took of
 * the processors is told as well: where their sum is all there is, the machine is the limit.
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ratioTo } from '../results.mjs';
import { inTurn } from '../sampling.mjs';
import { createHouse, directMessage, processorMs, startNats } from '../split-house.mjs';
import { median } from '../statistics.mjs';

export const name = 'split-writers';
export const rows = [{ what: 'durable appends a second over NATS, four agents on two writers', against: 'the same four agents on one writer', floor: 1.4, goal: 1.8 }];

const ROUNDS = 9;
const AGENTS = ['a1', 'a2', 'b1', 'b2'];
/** Enough that neither layout waits for its clients: with fewer, each of two writers rests while its own disk syncs. */
const SESSIONS_PER_AGENT = 64;
const TEXT = 'Please check the calendar of next week and send the draft of the release plan. '.repeat(11).slice(0, 850);

/** Appends to all sessions of all agents, each waiting for its own acknowledgement. */
async function load(house, pids, ms) {
  const before = Object.values(pids).map(processorMs);
  const startedAt = performance.now();
  let appends = 0;
  await Promise.all(
    AGENTS.flatMap((agentId) =>
      Array.from({ length: SESSIONS_PER_AGENT }, async (_, peer) => {
        while (performance.now() - startedAt < ms) {
          await house.store.deliver(directMessage(agentId, String(peer), TEXT), { idempotencyKey: `${agentId}-${peer}-${performance.now()}` });
          appends += 1;
        }
      }),
    ),
  );
  const tookMs = performance.now() - startedAt;
  const shares = Object.values(pids).map((pid, index) => (processorMs(pid) - before[index]) / tookMs);
  return { perSecond: (1000 * appends) / tookMs, shares };
}

export async function run({ quick, scratch }) {
  const nats = await startNats();
  const houses = [];
  const start = async (prefix, writers) => {
    const house = await createHouse({ nats, stateDir: path.join(scratch, prefix), scratch, prefix });
    houses.push(house);
    const pids = {};
    for (const [instance, agents] of Object.entries(writers)) pids[instance] = (await house.start('store-writer', instance, { storeWriter: { agents } })).pid;
    for (const agentId of AGENTS) await house.pool.claimStore({ agentId });
    return { house, pids: { ...pids, nats: nats.pid, load: process.pid } };
  };
  try {
    const one = await start('one', { w1: ['*'] });
    const two = await start('two', { w1: ['a*'], w2: ['b*'] });
    const ms = quick ? 1500 : 4000;
    const [shared, alone] = await inTurn(ROUNDS, [() => load(two.house, two.pids, ms), () => load(one.house, one.pids, ms)]);
    const told = ({ pids }, runs) => Object.keys(pids).map((name, at) => `${name} ${median(runs.map(({ shares }) => shares[at])).toFixed(2)}`).join(', ');
    const detail = `of ${availableParallelism()} processors: one writer: ${told(one, alone)}; two: ${told(two, shared)}`;
    return [ratioTo(shared.map((run) => run.perSecond), alone.map((run) => run.perSecond), 'appends/s', detail)];
  } finally {
    for (const house of houses) await house.stop();
    await nats.stop();
  }
}
