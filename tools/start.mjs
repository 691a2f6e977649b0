/**
 * `npm start [-- flags]`: set-up, then `openclaw gateway run` with the same flags.
 *
 * The gateway is a process of its own, because it chooses the size of its thread pool before the
 * first file is read, and here files have been read. It gets our signals, and its exit code is ours.
 */
import { ROOT, setUp } from './setup.mjs';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';

/** What a shell adds to a signal's number in the exit code of a process that it ended. */
const ENDED_BY_SIGNAL = 128;

setUp();

const launcher = path.join(ROOT, 'tools', 'openclaw.cjs');
const gateway = spawn(process.execPath, [launcher, 'gateway', 'run', ...process.argv.slice(2)], { stdio: 'inherit' });

process.on('SIGTERM', () => gateway.kill('SIGTERM'));
process.on('SIGINT', () => {
  // A terminal has sent its own to the gateway as well.
  if (!process.stdin.isTTY) gateway.kill('SIGINT');
});
gateway.on('exit', (code, signal) => {
  process.exitCode = code ?? ENDED_BY_SIGNAL + constants.signals[signal];
});
