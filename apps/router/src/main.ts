/** The router as a process of its own. */
import { connectNatsBus, traceBus } from '@sessions/bus';
import { listenFailure, runAppHere, type Service } from '@sessions/host';
import { createRouter } from '@sessions/router';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { ABOUT, routerConfig } from './config';

/** Where the contracts' sources stand, for gRPC reflection: in a checkout and in the image. */
const PROTO_DIR = path.resolve(__dirname, '../../../proto');

runAppHere({
  ...ABOUT,
  connectBus: connectNatsBus,
  createServices(parts): Service[] {
    const { places, environment, tracer, ...shared } = parts;
    const own = routerConfig(parts);
    const router = createRouter({
      ...shared,
      ...own,
      bus: traceBus(parts.bus, tracer),
      stateDir: places.stateDir,
      homeDir: places.homeDir,
      configPath: environment.configPath,
      version: ABOUT.version,
      subjectPrefix: parts.config().bus.subjectPrefix,
      ...(existsSync(PROTO_DIR) ? { protoDir: PROTO_DIR } : {}),
    });
    const start = (): Promise<void> =>
      router.start().catch((error: unknown) => {
        throw listenFailure(error, own.listen, 'Stop that program, or choose another port with SESS_PORT.');
      });
    return [{ name: router.name, start, drain: () => router.drain(), stop: () => router.stop() }];
  },
});
