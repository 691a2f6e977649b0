/** `openclaw gateway run`: every service in one process, one door. */
import { startGateway } from '../support/gateway';
import type { Gateway } from '../support/gateway';
import { freePort } from '../support/free-port';
import { TOKEN } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { CONFIG_TAKEN } from './deployment';
import type { CreateDeployment } from './deployment';
import { writeSettings } from './write-settings';

export const createStandalone: CreateDeployment = (stateDir, initial) => {
  let gateway: Gateway | undefined;
  let port: number | undefined;
  let settings = initial;
  const takenCount = (): number => (gateway?.printed() ?? '').split(CONFIG_TAKEN).length - 1;
  return {
    name: 'standalone',
    stateDir,
    get doors() {
      return gateway === undefined ? [] : [gateway];
    },
    async start() {
      port ??= await freePort();
      writeSettings(stateDir, port, settings);
      gateway = await startGateway(stateDir, { token: TOKEN, args: ['--port', String(port), '--grpc-port', '0'] });
    },
    async configure(next) {
      const before = takenCount();
      writeSettings(stateDir, port ?? 0, (settings = next));
      await waitUntil('the gateway takes the new settings', () => (takenCount() > before ? true : undefined));
    },
    stop: async () => [(await gateway?.stop()) ?? null],
    kill: async () => gateway?.kill(),
  };
};
