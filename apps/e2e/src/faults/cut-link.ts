/**
 * A link to a server that can be cut without anybody being told: a TCP proxy on loopback that stops
 * passing bytes on, keeps its sockets, and goes on where it stopped when it is mended.
 */
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';

export interface CutLink {
  readonly port: number;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function createCutLink(targetPort: number): Promise<CutLink> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((inner) => {
    const outer = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [[inner, outer], [outer, inner]] as const) {
      sockets.add(from);
      from.on('data', (bytes) => void to.write(bytes));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        // A cut link carries no end either: the other side finds out by its own pings.
        if (!isCut) to.destroy();
      });
      if (isCut) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
