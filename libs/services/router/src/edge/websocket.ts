/** Turns upgrade requests of the HTTP server into gateway connections, on any path. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { Channels } from '../gateway/channel';
import type { Channel } from '../gateway/channel';
import { CLOSE } from '../gateway/handshake';
import { Connection } from '../gateway/connection';
import { FRAME_BYTES_MAX } from '../gateway/connection-bounds';
import type { ConnectionDeps } from '../gateway/connection-deps';
import { SendTurns } from '../gateway/send-turns';

/** Connections at a time, those that have not said who they are included; one more is refused. */
export const CONNECTIONS_MAX = 4096;

const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

export interface GatewaySockets {
  readonly connections: ReadonlySet<Connection>;
  /** Connected clients by what they hear. */
  readonly channels: Iterable<Channel>;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes no further connection and says goodbye to those there are. */
  drain(): void;
  /** Cuts what is left. */
  stop(): void;
}

export function createGatewaySockets(deps: Omit<ConnectionDeps, 'onClosed' | 'turns' | 'channels'> & Partial<Pick<ConnectionDeps, 'onClosed'>>): GatewaySockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false, clientTracking: false });
  const connections = new Set<Connection>();
  const turns = new SendTurns(deps.clock);
  const channels = new Channels((channel) => turns.addGroup(channel));
  let draining = false;
  const connectionDeps: ConnectionDeps = {
    ...deps,
    turns,
    channels,
    onClosed(connection) {
      connections.delete(connection);
      deps.onClosed?.(connection);
    },
  };
  return {
    connections,
    channels,
    handleUpgrade(request, socket, head) {
      // A socket that fails before it is a WebSocket has nobody else to hear of it.
      socket.on('error', () => socket.destroy());
      if (draining || connections.size >= CONNECTIONS_MAX) return void socket.end(BUSY);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = new Connection(webSocket, request, connectionDeps);
        connections.add(connection);
        connection.open();
      });
    },
    drain() {
      draining = true;
      for (const connection of connections) {
        if (connection.isConnected) connection.sendText(SHUTDOWN);
        connection.close(CLOSE.restart, 'service restart');
      }
    },
    stop() {
      draining = true;
      for (const connection of connections) connection.terminate();
    },
  };
}

const SHUTDOWN = JSON.stringify({ type: 'event', event: 'shutdown', payload: { reason: 'service restart', restartExpectedMs: null } });
