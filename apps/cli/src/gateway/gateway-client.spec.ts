import { connectGateway } from './gateway-client';
import { toGatewayFailure } from './gateway-errors';
import { localTarget, resolveGatewayTarget } from './gateway-target';
import { leastScopes } from './method-scopes';
import { HELLO as hello, reply, serveGateway as serve } from '../testing';

const connect = (url: string, timeoutMs = 5000): ReturnType<typeof connectGateway> =>
  connectGateway({ target: { url, urlSource: 'cli --url', token: 'secret' }, scopes: ['operator.read'], timeoutMs, clientVersion: '1' });

describe('the gateway client', () => {
  it('shakes hands in version 4 and asks for what it was told', async () => {
    const server = await serve((frame, socket) => reply(socket, frame, frame['method'] === 'connect' ? hello : { ok: true, payload: { n: 1 } }));
    const client = await connect(server.url);
    expect(await client.call('sessions.list', { limit: 1 })).toEqual({ n: 1 });
    client.close();
    expect(server.frames[0]).toMatchObject({
      method: 'connect',
      params: { minProtocol: 4, maxProtocol: 4, role: 'operator', scopes: ['operator.read'], auth: { token: 'secret' }, client: { id: 'gateway-client', mode: 'backend' } },
    });
    expect(server.frames[1]).toMatchObject({ type: 'req', method: 'sessions.list', params: { limit: 1 } });
    await server.close();
  });

  it('passes on the error of an answer with its code and details', async () => {
    const server = await serve((frame, socket) =>
      reply(socket, frame, frame['method'] === 'connect' ? hello : { ok: false, error: { code: 'INVALID_REQUEST', message: 'no', details: { reason: 'VALIDATION' } } }));
    const client = await connect(server.url);
    await expect(client.call('x', {})).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: 'no', details: { reason: 'VALIDATION' } });
    client.close();
    await server.close();
  });

  it('tells a refused handshake by the close that follows it', async () => {
    const server = await serve((frame, socket) => {
      reply(socket, frame, { ok: false, error: { code: 'INVALID_REQUEST', message: 'unauthorized' } });
      socket.close(1008, 'unauthorized');
    });
    const failure = await connect(server.url).then(() => undefined, (error: unknown) => error);
    expect(failure).toMatchObject({ name: 'GatewayTransportError', kind: 'closed', code: 1008, closeReason: 'unauthorized' });
    await server.close();
  });

  it('waits for the final answer when asked to', async () => {
    const server = await serve((frame, socket) => {
      if (frame['method'] === 'connect') return reply(socket, frame, hello);
      reply(socket, frame, { ok: true, payload: { status: 'accepted' } });
      reply(socket, frame, { ok: true, payload: { status: 'ok' } });
    });
    const client = await connect(server.url);
    expect(await client.call('agent', {}, { expectFinal: true })).toEqual({ status: 'ok' });
    expect(await client.call('agent', {})).toEqual({ status: 'accepted' });
    client.close();
    await server.close();
  });

  it('ends a call that is not answered in time, and one whose connection closes', async () => {
    const server = await serve((frame, socket) => {
      if (frame['method'] === 'connect') reply(socket, frame, hello);
      else if (frame['method'] === 'drop') socket.terminate();
    });
    const client = await connect(server.url, 50);
    await expect(client.call('silence', {})).rejects.toMatchObject({ kind: 'timeout' });
    await expect(client.call('drop', {})).rejects.toMatchObject({ kind: 'closed', code: 1006 });
    await server.close();
  });

  it('says that nobody listens, in the measured shape', async () => {
    const server = await serve(() => undefined);
    await server.close();
    const failure = await connect(server.url).then(() => undefined, (error: unknown) => error);
    expect(toGatewayFailure(failure as Parameters<typeof toGatewayFailure>[0])).toMatchObject({
      ok: false,
      error: { type: 'gateway_transport_error', kind: 'closed', code: 1006 },
      gateway: { url: server.url, urlSource: 'cli --url' },
    });
  });
});

