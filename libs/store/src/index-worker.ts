/**
 * Entry of the worker thread that owns the session index of one store: the only writer of
 * `index.sqlite`, the importer and merger of `sessions.json`, and the streamer of its checkpoints.
 *
 * Requests are served one after another; a checkpoint and a search run in steps between them.
 * What can be lost when this thread dies: nothing, the index is derived.
 */
import * as path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { SessionError } from '@sessions/domain';
import { IndexService } from './session-index/index-service';
import type { WorkerCallName, WorkerReply, WorkerRequest } from './session-index/worker-protocol';

const port = parentPort;
if (port === null) throw new Error(`${path.basename(__filename)} runs as a worker thread only`);

const service = new IndexService(() => new Promise((resolve) => setImmediate(resolve)));

/** Calls that run in steps and let others pass in between. */
const STEPPED: ReadonlySet<WorkerCallName> = new Set(['writeCheckpoint', 'search', 'scanTranscript', 'sumUsage', 'searchTexts']);
let tail: Promise<void> = Promise.resolve();

port.on('message', (message: WorkerRequest) => {
  if (STEPPED.has(message.name)) void serve(message);
  else tail = tail.then(() => serve(message));
});

async function serve({ id, name, request }: WorkerRequest): Promise<void> {
  let reply: WorkerReply;
  try {
    reply = { id, reply: await service.serve(name, request) };
  } catch (error) {
    reply = { id, error: describe(error) };
  }
  port?.postMessage(reply);
  if (name === 'close') port?.close();
}

function describe(error: unknown): NonNullable<WorkerReply['error']> {
  if (error instanceof SessionError) {
    const { reason, message, hint, facts } = error;
    return { reason, message, facts: { ...facts }, ...(hint === undefined ? {} : { hint }) };
  }
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const reason = code === 'ENOSPC' || code === 'SQLITE_FULL' ? 'DISK_FULL' : code === 'EROFS' || code === 'SQLITE_READONLY' ? 'READ_ONLY' : 'INTERNAL';
  return { reason, message, facts: { code: typeof code === 'string' ? code : null } };
}
