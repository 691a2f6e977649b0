/** The services in this process as `openclaw gateway run` composes them, and a client of the router on their bus. */
import { createClient, createInProcessBus, createSubjects } from '@sessions/bus';
import { RouterServiceService } from '@sessions/contracts';
import { parseConfig } from '@sessions/domain';
import { createHealth, createMetrics, silentLogger, systemClock } from '@sessions/host';
import { createRouter } from '@sessions/router';
import { createStoreWriter } from '@sessions/store-writer';
import path from 'node:path';

/** @param settings of `openclaw.json`. @returns the client, `agent` (a client in the name of the agent of a session), the address of HTTP and WebSocket, the metrics, and `stop`, which drains as a signal would */
export async function startServices(stateDir, settings = {}) {
  const parsed = parseConfig({ session: { dmScope: 'per-channel-peer' }, ...settings });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const bus = createInProcessBus();
  const metrics = createMetrics({ service: 'bench' });
  const common = { bus, clock: systemClock, logger: silentLogger, metrics, config: () => parsed.config, instance: 'bench' };
  const writer = createStoreWriter({ ...common, places: { stateDir, homeDir: stateDir } });
  const router = createRouter({
    ...common,
    health: createHealth(),
    stateDir,
    configPath: path.join(stateDir, 'openclaw.json'),
    homeDir: stateDir,
    version: '0.0.0',
    listen: { host: '127.0.0.1', port: 0 },
    auth: {},
  });
  await writer.start();
  await router.start();
  const subjects = createSubjects();
  const client = createClient(bus, RouterServiceService, { caller: 'client:bench', scopes: ['operator.admin'], subject: (method) => subjects.router(method) });
  const { host, port } = router.address();
  return {
    client,
    agent: (sessionKey) => createClient(bus, RouterServiceService, { caller: `agent:${sessionKey}`, subject: (method) => subjects.router(method) }),
    metrics,
    url: `http://${host}:${port}`,
    async stop() {
      for (const service of [router, writer]) {
        await service.drain();
        await service.stop();
      }
      metrics.close();
      await bus.close();
    },
  };
}
