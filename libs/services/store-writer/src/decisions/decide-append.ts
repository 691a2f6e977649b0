/**
 * Lines that a run or a tool adds to a transcript, in order: ids, parents and times are filled in,
 * everything else of a line stays as it was given.
 */
import { SessionError, isJsonObject, patchRawObject, readRawMembers, roundCost, simpleMessageLine, successorOf, type ContentBlock, type JsonObject, type JsonValue, type MessageContent } from '@sessions/domain';
import type { MutationView, TranscriptTail } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { headerLine, type NewSession } from './new-session';
import { runMembers, runsOf } from './open-run';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { findSession } from './session-of-key';

/** Lines of one request. */
export const LINES_MAX = 100;

export interface AppendRequest {
  readonly agentId: string;
  readonly key: string;
  /** Must still be the key's, or one that its session went on from by compactions. */
  readonly sessionId: string;
  readonly runId?: string | undefined;
  /** Of the run: only the one that holds it may write. Absent: not looked at. */
  readonly attempt?: number | undefined;
  /** Parent of the first line; absent: the tip of the active branch. */
  readonly parentId?: string | undefined;
  readonly lines: readonly GivenLine[];
  readonly session: Pick<NewSession, 'cwd'>;
  /** US dollars of the answers among the lines, to be counted for the run; absent: nothing to count. */
  readonly costUsd?: number | undefined;
}

export interface GivenLine {
  readonly text: string;
  readonly record: JsonObject;
  /** Minted for a line that brings no id. */
  readonly newId: string;
}

export type AppendAnswer = StoredAnswer<
  'AppendRecords',
  { readonly recordIds: readonly string[]; readonly firstMessageSeq: number | null; readonly lastMessageSeq: number | null }
>;

/** @throws VALIDATION for a line that is no JSON object of one line. */
export function readGivenLine(bytes: Uint8Array, newId: string): GivenLine {
  const text = Buffer.from(bytes).toString('utf8').trim();
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    throw invalid('a line is not valid JSON');
  }
  if (!isJsonObject(record)) throw invalid('a line is not a JSON object');
  if (/[\n\r]/.test(text)) throw invalid('a line holds a line break');
  if (record['type'] === 'session') throw invalid('a header is not appended');
  return { text, record, newId };
}

/** @throws STALE_PLAN when the attempt that writes does not hold the run any more. */
function refuseOtherRunner({ runId, attempt }: AppendRequest, members: JsonObject): void {
  if (runId === undefined || attempt === undefined) return;
  const run = runsOf(members).find((one) => one.runId === runId);
  if (run?.state === 'running' && run.attempt === attempt && run.runnerId !== undefined) return;
  throw new SessionError('STALE_PLAN', 'another attempt holds the run, or it is over', { facts: { attempt, holds: run?.attempt ?? null } });
}

/** What the run has spent by now: those who ask what its trace costs need not wait for its end. */
function spentMembers({ runId, costUsd }: AppendRequest, members: JsonObject): Readonly<Record<string, JsonValue>> {
  if (runId === undefined || costUsd === undefined) return {};
  const runs = runsOf(members).map((run) => (run.runId === runId ? { ...run, spentUsd: roundCost((run.spentUsd ?? 0) + costUsd) } : run));
  return runMembers(runs, members).set;
}

interface PlacedLine {
  readonly id: string;
  readonly text: string;
  readonly isMessage: boolean;
  readonly isExchange: boolean;
}

/** @throws SESSION_NOT_FOUND, ENTRY_CHANGED, VALIDATION, STALE_PLAN */
export function decideAppend(request: AppendRequest, view: MutationView): Planned<AppendAnswer> {
  const present = findSession(view, request.key);
  if (present === undefined) throw new SessionError('SESSION_NOT_FOUND', `session not found: ${request.key}`);
  const { key, file } = present;
  const { sessionId } = present;
  // What was meant for a transcript that the session has gone on from since belongs into the present one.
  const isMoved = sessionId !== request.sessionId && successorOf(present.members, request.sessionId) !== undefined;
  if (sessionId === null || file === null || (sessionId !== request.sessionId && !isMoved)) {
    throw new SessionError('ENTRY_CHANGED', 'the key has another session id by now', {
      facts: { expectedSessionId: request.sessionId, sessionId: present.sessionId },
    });
  }
  refuseOtherRunner(request, present.members);
  const tail = view.transcript(file);
  const { placed, leafId } = tail.kind === 'simple' ? placeSimple(request, tail, view.nowMs) : placeNative(isMoved ? atTip(request) : request, tail, view.nowMs);
  const begins = tail.kind === 'none' || tail.kind === 'empty';
  const header = begins ? [headerLine(request.session, sessionId, key, view.nowMs)] : [];
  const messages = placed.filter((line) => line.isMessage);
  const exchanges = placed.filter((line) => line.isExchange).length;
  const set = {
    updatedAt: view.nowMs,
    ...(typeof present.members['messageCount'] === 'number' ? { messageCount: tail.exchanges + exchanges } : {}),
    ...spentMembers(request, present.members),
  };
  const row = rowOf(request.agentId, key, membersAfter(present.members, { set }), tail.exchanges + exchanges);
  const seqOf = (line: PlacedLine): number => tail.messages + 1 + messages.indexOf(line);
  const announcements = messages.map((line): Announcement => {
    const common = { key, sessionId, messageId: line.id, messageSeq: seqOf(line), line: line.text, row };
    return { kind: 'message', ...common, ...(request.runId === undefined ? {} : { runId: request.runId }) };
  });
  return {
    decision: {
      effects: [
        { kind: 'putEntry', key, set },
        { kind: 'append', file, lines: [...header, ...placed.map((line) => line.text)], messages: messages.length, exchanges, leafId },
      ],
      result: {
        method: 'AppendRecords',
        recordIds: placed.map((line) => line.id),
        firstMessageSeq: messages.length === 0 ? null : tail.messages + 1,
        lastMessageSeq: messages.length === 0 ? null : tail.messages + messages.length,
      },
    },
    announcements,
  };
}

