/** What a process runs: something that starts, refuses new work while it finishes old, and stops. */
export interface Service {
  /** Names the service in logs and errors. */
  readonly name: string;
  /** Resolves when the service takes work. @throws when it cannot; it then holds nothing open. */
  start(): Promise<void>;
  /** Takes no new work and resolves when the work in hand is finished. */
  drain(): Promise<void>;
  /** Closes all that it holds, finished or not. */
  stop(): Promise<void>;
}
