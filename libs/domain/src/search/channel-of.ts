/** The channel that a session belongs to, when sessions are looked for by it. */
import type { SessionRow } from '@sessions/contracts';
import { parseSessionKey } from '../keys/session-key';

/** As the entry says, else as its key says, else where it was last spoken to; undefined: none. */
export function channelOf(row: Pick<SessionRow, 'key' | 'channel' | 'lastChannel'>): string | undefined {
  if (row.channel !== undefined) return row.channel;
  const parsed = parseSessionKey(row.key);
  return ('channel' in parsed ? parsed.channel : undefined) ?? row.lastChannel;
}

/** @param asked in any case, blanks around it do not count: names of channels are told apart by neither */
export function isInChannel(row: Pick<SessionRow, 'key' | 'channel' | 'lastChannel'>, asked: string): boolean {
  return channelOf(row)?.trim().toLowerCase() === asked.trim().toLowerCase();
}
