/** Every service a process of its own over a real nats-server: two routers, two store-writers, one of each other. */
import { startNatsServer } from '@sessions/bus/testing';
import type { NatsServer } from '@sessions/bus/testing';
import { runCommand } from '../support/command';
import { doorAt } from '../support/door';
import type { Door } from '../support/door';
import { freePort } from '../support/free-port';
import { TOKEN } from '../support/scene';
import { startApp } from '../support/split-app';
import type { AppName, SplitApp } from '../support/split-app';
import { waitUntil } from '../support/wait-until';
import { CONFIG_TAKEN } from './deployment';
import type { CreateDeployment } from './deployment';
import { writeSettings } from './write-settings';

const COPIES: readonly (readonly [app: AppName, count: number])[] = [
  ['store-writer', 2],
  ['maintenance-scheduler', 1],
  ['compaction-worker', 1],
  ['agent-runner', 1],
  ['router', 2],
];
/** As docs/operations.md says: who takes work in first, who keeps it last. */
const END_ORDER: readonly (readonly AppName[])[] = [['router'], ['maintenance-scheduler', 'compaction-worker', 'agent-runner'], ['store-writer']];

export const createSplit: CreateDeployment = (stateDir, initial) => {
  let nats: NatsServer | undefined;
  let firstPort: number | undefined;
  let settings = initial;
  const running: { readonly app: AppName; readonly copy: number; readonly process: SplitApp }[] = [];
  let doors: readonly Door[] = [];

  const startOne = async (app: AppName, copy: number, natsUrl: string): Promise<void> => {
    const env = { SESS_INSTANCE: `${app}-${copy}`, SESS_NATS_CONNECT_TIMEOUT_MS: '10000', ...(app === 'router' && { SESS_GRPC_PORT: '0', SESS_PORT: copy === 1 ? String(firstPort) : '0' }) };
    running.push({ app, copy, process: await startApp(app, stateDir, natsUrl, { env }) });
  };
  const takenCount = ({ process }: { readonly process: SplitApp }): number => process.lines().filter(({ msg }) => msg === CONFIG_TAKEN).length;

  return {
    name: 'split',
    stateDir,
    get doors() {
      return doors;
    },
    async start() {
      firstPort ??= await freePort();
      writeSettings(stateDir, firstPort, settings);
      // A new server each time, with nothing of the last one: no work may rest on what NATS kept.
      const server = (nats = await startNatsServer());
      const setUp = await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', server.url]);
      if (setUp.exitCode !== 0) throw new Error(setUp.stderr);
      const starts = COPIES.flatMap(([app, count]) => Array.from({ length: count }, (_, at) => startOne(app, at + 1, server.url)));
      const failed = (await Promise.allSettled(starts)).find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      doors = [...running].sort((one, other) => one.copy - other.copy).flatMap(({ app, process: { port, grpcPort } }) =>
        app === 'router' ? [doorAt({ url: `http://127.0.0.1:${String(port)}`, grpc: `127.0.0.1:${String(grpcPort)}`, token: TOKEN })] : [],
      );
    },
    async configure(next) {
      const before = running.map(takenCount);
      writeSettings(stateDir, firstPort ?? 0, (settings = next));
      await waitUntil('every process takes the new settings', () => (running.every((one, at) => takenCount(one) > (before[at] ?? 0)) ? true : undefined));
    },
    async stop() {
      const codes: (number | null)[] = [];
      for (const step of END_ORDER) codes.push(...(await Promise.all(running.filter(({ app }) => step.includes(app)).map(({ process }) => process.stop()))));
      running.length = 0;
      await nats?.stop();
      return codes;
    },
    async kill() {
      for (const { process } of running.splice(0)) await process.kill();
      await nats?.stop();
    },
  };
};
