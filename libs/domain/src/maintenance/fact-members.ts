/**
 * The members of an entry that facts are made from, under their native names. An entry is some
 * kilobytes, these are some dozen bytes of it: who reads a whole store keeps these and not the entry.
 */
import { parseEntry } from '../entry/entry';
import { OPEN_WORK_MEMBERS } from '../entry/open-work';
import { nativeView } from '../entry/simple-format';
import { REMOVAL_NOTICE_MEMBER } from '../entry/removal-notice';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

const NAMES: readonly string[] = [
  // What is open protects a row.
  ...OPEN_WORK_MEMBERS,
  REMOVAL_NOTICE_MEMBER,
  'sessionId',
  'status',
  'pendingFinalDelivery',
  'updatedAt',
  'lastInteractionAt',
  'chatType',
  'usageFamilySessionIds',
  'compactionCheckpoints',
  'archiveAt',
  'cleanup',
  'spawnMode',
  'label',
  'modelProvider',
  'model',
];

/** @param value of the entry, parsed; what is no entry has what it has. */
export function factMembers(value: unknown): JsonObject {
  const entry = parseEntry(value);
  const native = entry.listed ? nativeView(entry.members) : isJsonObject(value) ? value : {};
  const members: Record<string, JsonValue> = {};
  for (const name of NAMES) {
    const member = native[name];
    if (member !== undefined) members[name] = member;
  }
  const { origin } = native;
  if (isJsonObject(origin) && origin['chatType'] !== undefined) members['origin'] = { chatType: origin['chatType'] };
  return members;
}
