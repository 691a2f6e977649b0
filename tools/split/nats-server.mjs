/**
 * A nats-server of our own on loopback: found, configured with a password of its own, started.
 *
 * What JetStream keeps stands in a temporary directory and goes with it: queued notices and leases,
 * which the stores publish and take again. Nothing here is the only copy of anything.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Packages put it where an ordinary user's PATH does not look. */
const MORE_PLACES = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];
const USER = 'sessions';
const JETSTREAM_FILE_BYTES_MAX = 1024 ** 3;
const JETSTREAM_MEMORY_BYTES_MAX = 64 * 1024 ** 2;

export const INSTALL_HINT = `nats-server was not found. It carries the messages between the processes.

  Debian, Ubuntu:  sudo apt-get install --no-install-recommends nats-server
  macOS:           brew install nats-server
  elsewhere:       https://github.com/nats-io/nats-server/releases, one file to put on the PATH

Already there under another name? NATS_SERVER=/path/to/nats-server npm run start:split
Without it, everything in one process: npm start`;

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns path of nats-server: NATS_SERVER, else the PATH, else the usual places; undefined when there is none */
export function findNatsServer(env = process.env) {
  if (env.NATS_SERVER) return isExecutable(env.NATS_SERVER) ? env.NATS_SERVER : undefined;
  const directories = [...(env.PATH ?? '').split(path.delimiter).filter((one) => one !== ''), ...MORE_PLACES];
  return directories.map((directory) => path.join(directory, 'nats-server')).find(isExecutable);
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Writes the configuration. @returns what to start, where it will answer, and how to remove what it leaves */
export function prepareNats(port) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sessions-nats-'));
  const password = randomBytes(24).toString('hex');
  const file = path.join(directory, 'nats.conf');
  const config = [
    `listen: "127.0.0.1:${port}"`,
    'ping_interval: "5s"',
    'ping_max: 2',
    `jetstream { store_dir: "${directory}/jetstream", max_mem: ${JETSTREAM_MEMORY_BYTES_MAX}, max_file: ${JETSTREAM_FILE_BYTES_MAX} }`,
    `authorization { user: "${USER}", password: "${password}" }`,
  ];
  writeFileSync(file, `${config.join('\n')}\n`, { mode: 0o600 });
  return {
    args: ['-c', file],
    url: `nats://${USER}:${password}@127.0.0.1:${port}`,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Resolves when something listens on the port. @throws after `limitMs` */
export async function untilListening(port, limitMs) {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const isThere = await new Promise((resolve) => {
      const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isThere) return;
    if (performance.now() > deadline) throw new Error(`nats-server did not listen on port ${port} within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
