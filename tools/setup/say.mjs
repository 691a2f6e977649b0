/** What the set-up tells its user: one line a step, nothing when there is nothing to do. */
import { spawnSync } from 'node:child_process';

/** Progress goes to stderr, so that stdout stays free for what was asked for. */
export function say(sentence) {
  process.stderr.write(`set-up: ${sentence}\n`);
}

/** A condition that the user has to change; the message says how. */
export class SetupError extends Error {}

/** Output of one quiet command that is kept to be shown when it fails. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Runs a command; its output is shown only when it fails, all of it.
 * @throws SetupError naming the command when it cannot start or does not exit 0
 */
export function run(command, args, options = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: OUTPUT_BYTES_MAX,
    ...options,
  });
  if (error !== undefined) throw new SetupError(`${command} cannot be run: ${error.message}`);
  if (status === 0) return;
  process.stderr.write(stdout);
  process.stderr.write(stderr);
  throw new SetupError(`"${[command, ...args].join(' ')}" failed (${signal ?? `exit ${status}`}); its output is above.`);
}

/** True when `command` is on the PATH. */
export function onPath(command) {
  return spawnSync('sh', ['-c', `command -v "$1"`, 'sh', command], { stdio: 'ignore' }).status === 0;
}
