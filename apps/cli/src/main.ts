/**
 * The command `openclaw`. A listing is recognised before anything else is loaded; every other
 * command goes through the command parser, which loads what it needs.
 */
import { createProcessIo } from './process-io';
import { parseListArguments } from './flags/parse-list-arguments';
import { reportFailure } from './failure';
import { runSessionsList } from './commands/sessions-list';
import { VERSION } from './version';

/** Threads of libuv's pool for a gateway: every file operation of every store runs there. */
const GATEWAY_POOL_THREADS = '16';

const argv = process.argv.slice(2);
if (argv[0] === 'gateway' && argv[1] === 'run') process.env['UV_THREADPOOL_SIZE'] ??= GATEWAY_POOL_THREADS;

async function main(): Promise<number> {
  const io = createProcessIo();
  const list = parseListArguments(argv);
  if (list === undefined) {
    const { runProgram } = module.require('./program') as typeof import('./program');
    return runProgram(argv, io, VERSION);
  }
  return runSessionsList(io, list).catch((error: unknown) => reportFailure(io, error, list.flags.json === true));
}

void main().then((code) => {
  process.exitCode = code;
});
