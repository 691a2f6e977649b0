/** `docker compose` for one project, with its passwords in a file that only its owner reads and that goes with it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const LOG_LINES = '40';

function docker(args, options = {}) {
  return spawnSync('docker', args, { encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX, ...options });
}

/** @returns the engine's version, or why there is none */
export function findEngine() {
  const { error, status, stdout, stderr } = docker(['version', '--format', '{{.Server.Version}}']);
  if (error !== undefined) return { problem: `docker cannot be run (${error.code})` };
  if (status !== 0) return { problem: stderr.trim().split('\n').at(-1) };
  const plugin = docker(['compose', 'version']);
  return plugin.status === 0 ? { version: stdout.trim() } : { problem: 'docker has no compose plugin' };
}

export class Compose {
  #options;
  #directory;
  #start;

  constructor({ cwd, project, variables }) {
    // A variable of the caller's own would come before the file.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !(name in variables)));
    this.#options = { cwd, env };
    this.#directory = mkdtempSync(path.join(tmpdir(), 'test-compose-'));
    const file = path.join(this.#directory, 'env');
    writeFileSync(file, Object.entries(variables).map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 });
    this.#start = ['compose', '--project-name', project, '--env-file', file];
  }

  /** @returns standard output @throws with all that was printed */
  run(args) {
    const { status, stdout, stderr, error } = docker([...this.#start, ...args], this.#options);
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  async up(secondsMax) {
    this.run(['up', '-d', '--no-build']);
    await this.untilHealthy(secondsMax);
  }

  /** Everything but the set-up step runs, and what has a health check is well. */
  async untilHealthy(secondsMax) {
    const deadline = performance.now() + secondsMax * 1000;
    for (;;) {
      const waiting = this.containers().filter(({ State, Health }) => State !== 'running' || (Health !== '' && Health !== 'healthy'));
      if (waiting.length === 0) return;
      if (performance.now() > deadline) throw new Error(`not healthy after ${secondsMax} s: ${waiting.map(({ Name, State, Health }) => `${Name} ${State} ${Health}`).join(', ')}`);
      await sleep(500);
    }
  }

  /** Those that are to run for good. */
  containers() {
    const lines = this.run(['ps', '-a', '--no-trunc', '--format', 'json']).trim();
    const all = lines.startsWith('[') ? JSON.parse(lines) : lines.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
    return all.filter(({ Service }) => Service !== 'setup');
  }

  /** The process of a container as the host numbers it. */
  processOf(id) {
    const { stdout } = docker(['inspect', '--format', '{{.State.Pid}}', id]);
    return Number(stdout.trim());
  }

  logs() {
    const { stdout, stderr } = docker([...this.#start, 'logs', '--no-color', '--tail', LOG_LINES], this.#options);
    return `${stdout}${stderr}`;
  }

  down() {
    docker([...this.#start, 'down', '-v', '--timeout', '30'], this.#options);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
