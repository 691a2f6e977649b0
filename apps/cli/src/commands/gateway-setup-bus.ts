/**
 * `openclaw gateway setup-bus`: makes the streams, consumers and the bucket of leases that the
 * services bind to. Safe to repeat; with credentials of its own, so that no service needs the right
 * to make or delete any of them. What these hold is never the only copy of anything.
 */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { provisionNats } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import { createBusLink, createHealth, createMetrics, readAppEnvironment, shownServers, silentLogger, systemClock } from '@sessions/host';

export interface SetupBusFlags {
  readonly bus?: string | undefined;
  readonly replicas?: string | undefined;
  readonly json?: boolean | undefined;
}

const REPLICAS = /^[135]$/u;

export async function runGatewaySetupBus(io: CliIo, { bus, replicas = '1', json }: SetupBusFlags, provision: typeof provisionNats = provisionNats): Promise<ExitCode> {
  if (!REPLICAS.test(replicas)) throw new SessionError('VALIDATION', '--replicas must be 1, 3 or 5: the number of servers that keep a copy.', { facts: { option: '--replicas' } });
  const { environment, config } = loadCliContext(io);
  const app = readAppEnvironment(bus === undefined ? environment.variables : { ...environment.variables, SESS_NATS_URL: bus }, environment.homeDir);
  const metrics = createMetrics({ service: 'setup' });
  try {
    const link = createBusLink({ clock: systemClock, logger: silentLogger, metrics, health: createHealth() });
    const made = { connected: true, close: () => Promise.resolve() };
    await link.connect(
      async (connection) => {
        await provision({ ...connection, replicas: Number(replicas) });
        return made;
      },
      app,
      { service: 'setup', instance: 'setup', subjectPrefix: config.bus.subjectPrefix },
    );
  } finally {
    metrics.close();
  }
  const servers = shownServers(app.servers);
  io.out(json === true ? `${JSON.stringify({ ok: true, servers, replicas: Number(replicas) }, null, 2)}\n` : `The bus at ${servers} is set up.\n`);
  return EXIT.ok;
}
