import { runProgram } from './program';
import { recordingIo } from './testing';

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = recordingIo({ env: { HOME: '/nonexistent' }, cwd: '/nonexistent' });
  const code = await runProgram(argv, io, '9.9.9');
  return { code, stdout: io.stdout(), stderr: io.stderr() };
}

const COMMANDS = [[], ['sessions'], ['sessions', 'list'], ['sessions', 'history'], ['sessions', 'info'], ['sessions', 'verify'], ['sessions', 'tail'], ['sessions', 'export-trajectory'], ['sessions', 'compact'], ['sessions', 'export'], ['sessions', 'import'], ['agent'], ['mcp'], ['status'], ['gateway'], ['gateway', 'run'], ['gateway', 'setup-bus'], ['gateway', 'call']];

describe('help', () => {
  it.each(COMMANDS)('of openclaw %s %s shows two examples, and the default of every option', async (...command) => {
    const { code, stdout, stderr } = await run(...command.filter((word) => word !== undefined), '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').filter((line) => line.startsWith('  $ openclaw'))).toHaveLength(2);
    const options = stdout.slice(stdout.indexOf('Options:')).split(/\n(?= {2}-)/u).slice(1).filter((text) => text.trimStart().startsWith('--'));
    for (const option of options) expect(option.replace(/\s+/gu, ' ')).toContain('default');
  });

  it.each([['sessions'], ['sessions', 'list']])('of %s %s says that rows are not liveness and where to ask for that', async (...command) => {
    const { stdout } = await run(...command.filter((word) => word !== undefined), '--help');
    for (const probe of ['openclaw channels status --probe', 'openclaw status --deep', 'openclaw health --verbose']) expect(stdout).toContain(probe);
  });

  it('and version are answers, not errors', async () => {
    expect(await run('--version')).toEqual({ code: 0, stdout: '9.9.9\n', stderr: '' });
    expect((await run('help', 'sessions')).code).toBe(0);
  });
});

describe('what cannot be understood is refused', () => {
  it.each([
    [['sessions', '--bogus'], "unknown option '--bogus'"],
    [['sessions', 'list', '--bogus'], "unknown option '--bogus'"],
    [['sessions', 'info', 'k', '--limit', '3'], "unknown option '--limit'"],
    [['sessions', 'history'], "missing required argument 'key'"],
    [['status', '--all-agents'], "unknown option '--all-agents'"],
    [['gateway', 'call'], "missing required argument 'method'"],
    [['gateway', 'call', 'x', '--params', '['], '--params is not valid JSON.'],
    [['gateway', 'call', 'x', '--params', '[]'], '--params must be a JSON object.'],
    [['gateway', 'call', 'x', '--url', 'ws://127.0.0.1:1'], '--url needs explicit credentials'],
    [['gateway', 'call', 'x', '--timeout', '0'], '--timeout must be'],
    [['gateway', 'run', '--port', '70000'], '--port must be'],
    [['gateway', 'run', '--bind', 'moon'], '--bind must be'],
    [['gateway', 'run', '--bind', 'lan'], 'Refusing to listen on 0.0.0.0 without a token or password'],
    [['gateway', 'run', '--bind', '::'], 'Refusing to listen on ::'],
    [['sessions', 'tail', '--tail', '-1'], '--tail must be'],
    [['sessions', 'tail', '--tail', 'x'], '--tail must be'],
    [['sessions', '--limit', '3', 'tail'], '`sessions tail` does not support the parent `sessions` option --limit.'],
    [['sessions', 'compact'], "missing required argument 'key'"],
    [['sessions', 'compact', 'k', '--bogus'], "unknown option '--bogus'"],
    ...['0', '-1', '1.5', '10x', '1e3', '', ' 5', '+5', '05', '9007199254740993'].flatMap((value): [string[], string][] => [
      [['sessions', 'compact', 'k', `--max-lines=${value}`], '--max-lines must be a positive integer'],
      [['sessions', 'compact', 'k', `--timeout=${value}`], '--timeout must be a positive integer'],
    ]),
    ...[['--store', 's'], ['--all-agents'], ['--active', '5'], ['--limit', '1'], ['--verbose']].map((options): [string[], string] => [['sessions', ...options, 'compact', 'k'], `\`sessions compact\` does not support the parent \`sessions\` option ${options[0] ?? ''}.`]),
    [['sessions', 'compact', 'global'], '--agent is required'],
    [['sessions', 'compact', 'k', '--url', 'ws://127.0.0.1:1'], '--url needs explicit credentials'],
    ...['/compact', ' /COMPACT ', '/compact keep names', '/compact:now', '/Compact\tx'].map((message): [string[], string] => [['agent', '--message', message], '/compact is a chat command']),
    [['agent', '--local', '--message', '/compact'], '/compact is a chat command'],
    [['sessions', 'import'], "missing required argument 'archive'"],
    [['sessions', '--all-agents', 'export'], '`sessions export` does not support the parent `sessions` option --all-agents.'],
    [['sessions', 'import', 'nothing.tar', '--overwrite'], "unknown option '--overwrite'"],
    [['sessions', 'import', 'nothing.tar'], 'cannot be read (ENOENT)'],
    [['agent'], '--message is required'],
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['sessions', 'extra', 'words'], 'Too many arguments for this command.'],
    [['sessions', 'verify', '--agent', 'a', '--all-agents'], '--agent and --all-agents cannot be used together'],
    [['sessions', '--limit', '1', 'info', 'k'], '`sessions info` does not support the parent `sessions` option --limit.'],
    [['sessions', '--limit', '1', '--active', '2', 'verify'], '`sessions verify` does not support the parent `sessions` options --active, --limit.'],
    [['sessions', '--all-agents', 'history', 'k'], '`sessions history` does not support the parent `sessions` option --all-agents.'],
  ])('%j', async (argv, sentence) => {
    const plain = await run(...argv);
    expect(plain).toMatchObject({ code: 1, stdout: '' });
    expect(plain.stderr).toContain(sentence);
    const json = await run(...argv, '--json');
    expect(json).toMatchObject({ code: 1, stderr: plain.stderr });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, error: { message: plain.stderr.split('\n')[0] } });
  });

  it('without a command shows what there is', async () => {
    for (const argv of [[], ['gateway']]) expect((await run(...argv)).stderr).not.toBe('');
  });
});

describe('options before the subcommand', () => {
  it('count for it, and its own win', async () => {
    expect((await run('sessions', '--agent', 'nobody', 'info', 'k')).stderr).toContain('Unknown agent id "nobody"');
    expect((await run('sessions', '--agent', 'nobody', 'info', 'k', '--agent', 'other')).stderr).toContain('Unknown agent id "other"');
    expect((await run('sessions', '--limit', '0', 'history', 'k')).stderr).toContain('--limit must be');
    expect((await run('sessions', '--json', 'info', 'k')).stdout).toContain('"ok": false');
  });
});
