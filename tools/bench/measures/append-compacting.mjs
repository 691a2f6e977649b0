/**
 * The slow end of appends to a session while a model summarises it, against appends to the same session
 * while nobody does. Owner, worker and a model on loopback that takes its time, in one process.
 */
import { CompactRequest, CompactionServiceService, AppendRecordsRequest, RequestCompactionRequest, StoreServiceCreateSessionRequest } from '@sessions/contracts';
import { createClient } from '@sessions/bus';
import { createCompactionWorker } from '@sessions/compaction-worker';
import { parseConfig } from '@sessions/domain';
import { startModelServer } from '@sessions/llm/testing';
import path from 'node:path';
import { ratioTo } from '../results.mjs';
import { inTurn } from '../sampling.mjs';
import { startOwner } from '../owner.mjs';
import { quantile } from '../statistics.mjs';

export const name = 'append-compacting';
export const rows = [{ what: 'appends at p99 while their session is summarised', against: 'while it is not', floor: 3, goal: 1.5 }];

const ROUNDS = 9;
const APPENDS = 300;
const FRESH = 20;
/** A long answer, piece by piece: the worker reads all the while. */
const PIECES = 400;
const PIECE_MS = 20;
const KEY = 'agent:main:dashboard:busy';

export async function run({ scratch }) {
  const model = await startModelServer(() => ({ chunks: Array.from({ length: PIECES }, () => 'word '), chunkDelayMs: PIECE_MS }));
  const provider = { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small', contextWindow: 100_000, maxTokens: 4_000 }] };
  const { config } = parseConfig({ models: { providers: { local: provider } }, agents: { defaults: { model: { primary: 'local/small' } } } });
  const { store, shared, subjects, close } = await startOwner(path.join(scratch, 'busy'), config);
  const worker = createCompactionWorker(shared);
  await worker.start();
  const compaction = createClient(shared.bus, CompactionServiceService, { caller: 'client:bench', subject: (method) => subjects.compaction(method), deadlineMs: 600_000 });
  const { sessionId } = await store.createSession(StoreServiceCreateSessionRequest.create({ agentId: 'main', key: KEY }));
  let number = 0;
  const append = () => {
    const message = { role: (number += 1) % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `n${number}. ${'word '.repeat(180)}` }] };
    return store.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines: [Buffer.from(JSON.stringify({ type: 'message', message }))] }));
  };
  const p99 = async () => {
    const times = [];
    for (let call = 0; call < APPENDS; call += 1) {
      const startedAt = performance.now();
      await append();
      times.push(performance.now() - startedAt);
    }
    return quantile(times, 0.99);
  };
  try {
    const during = async () => {
      // Something to summarise, also where the last thing was a summary.
      for (let call = 0; call < FRESH; call += 1) await append();
      const { operationId, result: refused } = await store.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason: 'manual' }));
      if (refused !== undefined) throw new Error(`not begun: ${refused.reason}`);
      const ended = compaction.compact(CompactRequest.create({ agentId: 'main', operationId }));
      let isOver = false;
      void ended.finally(() => (isOver = true)).catch(() => undefined);
      while (model.open === 0 && !isOver) await new Promise((resolve) => setTimeout(resolve, 5));
      const sample = isOver ? undefined : await p99();
      const { result } = await ended;
      if (sample === undefined || result?.compacted !== true) throw new Error(`not compacted: ${result?.reason}`);
      return sample;
    };
    const [busy, quiet] = await inTurn(ROUNDS, [during, p99]);
    return [ratioTo(busy, quiet, 'ms')];
  } finally {
    await worker.drain();
    await worker.stop();
    await close();
    await model.close();
  }
}
