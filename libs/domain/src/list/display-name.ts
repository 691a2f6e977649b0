/** Under which name a gateway lists a session whose entry may have none (measured). */
import type { SessionRow } from '@sessions/contracts';
import { isJsonObject } from '../json';
import { gatewayRowKind } from '../keys/key-kind';
import { parseSessionKey } from '../keys/session-key';
import { groupDisplayName, nameSlug } from '../routing/origin-metadata';

/**
 * The stored name; else, of a group on a known channel, a name made of its room, subject or id; else
 * the label, else the name that came with the messages.
 */
export function displayNameOf(row: SessionRow): string | undefined {
  if (row.displayName !== undefined) return row.displayName;
  const channel = channelOf(row);
  const isGroup = gatewayRowKind(row.key, row.chatType === undefined ? {} : { chatType: row.chatType }) === 'group';
  return isGroup && channel !== undefined ? groupName(row, channel) : (row.label ?? originLabel(row));
}

function originLabel({ originJson }: SessionRow): string | undefined {
  if (originJson === undefined) return undefined;
  const origin: unknown = JSON.parse(new TextDecoder().decode(originJson));
  return isJsonObject(origin) && typeof origin['label'] === 'string' ? origin['label'] : undefined;
}

/** The stored channel, else the one that the key of a group names. */
export function channelOf(row: SessionRow): string | undefined {
  if (row.channel !== undefined) return row.channel;
  const parsed = parseSessionKey(row.key);
  return parsed.form === 'group' || parsed.form === 'room' ? parsed.channel : undefined;
}

function groupName(row: SessionRow, channel: string): string {
  const room = nameSlug(row.groupChannel ?? '').replace(/^#+/, '');
  if (room !== '') return `${channel}:${nameSlug(row.space ?? '')}#${room}`;
  const id = conversationOf(row).replaceAll(':', '-');
  return groupDisplayName(channel, 'group', row.subject === undefined ? { id } : { id, name: row.subject });
}

/** The conversation's id with its thread or topic, in words of the key. */
function conversationOf(row: SessionRow): string {
  const parsed = parseSessionKey(row.key);
  if (parsed.form !== 'group' && parsed.form !== 'room') return row.groupId ?? row.key;
  return parsed.suffix === undefined ? parsed.id : `${parsed.id}:${parsed.suffix.kind}:${parsed.suffix.id}`;
}
