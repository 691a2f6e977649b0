/** What the compaction-worker's process reads. */
import type { AppHelp } from '@sessions/host';

export const ABOUT = {
  name: 'compaction-worker',
  version: '0.1.0',
  summary: 'The compaction-worker: summarises transcripts that outgrow the model\'s context. Takes jobs from the queue and touches no file.',
  probePort: 18_794,
  servesClients: false,
  settings: ['agents.*.compaction.*', 'models.providers.*', 'compactionWorker.maxConcurrent', 'bus.subjectPrefix'],
} as const satisfies AppHelp & { version: string };
