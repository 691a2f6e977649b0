/**
 * Options may stand before the subcommand: `openclaw sessions --agent work info <key>`. The
 * subcommand's own value wins; an option that the subcommand has no meaning for is refused, because
 * a dropped `--store` would silently read or change another store.
 */
import { SessionError } from '@sessions/domain';
import type { Command } from 'commander';

/** @throws VALIDATION naming the parent's options that the subcommand does not have */
export function inheritFlags<Flags extends Readonly<Record<string, unknown>>>(command: Command): Flags {
  const { parent } = command;
  const flags: Record<string, unknown> = {};
  const meaningless: string[] = [];
  for (const option of parent?.options ?? []) {
    const name = option.attributeName();
    if (parent?.getOptionValueSource(name) !== 'cli') continue;
    const known = command.options.some((own) => own.attributeName() === name);
    if (known) flags[name] = parent.getOptionValue(name);
    else meaningless.push(option.long ?? option.flags);
  }
  if (meaningless.length > 0) {
    const word = meaningless.length === 1 ? 'option' : 'options';
    const path = `${parent?.name() ?? ''} ${command.name()}`;
    throw new SessionError('VALIDATION', `\`${path}\` does not support the parent \`${parent?.name() ?? ''}\` ${word} ${meaningless.join(', ')}.`, {
      facts: { options: meaningless.join(',') },
      hint: `Try: openclaw ${path} --help`,
    });
  }
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === 'cli') flags[name] = command.getOptionValue(name);
  }
  return flags as Flags;
}
