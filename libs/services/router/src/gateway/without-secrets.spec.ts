import { HIDDEN, withoutSecrets } from './without-secrets';

it('hides whatever a name makes look like a secret, however deep, and nothing else', () => {
  const shown = withoutSecrets({
    gateway: { port: 18789, auth: { mode: 'token', token: 'T-1', password: 1234, tokens: [{ name: 'ann', token: 'T-2', scopes: ['operator.read'] }] } },
    models: { providers: { p: { baseUrl: 'https://u:T-3@host/v1?api_key=T-4&x=1', apiKey: { source: 'exec', id: 'T-5' }, headers: { 'x-any': 'T-6' }, models: [{ id: 'm', maxTokens: 4096 }] } } },
    channels: { telegram: { botToken: 'T-7', accounts: { a: { webhookSecret: 'T-8' } } } },
    env: { vars: { ANYTHING: 'T-9' } },
    session: { mainKey: 'main', dmScope: 'main', reset: { notice: true, idleMinutes: null } },
    plugins: { entries: { x: { note: 'sk-T10aaaaaaaaaaaaaaaa', key: 'T-11' } } },
  });
  expect(JSON.stringify(shown)).not.toMatch(/T-?\d/u);
  expect(JSON.stringify(shown)).not.toContain('1234');
  expect(shown).toMatchObject({
    gateway: { port: 18789, auth: { mode: 'token', token: HIDDEN } },
    models: { providers: { p: { baseUrl: `https://${HIDDEN}@host/v1?api_key=${HIDDEN}&x=1`, models: [{ id: 'm', maxTokens: 4096 }] } } },
    session: { mainKey: 'main', dmScope: 'main', reset: { notice: true, idleMinutes: null } },
  });
});

it.each([
  { encryptKey: 'T-1' },
  { pin: 'T-1' },
  { dbPass: 'T-1' },
  { basicAuth: 'me:T-1' },
  { jwt: 'T-1' },
  { keys: ['T-1'] },
  { 'api key': 'T-1' },
  { environment: { ANYTHING: 'T-1' } },
  { args: ['run', '--api-key', 'T-1', '-p', '80'] },
  { params: [{ name: 'Authorization', value: 'T-1' }] },
  { url: 'postgres://me:p@T-1@host/db' },
  { url: 'postgres://me:p/T-1@host/db' },
  { botToken: 771177 },
  { apiKey: 771177 },
  { env: { DB_PASS: 771177 } },
  { headers: { 'x-any': 771177 } },
  { secret: { value: 771177 } },
])('hides it in %j', (config) => {
  const text = JSON.stringify(withoutSecrets(config));
  expect(text).not.toMatch(/T-1|771177/u);
  expect(text).toContain(HIDDEN);
});

it.each([
  { mainKey: 'home', maxTokens: 4096, pinned: true, spinner: 'dots' },
  { provider: { auth: 'oauth', baseUrl: 'http://127.0.0.1:8080/@scope/x' } },
  { identityLinks: { ann: ['imessage:ann@example.org', 'telegram:1'] } },
  { args: ['--port', '80', '--key-file', '/etc/x'] },
  { params: [{ name: 'limit', value: 'ten' }] },
])('shows %j as it is', (config) => {
  expect(withoutSecrets(config)).toEqual(config);
});