/** Parents that were named may be summarised by now: the lines follow the tip, each the one before. */
function atTip({ parentId: _, lines, ...request }: AppendRequest): AppendRequest {
  return { ...request, lines: lines.map((line) => (line.record['parentId'] === undefined ? line : withoutParent(line))) };
}

function withoutParent({ text, record: { parentId: _, ...record }, newId }: GivenLine): GivenLine {
  return { text: patchRawObject(text, { clear: ['parentId'] }), record, newId };
}

function placeNative(request: AppendRequest, tail: TranscriptTail, nowMs: number): { readonly placed: readonly PlacedLine[]; readonly leafId: string | null } {
  const placed: PlacedLine[] = [];
  let leafId = tail.leafId;
  let parentId = request.parentId ?? tail.leafId;
  for (const line of request.lines) {
    const { record } = line;
    const { type } = record;
    if (typeof type !== 'string' || type === '') throw invalid('a line has no type');
    const id = typeof record['id'] === 'string' && record['id'] !== '' ? record['id'] : line.newId;
    const role = type === 'message' && isJsonObject(record['message']) ? record['message']['role'] : undefined;
    if (type === 'message' && typeof role !== 'string') throw invalid('a message line has no role');
    placed.push({ id, text: filledIn(line, id, parentId, nowMs), isMessage: role !== undefined, isExchange: role === 'user' || role === 'assistant' });
    if (record['appendMode'] === 'side') continue;
    leafId = type === 'leaf' ? (typeof record['targetId'] === 'string' ? record['targetId'] : null) : id;
    parentId = leafId;
  }
  return { placed, leafId };
}

/** The line with identity first; the text of every other member is copied as it stands. */
function filledIn({ text, record }: GivenLine, id: string, parentId: string | null, nowMs: number): string {
  const own = {
    type: record['type'],
    id,
    parentId: record['parentId'] === undefined ? parentId : record['parentId'],
    timestamp: typeof record['timestamp'] === 'string' ? record['timestamp'] : new Date(nowMs).toISOString(),
  };
  const head = JSON.stringify(own).slice(1, -1);
  const rest = readRawMembers(text).filter((member) => !Object.hasOwn(own, member.name));
  return `{${[head, ...rest.map((member) => text.slice(member.start, member.valueEnd))].join(',')}}`;
}

/** The tutorial's format knows messages of the two sides only, and no ids. */
function placeSimple(request: AppendRequest, tail: TranscriptTail, nowMs: number): { readonly placed: readonly PlacedLine[]; readonly leafId: string | null } {
  const placed = request.lines.map(({ record }, index): PlacedLine => {
    const message = record['type'] === 'message' && isJsonObject(record['message']) ? record['message'] : record;
    const { role, content } = message;
    if ((role !== 'user' && role !== 'assistant') || !(typeof content === 'string' || Array.isArray(content))) {
      throw invalid('a transcript of the simple format takes messages of user and assistant only');
    }
    const text = simpleMessageLine(role, plainContent(content), nowMs);
    return { id: `L${String(tail.messages + 1 + index)}`, text, isMessage: true, isExchange: true };
  });
  return { placed, leafId: null };
}

/** What the format can say of a content: its texts and the kinds of its images. */
function plainContent(content: string | readonly JsonValue[]): MessageContent {
  if (typeof content === 'string') return content;
  return content.filter((block) => isJsonObject(block) && (block['type'] === 'text' || block['type'] === 'image')) as unknown as readonly ContentBlock[];
}

function invalid(message: string): SessionError {
  return new SessionError('VALIDATION', message);
}
