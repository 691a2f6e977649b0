import { parseListArguments } from './parse-list-arguments';

const parse = (line: string): ReturnType<typeof parseListArguments> => parseListArguments(line.split(' '));

describe('the short way into a listing', () => {
  it('understands every flag, before and after the word list', () => {
    expect(parse('sessions --agent work --json list --limit 5 --active=30 --verbose')).toEqual({
      command: 'sessions list',
      flags: { agent: 'work', json: true, limit: '5', active: '30', verbose: true },
    });
    expect(parse('sessions --all-agents --store x')).toEqual({ command: 'sessions', flags: { allAgents: true, store: 'x' } });
  });

  it('lets the later of two values win, as the subcommand does over its parent', () => {
    expect(parse('sessions --limit 9 list --limit 2')?.flags.limit).toBe('2');
  });

  it('takes the word after a value option as its value, but not another option', () => {
    expect(parse('sessions --limit --json')).toBeUndefined();
    expect(parse('sessions --limit -1')?.flags.limit).toBe('-1');
    expect(parseListArguments(['sessions', '--agent', ''])?.flags.agent).toBe('');
  });

  it.each(['sessions --help', 'sessions list -h', 'sessions --bogus', 'sessions --limit', 'sessions history k', 'sessions list list', 'sessions --json=1', '--json sessions', 'sessions -- list', 'status'])(
    'leaves "%s" to the command parser',
    (line) => expect(parse(line)).toBeUndefined(),
  );
});
