/** What one WebSocket of the gateway is given, and what a request of it comes to. */
import type { Clock, Logger } from '@sessions/host';
import type { Channels } from './channel';
import type { Connection } from './connection';
import type { RequestFrame } from './gateway-frames';
import type { HandshakeFacts, Refused } from './handshake';
import type { SendTurns } from './send-turns';

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared by all connections. */
  readonly turns: SendTurns;
  readonly channels: Channels;
  /** What the handshake needs to know at this moment. */
  readonly handshakeFacts: (failureKey: string) => Pick<HandshakeFacts, 'authority' | 'isLimited'>;
  /** Told of every refused `connect`. */
  readonly onRefused?: (refused: Refused, address: string, failureKey: string) => void;
  /** The `hello-ok` payload of an accepted connection. */
  readonly hello: (connection: Connection) => Promise<Readonly<Record<string, unknown>>>;
  /** Serves one request. */
  readonly serve: (connection: Connection, frame: RequestFrame) => Promise<Outcome>;
  readonly onConnected: (connection: Connection) => void;
  readonly onClosed: (connection: Connection) => void;
  readonly bufferedBytesMax?: number;
}

/** What a request came to; `after` runs when its answer has been sent. */
export interface Outcome {
  readonly payload: unknown;
  readonly after?: () => void;
  /** A second answer under the same id, for a request that was accepted and goes on. */
  readonly next?: () => Promise<unknown>;
}
