/** What the process that is killed and the spec that kills it both name. */

/** Any of the tools that a run is offered. */
export const TOOL = 'sessions_list';

/** One conversation in one life. */
export interface Conversation {
  readonly key: string;
  /** The call at which it dies; calls are numbered by their argument `number`. */
  readonly diesAt: number;
  /** Its result is on its way when it dies; else the tool is at work. */
  readonly isAnswered: boolean;
  /** What is sent when no turn is open. */
  readonly message: string;
}

export interface AgentTask {
  readonly stateDir: string;
  /** Of the model. */
  readonly baseUrl: string;
  readonly api: string;
  readonly conversations: readonly Conversation[];
}

/** Said when every conversation has made its call, before any of these has its result. */
export const ALL_CALLED = 'all called';
