/** A listing answers the same whichever way it is entered: the short one or the command parser. */
import { reportFailure } from './failure';
import { parseListArguments } from './flags/parse-list-arguments';
import { runSessionsList } from './commands/sessions-list';
import { runProgram } from './program';
import { recordingIo } from './testing';
import * as fc from 'fast-check';
import { join } from 'node:path';

const STATE = join(__dirname, '..', '..', 'e2e', 'fixtures', 'states', 'full');
const newIo = (): ReturnType<typeof recordingIo> => recordingIo({ cwd: STATE, nowMs: 1_780_304_405_000, env: { HOME: STATE, OPENCLAW_STATE_DIR: STATE } });

const option = fc.oneof(
  fc.constantFrom(['--json'], ['--all-agents'], ['--verbose'], ['list']),
  fc.tuple(fc.constantFrom('--agent', '--limit', '--active', '--store'), fc.constantFrom('work', 'WORK', '', '3', 'all', '0', '60', '-1', '--json', 'list', join(STATE, 'agents', 'ops', 'sessions', 'sessions.json'))).map(([name, value]) => [name, value]),
  fc.tuple(fc.constantFrom('--agent', '--limit', '--active', '--store'), fc.constantFrom('work', '', '5', 'all')).map(([name, value]) => [`${name}=${value}`]),
);

describe('the two ways into a listing', () => {
  it('agree on output, errors and exit code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(option, { maxLength: 5 }), async (options) => {
        const argv = ['sessions', ...options.flat()];
        const list = parseListArguments(argv);
        fc.pre(list !== undefined);
        const short = newIo();
        const shortCode = await runSessionsList(short, list).catch((error: unknown) => reportFailure(short, error, list.flags.json === true));
        const long = newIo();
        const longCode = await runProgram(argv, long, '0');
        expect({ code: shortCode, out: short.stdout(), err: short.stderr() }).toEqual({ code: longCode, out: long.stdout(), err: long.stderr() });
      }),
      { numRuns: 150 },
    );
  });
});
