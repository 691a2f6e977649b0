import { runGatewaySetupBus } from './gateway-setup-bus';
import { recordingIo } from '../testing';
import { SessionError } from '@sessions/domain';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('gateway setup-bus', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cli-setup-bus-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const io = (env: Record<string, string> = {}) => recordingIo({ env: { HOME: directory, OPENCLAW_STATE_DIR: directory, ...env } });

  it('sets up the bus that a flag or the environment names, and says so without the password', async () => {
    const asked: unknown[] = [];
    const provision = (options: unknown): Promise<void> => (asked.push(options), Promise.resolve());
    const first = io({ SESS_NATS_URL: 'nats://env:4222' });
    expect(await runGatewaySetupBus(first, { bus: 'nats://admin:secret@flag:4222', replicas: '3' }, provision)).toBe(0);
    expect(first.stdout()).toBe('The bus at nats://flag:4222 is set up.\n');
    const second = io({ SESS_NATS_URL: 'nats://env:4222' });
    expect(await runGatewaySetupBus(second, { json: true }, provision)).toBe(0);
    expect(JSON.parse(second.stdout())).toEqual({ ok: true, servers: 'nats://env:4222', replicas: 1 });
    expect(asked).toMatchObject([
      { servers: ['nats://admin:secret@flag:4222'], service: 'setup', subjectPrefix: 'sess', replicas: 3 },
      { servers: ['nats://env:4222'], replicas: 1 },
    ]);
  });

  it('tells what went wrong in a sentence', async () => {
    const away = (): Promise<void> => Promise.reject(new SessionError('NO_OWNER', 'nobody answers'));
    await expect(runGatewaySetupBus(io(), { bus: 'nats://u:secret@x:1' }, away)).rejects.toThrow('NATS at nats://x:1 could not be reached');
    await expect(runGatewaySetupBus(io(), { replicas: '2' }, away)).rejects.toThrow('--replicas');
  });
});
