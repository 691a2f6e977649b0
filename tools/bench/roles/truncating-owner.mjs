/** An owner that cuts one transcript to its last lines: how long that took, and the memory that it took beyond what it held. */
import { ListEntriesRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import { defaultConfig } from '@sessions/domain';
import { writeFileSync } from 'node:fs';
import { startOwner } from '../owner.mjs';
import { peakMemory, say, task } from '../sampling.mjs';

const { stateDir, key, warmKey, maxLines } = task();
/** Makes the kernel forget the highest memory so far. */
const forgetPeak = () => writeFileSync('/proc/self/clear_refs', '5');

const owner = await startOwner(stateDir, defaultConfig());
const cut = async (of) => {
  const { result } = await owner.store.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: of, maxLines }));
  if (result?.compacted !== true) throw new Error(`not cut: ${result?.reason}`);
};
await owner.store.listEntries(ListEntriesRequest.create({ agentId: 'main', limit: 10 }));
// Once in a process's life: code is compiled, buffers of reads and hashes are made.
await cut(warmKey);
global.gc?.();
forgetPeak();
const heldBytes = process.memoryUsage.rss();
const startedAt = performance.now();
await cut(key);
const tookMs = performance.now() - startedAt;
const extraBytes = Math.max(0, peakMemory() - heldBytes);
await owner.close();
await say({ tookMs, extraBytes });
process.disconnect();
