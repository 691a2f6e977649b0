/**
 * The short way into a listing: `openclaw sessions [list] [flags]` is understood here, without the
 * command parser, whose loading costs more than the listing. Whatever is not certain (help, an
 * unknown or incomplete option, another word) is left to the command parser, which has the words
 * for it; on everything understood here the two agree.
 */
import type { ListFlags } from './list-flags';

export interface ListArguments {
  /** `sessions list` prints other columns than bare `sessions`. */
  readonly command: 'sessions' | 'sessions list';
  readonly flags: ListFlags;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const SWITCHES = { '--all-agents': 'allAgents', '--verbose': 'verbose', '--json': 'json' } as const;
const VALUES = { '--agent': 'agent', '--store': 'store', '--active': 'active', '--limit': 'limit' } as const;

const isSwitch = (word: string): word is keyof typeof SWITCHES => Object.hasOwn(SWITCHES, word);
const isValue = (word: string): word is keyof typeof VALUES => Object.hasOwn(VALUES, word);

/** @returns undefined when the command parser has to look at it. */
export function parseListArguments(argv: readonly string[]): ListArguments | undefined {
  if (argv[0] !== 'sessions') return undefined;
  let command: ListArguments['command'] = 'sessions';
  const flags: Mutable<ListFlags> = {};
  for (let at = 1; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals === -1 ? word : word.slice(0, equals);
    if (isSwitch(name) && equals === -1) {
      flags[SWITCHES[name]] = true;
    } else if (isValue(name)) {
      if (equals === -1) at += 1;
      const value = equals === -1 ? argv[at] : word.slice(equals + 1);
      if (value === undefined || value.startsWith('--')) return undefined;
      flags[VALUES[name]] = value;
    } else if (word === 'list' && command === 'sessions') {
      command = 'sessions list';
    } else {
      return undefined;
    }
  }
  return { command, flags };
}
