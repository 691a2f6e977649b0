/**
 * The built command as a process of its own, the way a person or a script runs it.
 *
 * It sees a state directory that is also its home, and none of the caller's own gateway settings.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const CHECKOUT = join(__dirname, '..', '..', '..', '..');
export const LAUNCHER = join(CHECKOUT, 'tools', 'openclaw.cjs');

/** A command that is silent for longer hangs; it is ended. */
const COMMAND_TIMEOUT_MS = 60_000;

export interface Answer {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of node itself, before the launcher. */
  readonly nodeArgs?: readonly string[];
  readonly cwd?: string;
}

/** The caller's environment without the settings of its own gateway. */
export function environmentOf(stateDir: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENCLAW|SESS|JEST|NODE)_/u.test(name));
  return { ...Object.fromEntries(inherited), OPENCLAW_STATE_DIR: stateDir, HOME: stateDir, NO_COLOR: '1', ...more };
}

/** Runs `openclaw` with these arguments until it ends. */
export function runCommand(stateDir: string, args: readonly string[], { env, nodeArgs = [], cwd = stateDir }: CommandOptions = {}): Promise<Answer> {
  return runProgram(process.execPath, [...nodeArgs, LAUNCHER, ...args], { cwd, env: environmentOf(stateDir, env) });
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Runs any program until it ends. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
