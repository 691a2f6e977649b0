/**
 * A nats-server of its own for a test: started on a free port with its data in a temporary directory,
 * killed, paused, restarted and emptied at will. Nothing of it is left after `stop`.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const START_MS_MAX = 10_000;
const POLL_MS = 10;
/** Kept of what the server says, for the message when it does not start; characters. */
const OUTPUT_MAX = 8_000;

export interface NatsServerOptions {
  /** Default true. */
  readonly jetstream?: boolean;
  /** Default: NATS_SERVER of the environment, else `nats-server` on the PATH or in /usr/sbin. */
  readonly binary?: string;
  /** Address that it listens on; default 127.0.0.1, which is in its URL in any case. */
  readonly host?: string;
  /** Further lines of its configuration. */
  readonly config?: string;
}

export interface NatsServer {
  /** `nats://127.0.0.1:<port>`; stays the same over restarts. */
  readonly url: string;
  readonly pid: number;
  /** Ends it in order and removes its data. */
  stop(): Promise<void>;
  /** As a power cut of the process. Its data stays. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Ends it in order when it runs, and starts it again. */
  restart(): Promise<void>;
  /** Ends it, deletes what JetStream kept, and starts it again. */
  wipe(): Promise<void>;
}

/** @throws when there is no nats-server, naming how to get one; with its output when it does not start */
export async function startNatsServer({ jetstream = true, binary = findBinary(), host = '127.0.0.1', config = '' }: NatsServerOptions = {}): Promise<NatsServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sessions-nats-'));
  const dataDir = join(directory, 'js');
  let port = -1;
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const configFile = join(directory, 'server.conf');
    const storage = jetstream ? `jetstream { store_dir: ${JSON.stringify(dataDir)}, max_mem: 64M, max_file: 512M }\n` : '';
    await writeFile(configFile, `listen: "${host}:${port}"\nports_file_dir: ${JSON.stringify(directory)}\n${storage}${config}\n`);
    let output = '';
    const started = spawn(binary, ['-c', configFile], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-OUTPUT_MAX)));
    }
    started.on('error', (error) => (output += error.message));
    child = started;
    const end = Date.now() + START_MS_MAX;
    const portsFile = join(directory, `nats-server_${started.pid}.ports`);
    for (;;) {
      const url = await readUrl(portsFile);
      if (url !== undefined) {
        port = Number(new URL(url).port);
        return;
      }
      if (Date.now() > end || started.exitCode !== null || started.pid === undefined) {
        throw new Error(`${binary} did not start:\n${output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    // One that is paused hears nothing but SIGCONT and SIGKILL.
    ending.kill('SIGCONT');
    ending.kill(signal);
    await ended;
    for (const name of await readdir(directory)) if (name.endsWith('.ports')) await rm(join(directory, name), { force: true });
  };

  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? -1;
    },
    async stop() {
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    async wipe() {
      await end('SIGKILL');
      await rm(dataDir, { recursive: true, force: true });
      await start();
    },
  };
}

async function readUrl(portsFile: string): Promise<string | undefined> {
  try {
    const ports = JSON.parse(await readFile(portsFile, 'utf8')) as { readonly nats?: readonly string[] };
    return ports.nats?.[0];
  } catch {
    // Not there yet, or half written.
    return undefined;
  }
}

function findBinary(): string {
  const named = process.env['NATS_SERVER'];
  if (named !== undefined && named !== '') return named;
  // Debian puts it where an ordinary user's PATH does not look.
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = directories.map((directory) => join(directory, 'nats-server')).find((file) => existsSync(file));
  if (found === undefined) {
    throw new Error('these tests need nats-server: install it (Debian: apt-get install nats-server) or name it in NATS_SERVER');
  }
  return found;
}
