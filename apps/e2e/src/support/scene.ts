/**
 * What a test needs around it: temporary state directories, gateways, sockets. All of it is ended
 * and removed afterwards, processes by their id, whatever the test came to.
 */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DoorPlace } from './door';
import { startGateway } from './gateway';
import type { Gateway, GatewayOptions } from './gateway';
import { connectSocket } from './gateway-socket';
import type { ConnectOptions, GatewaySocket } from './gateway-socket';

export const TOKEN = 'only-for-the-tests';

const STATES = join(__dirname, '..', '..', 'fixtures', 'states');

export interface Scene {
  /** A new state directory; without a configuration when `config` is undefined. */
  stateDir(config?: Readonly<Record<string, unknown>>): string;
  /** A copy of a recorded state directory. */
  fixture(name: string): string;
  gateway(stateDir: string, options?: Partial<GatewayOptions>): Promise<Gateway>;
  socket(door: DoorPlace, options?: ConnectOptions): Promise<GatewaySocket>;
  /** Runs before the directories are removed. */
  onEnd(action: () => void | Promise<void>): void;
}

/** A configuration with the token of the tests. */
export const configWith = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({ gateway: { auth: { mode: 'token', token: TOKEN } }, ...more });

/** @param until the end of each test, or of all tests of the block */
export function useScene(until: 'each' | 'all' = 'each'): Scene {
  const ends: (() => void | Promise<void>)[] = [];
  (until === 'each' ? afterEach : afterAll)(async () => {
    // Last made, first ended: a directory goes after the processes in it.
    for (const end of ends.splice(0).reverse()) await end();
  });

  const emptyDir = (): string => {
    const made = realpathSync(mkdtempSync(join(tmpdir(), 'sessions-e2e-')));
    ends.push(() => rmSync(made, { recursive: true, force: true }));
    return made;
  };
  return {
    stateDir(config) {
      const made = emptyDir();
      if (config !== undefined) writeFileSync(join(made, 'openclaw.json'), JSON.stringify(config), { mode: 0o600 });
      return made;
    },
    fixture(name) {
      const made = emptyDir();
      cpSync(join(STATES, name), made, { recursive: true });
      return made;
    },
    gateway: (stateDir, options = {}) =>
      startGateway(stateDir, { token: TOKEN, ...options, onSpawn: (end) => ends.push(end) }),
    async socket(door, options = {}) {
      const socket = await connectSocket(door, options);
      ends.push(() => socket.close());
      return socket;
    },
    onEnd: (action) => void ends.push(action),
  };
}

/** The directory of an agent's store. */
export const sessionsDir = (stateDir: string, agentId = 'main'): string => join(stateDir, 'agents', agentId, 'sessions');

export function writeFile(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
