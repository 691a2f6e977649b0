/** The door of the agent-runner. */
export { HANDLER_MISSING, createAgentRunner } from './agent-runner';
export type { AgentRunner, AgentRunnerDeps } from './agent-runner';
