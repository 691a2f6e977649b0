/** Three nats-servers that keep three copies of what JetStream holds, on loopback. */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { createServer } from 'node:net';
import { once } from 'node:events';

const NODES = 3;

export interface NatsCluster {
  /** All of its nodes, comma separated. */
  readonly url: string;
  readonly nodes: readonly NatsServer[];
  stop(): Promise<void>;
}

/** @param config further lines for each node */
export async function startNatsCluster(config: string): Promise<NatsCluster> {
  const ports = await freePorts(NODES);
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(', ');
  const nodes = await Promise.all(
    ports.map((port, index) =>
      startNatsServer({ config: `${config}\nserver_name: node-${index + 1}\ncluster { name: sessions, listen: "127.0.0.1:${port}", routes: [${routes}] }` }),
    ),
  );
  return {
    url: nodes.map((node) => node.url).join(','),
    nodes,
    stop: () => Promise.all(nodes.map((node) => node.stop())).then(() => undefined),
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      return address.port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
