/**
 * One way to run the whole system, as the scenarios see it: a state directory, doors to come in by,
 * a start and an orderly end. What happens behind the doors is the deployment's own affair.
 */
import type { Door } from '../support/door';

/** `openclaw.json` without `gateway`: port and credentials are the deployment's. */
export type Settings = Readonly<Record<string, unknown>>;

export interface Deployment {
  readonly name: string;
  readonly stateDir: string;
  /** One a gateway or router; those of the last start. */
  readonly doors: readonly Door[];
  /** Resolves when every door serves. The first door's port is the one of the configuration. */
  start(): Promise<void>;
  /** Resolves when every process has the new settings in force. */
  configure(settings: Settings): Promise<void>;
  /** Ends every process in the order that operators are told. @returns their exit codes */
  stop(): Promise<readonly (number | null)[]>;
  /** Ends what still runs, whatever the test came to. */
  kill(): Promise<void>;
}

/** @param stateDir an empty directory */
export type CreateDeployment = (stateDir: string, settings: Settings) => Deployment;

/** What every process logs when an edited configuration has been taken. */
export const CONFIG_TAKEN = 'the configuration was read again';
