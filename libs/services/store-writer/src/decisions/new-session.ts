/** The beginning of a session: its entry's first members and its transcript's first line. */
import { createEntryFields, firstMessageFields, sessionHeaderLine, transcriptFileName, type JsonObject, type JsonValue } from '@sessions/domain';

/** What is minted before a decision, so that the decision itself holds no chance. */
export interface NewSession {
  readonly sessionId: string;
  /** Topic whose id the transcript's name carries; absent: no topic. */
  readonly topicThreadId?: string;
  /** Working directory of the agent, for the header. */
  readonly cwd: string;
  /** Format of new entries. */
  readonly storeFormat: 'native' | 'simple';
}

export function newTranscriptFile({ sessionId, topicThreadId }: Pick<NewSession, 'sessionId' | 'topicThreadId'>): string {
  return transcriptFileName(sessionId, topicThreadId);
}

export function headerLine(session: Pick<NewSession, 'cwd'>, sessionId: string, sessionKey: string, nowMs: number): string {
  return sessionHeaderLine({ sessionId, nowMs, cwd: session.cwd, sessionKey });
}

/** @param given members beyond identity and time, in order. */
export function newEntryMembers(session: NewSession, nowMs: number, given: JsonObject): Record<string, JsonValue> {
  const { sessionId } = session;
  const sessionFile = newTranscriptFile(session);
  if (session.storeFormat === 'native') return createEntryFields({ sessionId, sessionFile, nowMs }, given);
  const at = new Date(nowMs).toISOString();
  const { updatedAt: _, sessionId: __, sessionFile: file, ...rest } = createEntryFields({ sessionId, sessionFile, nowMs }, given);
  return {
    uuid: sessionId,
    created: at,
    lastActive: at,
    messageCount: 0,
    state: { model: null, modelOverride: null, activationMode: null, lastCompaction: null, memoryFlushed: false },
    // Only where the name does not follow from the id.
    ...(file === transcriptFileName(sessionId) || file === undefined ? {} : { sessionFile: file }),
    ...rest,
  };
}

/** @param bookkeeping not a message of a person: it does not count as interaction. */
export function firstMembers(session: NewSession, nowMs: number, origin: JsonObject, bookkeeping: boolean): Record<string, JsonValue> {
  const { sessionStartedAt, lastInteractionAt, ...rest } = firstMessageFields(nowMs, origin);
  if (session.storeFormat === 'simple') return rest;
  return {
    ...(sessionStartedAt === undefined ? {} : { sessionStartedAt }),
    ...(bookkeeping || lastInteractionAt === undefined ? {} : { lastInteractionAt }),
    ...rest,
  };
}
