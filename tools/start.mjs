/**
 * `npm start [-- flags]`: set-up, then `openclaw gateway run` with the same flags.
 *
 * The gateway runs in this very process: signals reach it and its exit code is ours without
 * anything in between that could lose them.
 */
import { ROOT, setUp } from './setup.mjs';
import { createRequire } from 'node:module';
import path from 'node:path';

setUp();

const launcher = path.join(ROOT, 'tools', 'openclaw.cjs');
process.argv = [process.execPath, launcher, 'gateway', 'run', ...process.argv.slice(2)];
createRequire(import.meta.url)(launcher);
