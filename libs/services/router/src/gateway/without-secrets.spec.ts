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