describe('the target of a call', () => {
  const settings = { port: 18789, token: 'configured', configPath: 'c' };
  it('is the local gateway with its configured credentials', () =>
    expect(resolveGatewayTarget({}, settings)).toEqual({ url: 'ws://127.0.0.1:18789', urlSource: 'local loopback', token: 'configured', password: undefined }));
  it('never takes configured credentials to another address', () => {
    expect(() => resolveGatewayTarget({ url: 'ws://elsewhere.local:1' }, settings)).toThrow('explicit credentials');
    expect(resolveGatewayTarget({ url: 'ws://elsewhere.local:1', token: 'own' }, settings).token).toBe('own');
  });
  it('is another gateway where environment or configuration say so, with credentials that are meant for it', () => {
    const environment = { url: 'ws://elsewhere.local:1', token: 'of the environment' };
    const remote = { url: 'wss://remote:1', token: 'of the remote' };
    expect(resolveGatewayTarget({}, { ...settings, environment, remote })).toMatchObject({ url: 'ws://elsewhere.local:1', urlSource: 'env OPENCLAW_GATEWAY_URL', token: 'of the environment' });
    expect(() => resolveGatewayTarget({}, { ...settings, environment: { url: 'ws://elsewhere.local:1' }, remote })).toThrow('explicit credentials');
    expect(resolveGatewayTarget({}, { ...settings, remote })).toMatchObject({ url: 'wss://remote:1', urlSource: 'config gateway.remote.url', token: 'of the remote' });
    // That of `gateway.auth` belongs to this machine's gateway.
    expect(resolveGatewayTarget({}, { ...settings, remote: { url: 'wss://remote:1' } }).token).toBeUndefined();
    expect(resolveGatewayTarget({ token: 'own' }, { ...settings, remote }).token).toBe('own');
    expect(resolveGatewayTarget({ url: 'wss://third:1', token: 'own' }, { ...settings, environment, remote })).toMatchObject({ url: 'wss://third:1', token: 'own' });
    expect(() => resolveGatewayTarget({}, { ...settings, remote: {} })).toThrow('gateway.remote.url missing');
    expect(() => resolveGatewayTarget({}, { ...settings, remote: { url: 'http://x' } })).toThrow('gateway.remote.url must be');
    expect(localTarget({ ...settings, environment, remote })).toMatchObject({ url: 'ws://127.0.0.1:18789', token: 'configured' });
  });

  it('sends nothing in plain text beyond private networks, wherever the address comes from', () => {
    const plain = 'ws://user:secret@example.com:1/?token=secret';
    const refused = 'SECURITY ERROR: Gateway URL "ws://example.com:1" uses plaintext ws:// to a non-loopback address';
    expect(() => resolveGatewayTarget({ url: plain, token: 'own' }, settings)).toThrow(refused);
    expect(() => resolveGatewayTarget({}, { ...settings, environment: { url: plain, token: 'own' } })).toThrow(refused);
    expect(() => resolveGatewayTarget({}, { ...settings, remote: { url: plain, token: 'own' } })).toThrow(refused);
    expect(resolveGatewayTarget({ url: 'ws://gateway:1', token: 'own' }, { ...settings, allowsPlaintext: true }).url).toBe('ws://gateway:1');
    expect(() => resolveGatewayTarget({ url: 'ws://192.0.2.1:1', token: 'own' }, { ...settings, allowsPlaintext: true })).toThrow('SECURITY ERROR');
  });
  it('refuses what is no WebSocket address', () => expect(() => resolveGatewayTarget({ url: 'http://x', token: 't' }, settings)).toThrow('--url'));
});

describe('scopes', () => {
  it('are the least that the method needs, or all for a method nobody knows', () => {
    expect(leastScopes('sessions.list')).toEqual(['operator.read']);
    expect(leastScopes('chat.send')).toEqual(['operator.write']);
    expect(leastScopes('sessions.compact')).toEqual(['operator.admin']);
    expect(leastScopes('made.up')).toHaveLength(6);
  });
});
