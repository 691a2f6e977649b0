import { readEnvironment, resolvePath } from './env';

describe('readEnvironment', () => {
  it('puts everything below the home directory when nothing is set', () => {
    const read = readEnvironment({}, '/home/ann');
    expect(read).toMatchObject({
      homeDir: '/home/ann',
      stateDir: '/home/ann/.openclaw',
      configPath: '/home/ann/.openclaw/openclaw.json',
      gatewayToken: undefined,
      natsUrl: undefined,
      trajectory: { enabled: true, dir: undefined, flushTimeoutMs: 10_000 },
    });
  });

  it('prefers HOME to the account, and OPENCLAW_HOME to both', () => {
    expect(readEnvironment({ HOME: '/h' }, '/account').stateDir).toBe('/h/.openclaw');
    expect(readEnvironment({ HOME: '/h', OPENCLAW_HOME: '/o' }, '/account').stateDir).toBe('/o/.openclaw');
    expect(readEnvironment({ HOME: '/h', OPENCLAW_HOME: '~/o' }, '/account').stateDir).toBe('/h/o/.openclaw');
  });

  it('finds the configuration in the state directory unless it has a path of its own', () => {
    expect(readEnvironment({ OPENCLAW_STATE_DIR: '/s' }, '/h').configPath).toBe('/s/openclaw.json');
    expect(readEnvironment({ OPENCLAW_STATE_DIR: '/s', OPENCLAW_CONFIG_PATH: '~/c.json' }, '/h').configPath).toBe('/h/c.json');
  });

  it('counts an empty or blank variable as unset', () => {
    const read = readEnvironment({ OPENCLAW_STATE_DIR: '', OPENCLAW_GATEWAY_TOKEN: '  ', SESS_INSTANCE: '' }, '/h');
    expect(read).toMatchObject({ stateDir: '/h/.openclaw', gatewayToken: undefined, instance: undefined });
  });

  it('reads credentials, bus and trajectory settings', () => {
    const read = readEnvironment(
      {
        OPENCLAW_GATEWAY_TOKEN: 't', OPENCLAW_GATEWAY_PASSWORD: 'p', SESS_NATS_URL: 'nats://127.0.0.1:4222',
        SESS_NATS_CREDS: '~/n.creds', OPENCLAW_GATEWAY_PORT: '19001', SESS_INSTANCE: 'a', OPENCLAW_TRAJECTORY: '0', OPENCLAW_TRAJECTORY_DIR: '/t',
        OPENCLAW_TRAJECTORY_FLUSH_TIMEOUT_MS: '250',
      },
      '/h',
    );
    expect(read).toMatchObject({
      gatewayPort: 19_001, gatewayUrl: undefined, gatewayToken: 't', gatewayPassword: 'p', natsUrl: 'nats://127.0.0.1:4222', natsCredsPath: '/h/n.creds', instance: 'a',
      trajectory: { enabled: false, dir: '/t', flushTimeoutMs: 250 },
    });
  });

  it.each([['0', false], ['false', false], ['OFF', false], ['no', false], ['1', true], ['yes', true], ['', true]])('takes OPENCLAW_TRAJECTORY=%j for %j', (value, enabled) => expect(readEnvironment({ OPENCLAW_TRAJECTORY: value }, '/h').trajectory.enabled).toBe(enabled));

  it('hands on all variables, as they were when it read them', () => {
    const variables = { MY_TOKEN: 'x' };
    const read = readEnvironment(variables, '/h');
    variables.MY_TOKEN = 'y';
    expect(read.variables).toEqual({ MY_TOKEN: 'x' });
  });

  it.each(['0', '-1', '1.5', '1e3', 'soon', '0x10', 'Infinity', 'NaN', '2147483648'])('refuses %s milliseconds, naming the variable', (value) => {
    const read = (): unknown => readEnvironment({ OPENCLAW_TRAJECTORY_FLUSH_TIMEOUT_MS: value }, '/h');
    expect(read).toThrow(/OPENCLAW_TRAJECTORY_FLUSH_TIMEOUT_MS is/);
    expect(read).toThrow(expect.objectContaining({ reason: 'CONFIG_INVALID' }));
  });
});

describe('resolvePath', () => {
  it('expands only a leading tilde of its own', () => {
    expect(resolvePath('~', '/h')).toBe('/h');
    expect(resolvePath('~/a', '/h')).toBe('/h/a');
    expect(resolvePath('/x/~/a', '/h')).toBe('/x/~/a');
    expect(resolvePath('/a/../b', '/h')).toBe('/b');
  });
});
