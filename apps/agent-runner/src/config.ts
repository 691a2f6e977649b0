/** What the agent-runner's process reads. */
import type { AppHelp } from '@sessions/host';

export const ABOUT = {
  name: 'agent-runner',
  version: '0.1.0',
  summary: 'The agent-runner: executes the turns of agents. Takes jobs from the queue and touches no file.',
  probePort: 18_795,
  servesClients: false,
  settings: ['agents.*', 'models.providers.*', 'tools.*', 'agentRunner.maxConcurrent', 'agentRunner.runtime', 'bus.subjectPrefix'],
} as const satisfies AppHelp & { version: string };
