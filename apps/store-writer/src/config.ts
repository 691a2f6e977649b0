/** What the store-writer's process reads. */
import type { AppHelp } from '@sessions/host';

export const ABOUT = {
  name: 'store-writer',
  version: '0.1.0',
  summary: 'The store-writer: the only process that writes the files of agents\' stores. Each store has one owner at a time; copies share the agents among themselves.',
  probePort: 18_792,
  servesClients: false,
  settings: ['session.*', 'storeWriter.agents', 'storeWriter.checkpointDelayMs', 'agents.*', 'models.providers.*', 'models.pricing.enabled', 'bus.subjectPrefix'],
} as const satisfies AppHelp & { version: string };

/** Threads of libuv's pool: every file operation of every store runs there. */
export const POOL_THREADS = '16';
