import { runGatewayCall } from './gateway-call';
import { runStatus } from './status';
import { HELLO, recordingIo, reply, serveGateway } from '../testing';
import type { Frame, RecordingIo, ToldGateway } from '../testing';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('a call to a running gateway', () => {
  let directory: string;
  let gateway: ToldGateway;
  let io: RecordingIo;
  let answer: (frame: Frame) => Frame;

  beforeEach(async () => {
    answer = () => ({ ok: true, payload: { n: 1 } });
    gateway = await serveGateway((frame, socket) => reply(socket, frame, frame['method'] === 'connect' ? HELLO : answer(frame)));
    directory = mkdtempSync(join(tmpdir(), 'cli-call-'));
    writeFileSync(join(directory, 'openclaw.json'), `{ gateway: { port: ${gateway.port}, auth: { token: 'configured' } } }`);
    io = recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory } });
  });
  afterEach(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('prints the payload and uses the configured token, the least scope and {} for no parameters', async () => {
    expect(await runGatewayCall(io, { method: 'sessions.list' })).toBe(0);
    expect(io.stdout()).toBe('{\n  "n": 1\n}\n');
    expect(gateway.frames).toMatchObject([{ params: { scopes: ['operator.read'], auth: { token: 'configured' } } }, { method: 'sessions.list', params: {} }]);
    expect(readdirSync(directory)).toEqual(['openclaw.json']);
  });

  it('fails with the gateway’s own words', async () => {
    answer = () => ({ ok: false, error: { code: 'INVALID_REQUEST', message: 'unknown method: x', details: { reason: 'UNSUPPORTED' } } });
    expect(await runGatewayCall(io, { method: 'x', json: true })).toBe(1);
    expect(JSON.parse(io.stdout())).toEqual({ ok: false, error: { type: 'gateway_request_error', code: 'INVALID_REQUEST', message: 'unknown method: x', retryable: false, details: { reason: 'UNSUPPORTED' } } });
    expect(io.stderr()).toBe('Gateway call failed: unknown method: x (INVALID_REQUEST)\n');
  });

  it('says where it tried when nobody answers', async () => {
    await gateway.close();
    expect(await runGatewayCall(io, { method: 'health', json: true })).toBe(1);
    expect(JSON.parse(io.stdout())).toMatchObject({ ok: false, error: { type: 'gateway_transport_error', kind: 'closed', code: 1006 }, gateway: { url: gateway.url, urlSource: 'local loopback' } });
    expect(io.stderr()).toContain(`Gateway target: ${gateway.url}`);
    expect(io.stderr()).toContain('openclaw gateway run');
  });

  it('never prints a credential', async () => {
    answer = () => ({ ok: false, error: { code: 'UNAVAILABLE', message: 'later' } });
    await runGatewayCall(io, { method: 'x', json: true, token: 'very-secret' });
    await gateway.close();
    await runGatewayCall(io, { method: 'x', json: true, token: 'very-secret' });
    expect(io.stdout() + io.stderr()).not.toContain('very-secret');
  });

  it('lets status say that the gateway answers and, when asked, how it is', async () => {
    answer = () => ({ ok: true, payload: { ok: true } });
    mkdirSync(join(directory, 'agents', 'main', 'sessions'), { recursive: true });
    writeFileSync(join(directory, 'agents', 'main', 'sessions', 'sessions.json'), '{}');
    await runStatus(io, { json: true, deep: true });
    expect(JSON.parse(io.stdout())).toMatchObject({ gateway: { reachable: true, url: gateway.url, server: { version: 't' }, health: { ok: true } } });
    const text = recordingIo({ env: io.env as Record<string, string> });
    await runStatus(text, {});
    expect(text.stdout()).toContain(`Gateway: answers at ${gateway.url}`);
  });
});
