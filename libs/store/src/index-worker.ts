/**
 * Entry of the worker thread that owns the session index of one store: the only writer of
 * `index.sqlite`, the importer and merger of `sessions.json`, and the streamer of its checkpoints.
 *
 * Requests are served one after another; a checkpoint and a search run in steps between them.
 * What can be lost when this thread dies: nothing, the index is derived.
 */
import * as path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { IndexService } from './session-index/index-service';
import { describeWorkerError } from './session-index/worker-error';
import type { OpenIndexRequest, WorkerCallName, WorkerReply, WorkerRequest } from './session-index/worker-protocol';

const port = parentPort;
if (port === null) throw new Error(`${path.basename(__filename)} runs as a worker thread only`);

const service = new IndexService(() => new Promise((resolve) => setImmediate(resolve)));

/** Calls that run in steps and let others pass in between. */
const STEPPED: ReadonlySet<WorkerCallName> = new Set(['writeCheckpoint', 'search', 'scanTranscript', 'sumUsage', 'searchTexts']);
let tail: Promise<void> = Promise.resolve();
/** That was opened. */
let indexFile: string | undefined;

port.on('message', (message: WorkerRequest) => {
  if (STEPPED.has(message.name)) void serve(message);
  else tail = tail.then(() => serve(message));
});

async function serve({ id, name, request }: WorkerRequest): Promise<void> {
  let reply: WorkerReply;
  if (name === 'open') ({ indexFile } = request as OpenIndexRequest);
  try {
    reply = { id, reply: await service.serve(name, request) };
  } catch (error) {
    reply = { id, error: describeWorkerError(error, indexFile) };
  }
  port?.postMessage(reply);
  if (name === 'close') port?.close();
}
