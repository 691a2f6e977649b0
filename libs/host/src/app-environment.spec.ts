import { appHelp, readAppEnvironment } from './app-environment';

describe('the environment of an app', () => {
  it('has a default for everything', () => {
    expect(readAppEnvironment({}, '/home/a')).toEqual({
      servers: ['nats://127.0.0.1:4222'],
      credsFile: undefined,
      caFile: undefined,
      certFile: undefined,
      keyFile: undefined,
      connectTimeoutMs: 10_000,
      listenHost: undefined,
      port: undefined,
      grpcPort: undefined,
      probePort: undefined,
      drainTimeoutMs: 10_000,
      watchdogMs: 30_000,
      logLevel: 'info',
      logFormat: 'json',
    });
  });

  it('reads what is given', () => {
    const variables = { SESS_NATS_URL: ' nats://a:1, b:2 ', SESS_NATS_CA: '~/ca.pem', SESS_PROBE_PORT: 'off', SESS_GRPC_PORT: '0', SESS_LISTEN_HOST: 'lan', SESS_WATCHDOG_MS: '0', SESS_LOG_LEVEL: '' };
    expect(readAppEnvironment(variables, '/home/a')).toMatchObject({ servers: ['nats://a:1', 'b:2'], caFile: '/home/a/ca.pem', probePort: 'off', grpcPort: 0, listenHost: '0.0.0.0', watchdogMs: 0, logLevel: 'info' });
  });

  it('refuses everything that it cannot understand at once, and shows no address with a password', () => {
    const variables = { SESS_NATS_URL: 'nats://u:secret@', SESS_PORT: '65536', SESS_DRAIN_TIMEOUT_MS: '1.5', SESS_LISTEN_HOST: 'moon', SESS_LOG_FORMAT: 'xml' };
    const refusal = (): unknown => readAppEnvironment(variables, '/');
    for (const name of Object.keys(variables)) expect(refusal).toThrow(name);
    expect(refusal).toThrow(/^(?!.*secret)/su);
  });

  it('is told by --help, with the defaults', () => {
    const about = { name: 'router', summary: 'It routes.', probePort: 18_791, settings: ['gateway.*'] };
    const help = appHelp({ ...about, servesClients: true });
    for (const word of ['SESS_NATS_URL', 'SESS_PROBE_PORT', '18791', 'SESS_PORT', 'OPENCLAW_GATEWAY_TOKEN', 'gateway.*', 'Examples:']) expect(help).toContain(word);
    expect(appHelp({ ...about, servesClients: false })).not.toContain('SESS_PORT ');
  });
});
