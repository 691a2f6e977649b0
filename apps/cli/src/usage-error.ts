/** What the command parser refuses, in the words that people know from the original. */
import { SessionError } from '@sessions/domain';
import type { Command, CommanderError } from 'commander';

/** The deepest command that the words name: `sessions history`. */
function namedCommand(program: Command, argv: readonly string[]): string {
  const path: string[] = [];
  let at = program;
  for (const word of argv) {
    if (word.startsWith('-')) continue;
    const child = at.commands.find((command) => command.name() === word);
    if (child === undefined) continue;
    path.push(word);
    at = child;
  }
  return ['openclaw', ...path].join(' ');
}

/** @param error a parse error, not the display of help */
export function toUsageError(error: CommanderError, program: Command, argv: readonly string[]): SessionError {
  const command = namedCommand(program, argv);
  const hint = `Try: ${command} --help`;
  const facts = { command };
  if (error.code === 'commander.help') {
    return new SessionError('VALIDATION', `${command} needs a command.`, { hint, facts });
  }
  if (error.code === 'commander.excessArguments') {
    return new SessionError('VALIDATION', 'Too many arguments for this command.', { hint, facts });
  }
  const what = error.message.replace(/^error: /u, '').replace(/\n/gu, ' ');
  return new SessionError('VALIDATION', `OpenClaw could not parse this command: ${what}`, { hint, facts });
}
