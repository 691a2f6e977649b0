import { parseServers } from './server-address';

describe('addresses of NATS servers', () => {
  it('are taken apart into hosts and credentials', () => {
    expect(parseServers(['nats://router:p%40ss@one', 'nats://two:4333'])).toEqual({
      hosts: ['one:4222', 'two:4333'],
      tls: false,
      user: 'router',
      pass: 'p@ss',
    });
    expect(parseServers(['tls://token@[::1]:4222'])).toEqual({ hosts: ['[::1]:4222'], tls: true, token: 'token' });
    expect(parseServers(['localhost:4222'])).toEqual({ hosts: ['localhost:4222'], tls: false });
  });

  it.each([[[]], [['http://one']], [['nats://']], [['nats://user:secret@']], [['nats://user:secret@host:port']]])('are refused when they are none: %j', (servers: string[]) => {
    const parse = () => parseServers(servers);
    expect(parse).toThrow(expect.objectContaining({ reason: 'CONFIG_INVALID' }));
    expect(parse).not.toThrow(/secret/);
  });
});

describe('the package nats', () => {
  it('is not loaded by importing the bus', () => {
    jest.isolateModules(() => {
      jest.doMock('nats', () => {
        throw new Error('nats was loaded');
      });
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- a fresh registry has to load it here
      expect(() => require('../index')).not.toThrow();
    });
  });
});
