/** A nats-server that lets in only who shows a signed token, as operators of larger installations run it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNatsBus } from './connect-nats-bus';
import { startNatsServer, type NatsServer } from '../testing/nats-server';
import { createTestCredentials, type TestCredentials } from '../testing/nats-credentials';

const HOLDER = { instance: 'w1', epoch: 1, host: 'h', pid: 1, acquiredAtMs: 0 };
const directory = mkdtempSync(join(tmpdir(), 'nats-credentials-'));
let server: NatsServer;
let made: TestCredentials;

beforeAll(async () => {
  made = createTestCredentials();
  server = await startNatsServer({ config: made.config });
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

function connect(credentials?: string) {
  const credsFile = join(directory, 'user.creds');
  if (credentials !== undefined) writeFileSync(credsFile, credentials, { mode: 0o600 });
  return connectNatsBus({ servers: [server.url], service: 'router', instance: 'r1', subjectPrefix: 'sess', connectTimeoutMs: 5_000, provision: true, ...(credentials === undefined ? {} : { credsFile }) });
}

it('lets in a user with a credentials file, who then has stream and leases', async () => {
  const bus = await connect(made.credentials);
  try {
    const lease = await bus.leases.acquire('store.main', HOLDER);
    expect(lease).toBeDefined();
  } finally {
    await bus.close();
  }
});

it.each([['no credentials', undefined], ['credentials of a stranger', 'stranger']])('refuses at once who shows %s', async (_, who) => {
  await expect(connect(who === undefined ? undefined : made.strangerCredentials)).rejects.toMatchObject({ message: expect.stringMatching(/refused|authori/i) as string });
});

it('names a credentials file that is not there', async () => {
  const credsFile = join(directory, 'missing.creds');
  await expect(connectNatsBus({ servers: [server.url], service: 'router', instance: 'r1', subjectPrefix: 'sess', credsFile })).rejects.toMatchObject({ reason: 'CONFIG_INVALID', message: expect.stringContaining(credsFile) as string });
});
