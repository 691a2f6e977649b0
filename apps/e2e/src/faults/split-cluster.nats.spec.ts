/** The split deployment over a cluster of three nats-servers whose nodes are killed one after the other. */
import { startNatsCluster, type NatsCluster } from './nats-cluster';
import { DROPS_DEAD_PEERS, Scene, TIMEOUT_MS, pause } from './fault-scene';

let cluster: NatsCluster;
const scene = new Scene();

beforeEach(async () => {
  cluster = await startNatsCluster(DROPS_DEAD_PEERS);
}, TIMEOUT_MS);
afterEach(async () => {
  await scene.end();
  await cluster.stop();
}, TIMEOUT_MS);

it('keeps every accepted message while each node of the cluster, its leaders among them, is killed and comes back', async () => {
  await scene.begin({ natsUrl: cluster.url, replicas: 3 });
  for (const [index, node] of cluster.nodes.entries()) {
    await scene.fault(`kill -9 of node ${index + 1}, away for 6 s`, async () => {
      await node.kill();
      await pause(6_000);
      await node.restart();
      await pause(4_000);
    });
  }
  await scene.fault('kill -9 of the owner', async () => {
    const owner = scene.system.ownerOf('main');
    await scene.system.app(owner).kill();
    await scene.system.startApp('store-writer', owner);
  });
  expect(await scene.check()).toBe('');
}, TIMEOUT_MS);
