import { CHAT_COMMAND_USAGES } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import type { GatewayMethod } from '../method';

/** `commands.list`: the chat commands that sessions understand, with how they are written. */
export const commandsList: GatewayMethod = (deps) => Promise.resolve({ payload: { commands: commandRows(deps.config()) } });

export function commandRows({ session, commands }: SessionConfig): readonly object[] {
  const resets = session.resetTriggers.map((trigger) => ({ name: trigger.trim().replace(/^\//, ''), usage: `${trigger.trim()} [text]` }));
  const known = commands.text ? [...resets, ...CHAT_COMMAND_USAGES] : [];
  return known.map(({ name, usage }) => ({
    name,
    nativeName: name,
    textAliases: [`/${name}`],
    description: usage,
    category: 'session',
    source: 'native',
    scope: 'text',
    acceptsArgs: /\s/.test(usage),
  }));
}
