/** What a router is made of, and what its parts share. */
import type { SessionConfig } from '@sessions/domain';
import type { Bus, Subjects } from '@sessions/bus';
import type { Clock, ConfigFileState, Health, Logger, Metrics } from '@sessions/host';
import type { Credentials } from './auth/credentials';
import type { GrpcTls } from './edge/grpc';
import type { RunEnds } from './run-ends';
import type { RunPlaces } from './run-places';
import type { KnownAgents } from './store/known-agents';
import type { StoreCalls } from './store/store-calls';
import type { WorkerCalls } from './store/worker-calls';
import type { TurnSends } from './tools/turn-sends';

export interface Listen {
  /** Address or name to bind, `127.0.0.1` for this machine only. */
  readonly host: string;
  /** 0: a free one, see `Router.address()`. */
  readonly port: number;
}

export interface RouterDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  /** The configuration in force at this moment. */
  readonly config: () => SessionConfig;
  /** What the file of it says. Absent: `config.get` shows the values in force alone. */
  readonly configFile?: () => ConfigFileState;
  /** State directory and configuration file, shown to administrators only. */
  readonly stateDir: string;
  readonly configPath: string;
  readonly homeDir: string;
  /** Version of the program, shown to clients. */
  readonly version: string;
  /** Name of this copy, in callers and logs. */
  readonly instance: string;
  /** HTTP and WebSocket, one port. */
  readonly listen: Listen;
  /** Absent: gRPC is not served. */
  readonly grpcListen?: Listen;
  /** Absent: gRPC in plain text. */
  readonly grpcTls?: GrpcTls;
  /** Directory that holds `sessions/v1/*.proto`, for gRPC reflection. Absent: no reflection. */
  readonly protoDir?: string;
  /** Neither token nor password, nor users or a trusted proxy in the configuration: everybody who reaches the port may do everything. */
  readonly auth: Credentials;
  readonly subjectPrefix?: string;
  /** In [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** What the handlers of the RouterService are made of. */
export interface HandlerDeps {
  readonly config: () => SessionConfig;
  readonly clock: Clock;
  readonly stores: StoreCalls;
  readonly workers: WorkerCalls;
  readonly agents: KnownAgents;
  readonly runEnds: RunEnds;
  readonly runPlaces: RunPlaces;
  readonly turnSends: TurnSends;
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly logger: Logger;
  readonly stateDir: string;
  readonly homeDir: string;
}
