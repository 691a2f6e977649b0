/** The door of the agent-runner. */
export { createAgentRunner } from './agent-runner';
export type { AgentRunner, AgentRunnerDeps } from './agent-runner';
export { RUNTIME_QUEUE_GROUP, serveDefaultRuntime } from './runtime/default-runtime';
export type { RuntimeDeps } from './runtime/default-runtime';
