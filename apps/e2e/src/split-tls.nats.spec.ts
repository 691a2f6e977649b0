/** The apps over a nats-server that speaks TLS only and lets in only who shows a certificate. */
import { startNatsServer, type NatsServer } from '@sessions/bus/testing';
import { AUTHORITY_CERT, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from '@sessions/router/testing';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './support/command';
import { startApp, type SplitApp } from './support/split-app';

const TOKEN = 'only-for-this-test';

const directory = mkdtempSync(join(tmpdir(), 'split-tls-'));
const stateDir = join(directory, 'state');
const pem = (name: string, bytes: Buffer): string => {
  const file = join(directory, `${name}.pem`);
  writeFileSync(file, bytes, { mode: 0o600 });
  return file;
};
const FILES = { SESS_NATS_CA: pem('authority', AUTHORITY_CERT), SESS_NATS_CERT: pem('client', CLIENT_CERT), SESS_NATS_KEY: pem('client-key', CLIENT_KEY) };

let nats: NatsServer;
const apps: SplitApp[] = [];

beforeAll(async () => {
  const config = `tls { cert_file: ${JSON.stringify(pem('server', SERVER_CERT))}, key_file: ${JSON.stringify(pem('server-key', SERVER_KEY))}, ca_file: ${JSON.stringify(FILES.SESS_NATS_CA)}, verify: true }`;
  nats = await startNatsServer({ config });
}, 60_000);
afterAll(async () => {
  for (const app of apps.splice(0)) await app.kill();
  await nats.stop();
  rmSync(directory, { recursive: true, force: true });
});

it('takes a message in over router and store-writer that show their certificates', async () => {
  mkdirSync(stateDir);
  writeFileSync(join(stateDir, 'openclaw.json'), JSON.stringify({ gateway: { auth: { token: TOKEN } } }));
  const { exitCode } = await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', nats.url], { env: FILES });
  expect(exitCode).toBe(0);
  for (const app of ['store-writer', 'router'] as const) apps.push(await startApp(app, stateDir, nats.url, { env: FILES }));
  const response = await fetch(`http://127.0.0.1:${String(apps[1]?.port)}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '1' }, text: 'over TLS' }),
  });
  expect(response.status).toBe(202);
});

it.each([
  ['trusts no authority', {}],
  ['shows no certificate', { SESS_NATS_CA: FILES.SESS_NATS_CA }],
])('does not start an app that %s, and says so', async (_, env) => {
  const outcome = await startApp('agent-runner', stateDir, nats.url, { env }).then(
    (app) => app.kill().then(() => 'it started'),
    (error: unknown) => String(error),
  );
  expect(outcome).toMatch(/exit 1/);
  expect(outcome).toMatch(/certificate|TLS/i);
});
