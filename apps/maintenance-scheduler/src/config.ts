/** What the maintenance-scheduler's process reads. */
import type { AppHelp } from '@sessions/host';

export const ABOUT = {
  name: 'maintenance-scheduler',
  version: '0.1.0',
  summary: 'The maintenance-scheduler: decides when stores are tidied and touches no file. One copy leads, the others wait to take over.',
  probePort: 18_793,
  servesClients: false,
  settings: ['session.maintenance.*', 'bus.subjectPrefix'],
} as const satisfies AppHelp & { version: string };
