/**
 * Chat commands about the thread that they are said in: `/focus`, `/unfocus`, `/session idle|max-age`. They are
 * about the thread's own session, whatever the thread is bound to, and are answered there.
 */
import { ChatCommand } from '@sessions/contracts';
import type { ReplyRoute } from '@sessions/contracts';
import { commandVerdict, parseChatCommand } from '@sessions/domain';
import type { CommandSender } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { SeenAddress } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { focusThread, limitThread, unbindThread } from './bound-thread';

export interface ThreadCommandText {
  /** Of the thread's own session. */
  readonly address: SeenAddress;
  readonly channel: string;
  /** Where the message came from. */
  readonly place: ReplyRoute | undefined;
  readonly text: string;
  readonly hasAttachments: boolean;
  readonly sender: Pick<CommandSender, 'isAuthorised' | 'isOwner'>;
}

/** @returns the command as carried out; undefined: the message is none of these, or its sender may not */
export async function threadCommand(deps: HandlerDeps, { address, channel, place, text, hasAttachments, sender }: ThreadCommandText, context: CallContext): Promise<ChatCommand | undefined> {
  const intent = hasAttachments ? undefined : parseChatCommand(text, deps.config().session.resetTriggers);
  if (intent?.kind !== 'focus' && intent?.kind !== 'unfocus' && intent?.kind !== 'thread') return undefined;
  if (commandVerdict(intent, { ...sender, isCommandLine: false }) !== 'run') return undefined;
  const answered = (reply: string): ChatCommand => ChatCommand.create({ name: intent.kind, fromOwner: sender.isOwner, reply });
  if (intent.kind === 'focus') return answered(await focusThread(deps, { address, channel, place, asked: intent.args.trim() }, context));
  if (intent.kind !== 'thread') return answered(await unbindThread(deps, address, channel, context));
  const hours = hoursOf(intent.value);
  if (hours === undefined) return answered('Usage: /session idle|max-age <duration>, like 30m, 24h, 7d, or off');
  return answered(await limitThread(deps, address, channel, { name: intent.limit, hours }, context));
}

const HOURS_OF: Readonly<Record<string, number>> = { m: 1 / 60, h: 1, d: 24 };

/** Without a unit: hours. */
function hoursOf(value: string): number | undefined {
  if (value.toLowerCase() === 'off') return 0;
  const [, count, unit = 'h'] = /^(\d{1,6}(?:\.\d{1,3})?)([mhd])?$/i.exec(value) ?? [];
  return count === undefined ? undefined : Number(count) * (HOURS_OF[unit.toLowerCase()] ?? 1);
}
