import { parsePort, runGatewayRun } from './gateway-run';
import { isLoopback, parseBind } from '@sessions/host';
import { CLIENT_KEY, SERVER_CERT, SERVER_KEY } from '@sessions/router/testing';
import type { StandaloneOptions } from '../standalone';
import { recordingIo } from '../testing';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('gateway run', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cli-run-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function start(flags: Parameters<typeof runGatewayRun>[1], env: Record<string, string> = {}, code = 0): Promise<{ options: StandaloneOptions; code: number; stdout: string }> {
    const io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory, ...env } });
    const started: StandaloneOptions[] = [];
    const exit = await runGatewayRun(io, flags, (options) => (started.push(options), Promise.resolve(code)));
    const [options] = started;
    if (options === undefined) throw new Error('it was not started');
    return { options, code: exit, stdout: io.stdout() };
  }

  it('makes a configuration with a token at its first start, for its owner only, and says so', async () => {
    const { options, stdout } = await start({});
    const file = join(directory, 'openclaw.json');
    expect(stdout).toContain(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain(options.auth.token);
    expect(options.auth.token).toMatch(/^[0-9a-f]{32,}$/);
    const again = await start({});
    expect(again.options.auth.token).toBe(options.auth.token);
    expect(again.stdout).toBe('');
  });

  it('makes none when a credential is given, and leaves one that exists', async () => {
    expect((await start({ token: 't' })).options.auth).toEqual({ token: 't', password: undefined });
    expect((await start({}, { OPENCLAW_GATEWAY_PASSWORD: 'p' })).options.auth.password).toBe('p');
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 19001 } }');
    expect((await start({})).options).toMatchObject({ listen: { host: '127.0.0.1', port: 19_001 }, auth: { token: undefined } });
  });

  it('lays flags over the configuration', async () => {
    writeFileSync(join(directory, 'openclaw.json'), '{ gateway: { port: 19001, auth: { token: "configured" } } }');
    const { options } = await start({ port: '0', bind: 'lan', password: 'p', grpcPort: '0', json: true });
    expect(options).toMatchObject({ listen: { host: '0.0.0.0', port: 0 }, auth: { token: 'configured', password: 'p' }, grpcPort: 0, jsonLogs: true });
  });

  it('serves gRPC where the environment says so, as the router alone does, and the flag comes first', async () => {
    const portOf = async (variable: string | undefined, grpcPort?: string): Promise<number | undefined> =>
      (await start({ token: 't', grpcPort }, variable === undefined ? {} : { SESS_GRPC_PORT: variable })).options.grpcPort;
    expect(await portOf(undefined)).toBeUndefined();
    expect(await portOf('50051')).toBe(50_051);
    expect(await portOf('50051', '0')).toBe(0);
    for (const none of ['', 'off']) expect(await portOf(none)).toBeUndefined();
    await expect(portOf('x')).rejects.toThrow('SESS_GRPC_PORT is "x"');
  });

  it('serves gRPC over TLS where the environment names the files, and does not begin with files that are none', async () => {
    const fileOf = (name: string, text: string | Buffer): string => (writeFileSync(join(directory, name), text), join(directory, name));
    const [cert, key] = [fileOf('cert.pem', SERVER_CERT), fileOf('key.pem', SERVER_KEY)];
    const tlsOf = async (env: Record<string, string>): Promise<unknown> => (await start({ token: 't', grpcPort: '0' }, env)).options.grpcTls;
    expect(await tlsOf({})).toBeUndefined();
    const both = { SESS_GRPC_TLS_CERT: cert, SESS_GRPC_TLS_KEY: key };
    expect(await tlsOf({ ...both, SESS_GRPC_TLS_CLIENT_CA: '~/cert.pem' })).toEqual({ cert: SERVER_CERT, key: SERVER_KEY, clientCa: SERVER_CERT });
    await expect(tlsOf({ SESS_GRPC_TLS_CLIENT_CA: cert })).rejects.toThrow('needs SESS_GRPC_TLS_CERT and SESS_GRPC_TLS_KEY');
    for (const variable of [...Object.keys(both), 'SESS_GRPC_TLS_CLIENT_CA']) {
      for (const bad of [fileOf('bad.pem', 'none'), join(directory, 'absent.pem')]) await expect(tlsOf({ ...both, [variable]: bad })).rejects.toThrow(variable);
    }
    await expect(tlsOf({ ...both, SESS_GRPC_TLS_KEY: fileOf('other.pem', CLIENT_KEY) })).rejects.toThrow('SESS_GRPC_TLS_KEY: the file is no key of the certificate');
  });

  it('answers the exit code of the services', async () => {
    expect((await start({ token: 't' }, {}, 130)).code).toBe(130);
    expect((await start({ token: 't' }, {}, 7)).code).toBe(1);
  });

  it('joins NATS when a flag, the environment or the configuration says so, and is alone otherwise', async () => {
    expect((await start({ token: 't' })).options.bus).toBeUndefined();
    expect((await start({ token: 't', bus: 'nats://a:1,nats://b:2' })).options.bus).toMatchObject({ servers: ['nats://a:1', 'nats://b:2'] });
    const env = { SESS_NATS_URL: 'nats://c:3', SESS_NATS_CREDS: '~/nats.creds' };
    expect((await start({ token: 't' }, env)).options.bus).toMatchObject({ servers: ['nats://c:3'], credsFile: join(directory, 'nats.creds') });
    expect((await start({ token: 't', bus: 'inproc' }, env)).options.bus).toBeUndefined();
    writeFileSync(join(directory, 'openclaw.json'), '{ bus: { transport: "nats" } }');
    expect((await start({ token: 't' })).options.bus).toMatchObject({ servers: ['nats://127.0.0.1:4222'] });
    await expect(start({ token: 't', bus: 'me:secret@host' })).rejects.toThrow(/^(?!.*secret).*--bus/u);
  });

  it.each([
    ['a variable without a value', '{ auth: { tokens: [{ name: "ann", token: "${NOT_SET}" }] } }'],
    ['a shared token without a value', '{ auth: { token: "${NOT_SET}" } }'],
    ['a mode alone', '{ auth: { mode: "token" } }'],
  ])('does not open what shall be closed: %s', async (_name, gateway) => {
    writeFileSync(join(directory, 'openclaw.json'), `{ gateway: ${gateway} }`);
    await expect(start({})).rejects.toMatchObject({ reason: 'CONFIG_INVALID', message: expect.stringContaining('nobody could come in') });
    expect((await start({ token: 't' })).options.auth.token).toBe('t');
  });

  it('listens beyond the machine for users with tokens of their own, and behind a proxy that vouches', async () => {
    for (const auth of ['{ tokens: [{ name: "ann", token: "a" }] }', '{ mode: "trusted-proxy" }']) {
      writeFileSync(join(directory, 'openclaw.json'), `{ gateway: { auth: ${auth} } }`);
      expect((await start({ bind: 'lan' })).options.listen.host).toBe('0.0.0.0');
    }
  });

  it('never listens beyond the machine without a credential', async () => {
    writeFileSync(join(directory, 'openclaw.json'), '{}');
    for (const bind of ['lan', '192.168.0.1', '::']) await expect(start({ bind })).rejects.toThrow('Refusing to listen');
    for (const bind of ['loopback', '127.0.0.2', '::1']) expect((await start({ bind })).options.listen.port).toBe(18_789);
  });
});

describe('addresses and ports', () => {
  it('are read strictly', () => {
    expect(parseBind('loopback')).toBe('127.0.0.1');
    expect(parseBind('10.1.2.3')).toBe('10.1.2.3');
    for (const bind of ['', 'moon', '127.0.0', 'http://x']) expect(() => parseBind(bind)).toThrow('--bind');
    expect(parsePort(undefined, 5)).toBe(5);
    expect(parsePort('0', 5)).toBe(0);
    for (const port of ['', '-1', '65536', '1e3', '8o']) expect(() => parsePort(port, 5)).toThrow('--port');
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '10.0.0.1', '1.127.0.0'].some(isLoopback)).toBe(false);
  });
});
