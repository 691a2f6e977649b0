import { runApp, type AppDefinition, type AppProcess } from './run-app';
import type { AppBus } from './bus-link';
import type { Service } from './service';
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('an app as a process', () => {
  let directory: string;
  let signals: EventEmitter;
  let outputs: { out: string; err: string };
  const steps: string[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'run-app-'));
    signals = new EventEmitter();
    outputs = { out: '', err: '' };
    steps.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const process = (argv: string[], env: Record<string, string> = {}): AppProcess => ({
    argv,
    env: { OPENCLAW_STATE_DIR: directory, SESS_WATCHDOG_MS: '0', SESS_LOG_LEVEL: 'silent', SESS_PROBE_PORT: '0', ...env },
    accountHome: directory,
    pid: 1,
    signals,
    out: (text) => void (outputs.out += text),
    err: (text) => void (outputs.err += text),
  });
  const service: Service = {
    name: 'own',
    start: async () => void steps.push('start'),
    drain: async () => void steps.push('drain'),
    stop: async () => void steps.push('stop'),
  };
  const bus: AppBus = { connected: true, close: async () => void steps.push('bus closed') };
  const definition = (more: Partial<AppDefinition<AppBus>> = {}): AppDefinition<AppBus> => ({
    name: 'own-app',
    version: '1.2.3',
    summary: 'It is an example.',
    probePort: 1,
    servesClients: false,
    settings: ['bus.subjectPrefix'],
    connectBus: () => Promise.resolve(bus),
    createServices: () => [service],
    ...more,
  });
  const started = async (): Promise<void> => {
    while (!steps.includes('start')) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('starts, serves until a signal, drains and ends cleanly', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => void free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const code = runApp(definition(), process([], { SESS_PROBE_PORT: String(port) }));
    await started();
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    signals.emit('SIGTERM');
    expect(await code).toBe(0);
    expect(steps.slice(0, 3)).toEqual(['start', 'drain', 'stop']);
    expect(steps).toContain('bus closed');
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  it('teaches with --help and tells its version', async () => {
    expect(await runApp(definition(), process(['--help']))).toBe(0);
    expect(outputs.out).toContain('SESS_NATS_URL');
    outputs.out = '';
    expect(await runApp(definition(), process(['--version']))).toBe(0);
    expect(outputs.out).toBe('1.2.3\n');
    expect(await runApp(definition(), process(['--port']))).toBe(1);
    expect(outputs.err).toContain('--help');
    expect(steps).toEqual([]);
  });

  it('says in a sentence that the bus cannot be reached, without the password', async () => {
    const env = { SESS_NATS_URL: 'nats://me:secret@nats.example:4222', SESS_NATS_CONNECT_TIMEOUT_MS: '50' };
    const connectBus = (): Promise<AppBus> => Promise.reject(new Error('connect nats://me:secret@nats.example:4222'));
    expect(await runApp(definition({ connectBus }), process([], env))).toBe(1);
    expect(outputs.err).toContain('NATS at nats://nats.example:4222 could not be reached within 50 ms');
    expect(outputs.err).not.toContain('secret');
    expect(steps).toEqual([]);
  });

  it('does not start with an environment or a configuration that cannot be used', async () => {
    expect(await runApp(definition(), process([], { SESS_DRAIN_TIMEOUT_MS: 'soon' }))).toBe(1);
    expect(outputs.err).toContain('SESS_DRAIN_TIMEOUT_MS');
    writeFileSync(join(directory, 'openclaw.json'), '{ session: { dmScope: "moon" } }');
    expect(await runApp(definition(), process([]))).toBe(1);
    expect(outputs.err).toContain('session.dmScope');
    expect(steps).toEqual([]);
  });

  it('closes the bus when a service cannot start', async () => {
    const failing: Service = { ...service, start: () => Promise.reject(new Error('it cannot')) };
    expect(await runApp(definition({ createServices: () => [failing] }), process([]))).toBe(1);
    expect(outputs.err).toContain('it cannot');
    expect(steps).toContain('bus closed');
  });
});
