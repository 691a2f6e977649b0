/** A real gateway process on a state directory of its own, driven as any client would drive it. */
import { ROOT } from '../setup.mjs';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const LAUNCHER = path.join(ROOT, 'tools', 'openclaw.cjs');
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 10_000;
const CLI_OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const TOKEN = 'only-for-the-demonstration';

/** The caller's environment without its own gateway's settings. */
function environment(stateDir) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENCLAW|SESS)_/.test(name));
  return { ...Object.fromEntries(inherited), OPENCLAW_STATE_DIR: stateDir, NO_COLOR: '1' };
}

/** Makes a state directory with a configuration: a token and these session settings. */
export function prepare(stateDir, session) {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const config = { gateway: { auth: { mode: 'token', token: TOKEN } }, session };
  writeFileSync(path.join(stateDir, 'openclaw.json'), JSON.stringify(config, null, 2), { mode: 0o600 });
}

/** Runs one `openclaw` command on the state directory and returns what it printed. */
export async function openclaw(stateDir, ...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [LAUNCHER, ...args], {
    env: environment(stateDir),
    maxBuffer: CLI_OUTPUT_BYTES_MAX,
  });
  return stdout;
}

/**
 * Starts a gateway on a free port and waits until it says where it listens.
 * @throws with all that it printed when it ends or stays silent instead
 */
export async function startGateway(stateDir) {
  const child = spawn(process.execPath, [LAUNCHER, 'gateway', 'run', '--port', '0'], {
    env: environment(stateDir),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  const url = await new Promise((resolve, reject) => {
    const give = (why) => reject(new Error(`the gateway ${why}:\n${printed}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      give('did not say where it listens');
    }, START_TIMEOUT_MS);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      give(`ended (${signal ?? `exit ${code}`})`);
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text;
        const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed) ?? [];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
    }
  });

  return {
    pid: child.pid,
    /** Delivers one message. @returns the answer when it was acknowledged, undefined when the connection ended first */
    async send(envelope) {
      let response;
      let body;
      try {
        response = await fetch(`${url}/v1/messages`, {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
          body: JSON.stringify(envelope),
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        });
        body = await response.json();
      } catch {
        return undefined;
      }
      if (response.status === 503) return undefined;
      if (!response.ok || body.ok !== true) throw new Error(`the gateway refused a message: ${response.status} ${JSON.stringify(body)}`);
      return body;
    },
    /** No warning, no clean-up: what a power cut leaves of a process. */
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    /** SIGTERM: it finishes what it has begun. @returns its exit code */
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.kill('SIGTERM');
      const [code] = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}
