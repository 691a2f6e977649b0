/** The turn that a message asks for, and the session that it spawns, as a decision takes them. */
import type { ChannelMessageRef, ChildSession, DeliverRequest } from '@sessions/contracts';
import { SessionError, isJsonObject, modelFor, type JsonValue } from '@sessions/domain';
import type { AskedRun, ChildMembers } from '../decisions/decide-deliver';
import type { OwnedAgent } from '../owned-agent';
import { assertRunId } from './run-occasion';

/** Members that a spawn gives a child beside those of its own. Bytes. */
const MEMBERS_BYTES_MAX = 64 * 1024;
const LABEL_LENGTH_MAX = 512;
/** What a spawn never sets: identity, and the owner's own. */
const NOT_GIVEN: ReadonlySet<string> = new Set(['sessionId', 'sessionFile', 'updatedAt', 'openRuns', 'openDeliveries', 'pendingCompaction', 'openApprovals', 'status', 'compactionCheckpoints']);

/** @throws VALIDATION */
export function askedRunOf(agent: OwnedAgent, { run, route, message, interSession, interrupt }: DeliverRequest): Omit<AskedRun, 'spool'> | undefined {
  if (run === undefined) return undefined;
  assertRunId(run.runId);
  const inReplyTo = inReplyToOf(message?.channelMessage);
  const senderId = message?.sender?.id;
  return {
    request: run,
    channel: route?.channel?.toLowerCase(),
    interrupts: interrupt,
    config: agent.deps.config(),
    hasModel: run.model !== undefined || modelFor(agent.deps.config(), agent.agentId) !== undefined,
    ...(route === undefined ? {} : { route }),
    ...(interSession === undefined ? {} : { interSession }),
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
    ...(senderId === undefined || senderId === '' ? {} : { senderId }),
  };
}

/** The message that an answer is to, for its channel. */
export function inReplyToOf(message: ChannelMessageRef | undefined): AskedRun['inReplyTo'] {
  if (message === undefined) return undefined;
  const { channel, accountId, messageId } = message;
  return { channel, messageId, ...(accountId === undefined ? {} : { accountId }) };
}

/** @throws VALIDATION */
export function childMembersOf(child: ChildSession | undefined): ChildMembers | undefined {
  if (child === undefined) return undefined;
  const { spawnedBy, spawnDepth, label, cleanup, archiveAtMs, membersJson } = child;
  if (spawnedBy === '' || spawnDepth < 1) throw invalid('a child names who spawned it and its depth, from 1');
  if (cleanup !== 'delete' && cleanup !== 'keep') throw invalid('cleanup is "delete" or "keep"');
  if (label !== undefined && label.length > LABEL_LENGTH_MAX) throw invalid(`a label has at most ${String(LABEL_LENGTH_MAX)} characters`);
  return {
    spawnedBy,
    parentSessionKey: spawnedBy,
    spawnDepth,
    ...(label === undefined ? {} : { label }),
    cleanup,
    ...(archiveAtMs === undefined ? {} : { archiveAt: archiveAtMs }),
    ...membersOf(membersJson),
  };
}

function membersOf(bytes: Uint8Array | undefined): Record<string, JsonValue> {
  if (bytes === undefined || bytes.length === 0) return {};
  if (bytes.length > MEMBERS_BYTES_MAX) throw invalid(`the members of a child have at most ${String(MEMBERS_BYTES_MAX)} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw invalid('the members of a child are not valid JSON');
  }
  if (!isJsonObject(value as JsonValue)) throw invalid('the members of a child are not a JSON object');
  return Object.fromEntries(Object.entries(value as Record<string, JsonValue>).filter(([name]) => !NOT_GIVEN.has(name)));
}

function invalid(message: string): SessionError {
  return new SessionError('VALIDATION', message);
}
