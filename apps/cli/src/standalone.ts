/**
 * Every service in one process over the in-process bus: what `openclaw gateway run` starts.
 */
import { SessionError } from '@sessions/domain';
import type { Places, SessionConfig } from '@sessions/domain';
import type { HostEnvironment } from '@sessions/host';

export interface StandaloneOptions {
  readonly environment: HostEnvironment;
  readonly places: Places;
  /** As configured, with the flags laid over it. */
  readonly config: SessionConfig;
  readonly listen: {
    /** Literal address: 127.0.0.1, 0.0.0.0 or the one given. */
    readonly host: string;
    /** 0 lets the system choose. */
    readonly port: number;
  };
  /** What clients must present; at least one unless `host` is loopback. */
  readonly auth: { readonly token: string | undefined; readonly password: string | undefined };
  /** Bus of a split deployment: the router part only. */
  readonly natsUrl: string | undefined;
  /** Log lines as JSON instead of text for people. */
  readonly jsonLogs: boolean;
  /** Lines for the person who started it. */
  readonly say: (line: string) => void;
}

/**
 * Starts, serves until SIGINT or SIGTERM, drains.
 * @returns the exit code
 * @throws SessionError when it cannot start
 */
export type StartStandalone = (options: StandaloneOptions) => Promise<number>;

export const startStandalone: StartStandalone = ({ listen }) =>
  Promise.reject(
    new SessionError('UNSUPPORTED', `The services cannot be started in this build (asked to listen on ${listen.host}:${listen.port}).`, {
      facts: { host: listen.host, port: listen.port },
    }),
  );
