/**
 * ForkSession: a child that begins with the source's active branch, ids kept, complete turns only. The
 * child's transcript is written aside and gets its name with its entry, so it is there whole or not at all.
 */
import { ForkSessionResponse, type ForkSessionRequest } from '@sessions/contracts';
import { CHARS_PER_TOKEN, FORK_WINDOW_SHARE, assertCreatableKey, storedSpellings, sessionHeaderLine } from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import { readLineFacts, type AgentStore, type BranchLine, type ByteSource, type HeldFiles, type Piece, type StagedTranscript } from '@sessions/store';
import { decideFork, type ForkAnswer } from '../decisions/decide-fork';
import { readFieldChanges } from '../decisions/field-patch';
import { newTranscriptFile, type NewSession } from '../decisions/new-session';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import { checkpointSource } from './checkpoint-source';
import { goneSince } from './gone-since';
import { answeredEntry } from './entry-json';
import { newSessionOf } from './new-session-of';
import { branchOf } from './read-branch';
import { requestHash } from './request-hash';
import { textOf } from './transcript-lines';
import { entryOfKey } from './stored-session';

/** Label of a session that begins at a checkpoint. */
export const CHECKPOINT_LABEL = 'Checkpoint branch';

/** @throws SESSION_NOT_FOUND, ENTRY_CHANGED, KEY_INVALID, LABEL_IN_USE, VALIDATION, IDEMPOTENCY_MISMATCH, CHECKPOINT_NOT_FOUND */
export async function forkSession(agent: OwnedAgent, request: ForkSessionRequest, context: CallContext): Promise<ForkSessionResponse> {
  const { sourceKey, checkpointId, contextTokens } = request;
  const targetKey = request.targetKey ?? `agent:${agent.agentId}:dashboard:${uuidV7(agent.deps.clock.nowMs())}`;
  assertCreatableKey(targetKey);
  const fields = readFieldChanges(request.fields);
  const session = newSessionOf(agent, targetKey);
  const contentHash = requestHash('ForkSession', [sourceKey, request.targetKey ?? '', fields, contextTokens ?? 0, ...(checkpointId === undefined ? [] : [checkpointId])]);
  return agent.mutateHeld<ForkAnswer, ForkSessionResponse>(
    {
      files: () => Promise.resolve([{ file: newTranscriptFile(session), kind: 'reset' as const }]),
      request: async (held, store) => {
        const copied = await copyBranch(store, held, { sourceKey, targetKey, session, contextTokens, checkpointId, nowMs: agent.deps.clock.nowMs() });
        const asked = { agentId: agent.agentId, sourceKey, targetKey, fields, session, held, ...(checkpointId === undefined ? {} : { label: CHECKPOINT_LABEL }), ...copied };
        return { method: 'ForkSession', context, contentHash, plan: (view) => decideFork(asked, view) };
      },
    },
    async ({ result, epoch, seq }, store) => {
      const entry = await store.entry({ anyOf: storedSpellings(result.key) });
      if (entry === undefined) throw goneSince(idempotencyKeyOf(context));
      return ForkSessionResponse.create({
        epoch,
        storeSeq: seq,
        key: result.key,
        sessionId: result.sessionId,
        entryJson: answeredEntry(entry.text),
        forked: result.forked,
        refusal: result.refusal ?? undefined,
        encodedRow: Buffer.from(entry.encodedRow),
      });
    },
  );
}

interface Copying {
  readonly sourceKey: string;
  readonly targetKey: string;
  readonly session: NewSession;
  readonly contextTokens: number | undefined;
  /** Begin where the source was before this compaction. */
  readonly checkpointId: string | undefined;
  readonly nowMs: number;
}

interface Copied {
  readonly sourceSessionId: string | null;
  readonly staged: StagedTranscript | undefined;
  readonly refusal: string | undefined;
}

async function copyBranch(store: AgentStore, held: HeldFiles, { sourceKey, targetKey, session, contextTokens, checkpointId, nowMs }: Copying): Promise<Copied> {
  const source = await entryOfKey(store, sourceKey);
  if (source === undefined || source.file === null) return { sourceSessionId: source?.sessionId ?? null, staged: undefined, refusal: 'parent_empty' };
  const refused = (refusal: string): Copied => ({ sourceSessionId: source.sessionId, staged: undefined, refusal });
  const checkpoint = checkpointId === undefined ? undefined : await checkpointSource(store, source, checkpointId);
  const from = { file: checkpoint?.file ?? source.file, tail: checkpoint === undefined || checkpoint.file === source.file ? source.tail : undefined };
  const tipId = checkpoint?.tipId;
  const branch = await branchOf(store, from, tipId);
  if (branch === undefined || branch.lines.length === 0) return refused('parent_empty');
  const bytesMax = contextTokens === undefined ? undefined : contextTokens * FORK_WINDOW_SHARE * CHARS_PER_TOKEN;
  if (bytesMax !== undefined && (await store.files.readTranscript(from.file, (bytes) => isContextLarger(bytes, branch.lines, bytesMax))) === true) return refused('parent_too_large');
  const staged = await stageBranch(store, held, { targetKey, session, nowMs, parentSessionId: source.sessionId, source: from, tipId });
  return staged === undefined ? refused('parent_empty') : { sourceSessionId: source.sessionId, staged, refusal: undefined };
}

export interface BranchCopy {
  readonly targetKey: string;
  readonly session: NewSession;
  readonly nowMs: number;
  /** For the header of the copy. */
  readonly parentSessionId: string | null;
  readonly source: Parameters<typeof branchOf>[1];
  /** Undefined: the active leaf. */
  readonly tipId: string | undefined;
}

/** The complete turns of a branch under a header of their own; undefined: there are none. */
export async function stageBranch(store: AgentStore, held: HeldFiles, { targetKey, session, nowMs, parentSessionId, source, tipId }: BranchCopy): Promise<StagedTranscript | undefined> {
  const branch = await branchOf(store, source, tipId);
  if (branch === undefined) return undefined;
  const header = sessionHeaderLine({ sessionId: session.sessionId, nowMs, cwd: session.cwd, sessionKey: targetKey });
  const withParent = `${header.slice(0, -1)},"parentSession":${JSON.stringify(parentSessionId)}}`;
  // The tutorial's format knows no header.
  const begin: Piece[] = source.tail?.kind === 'simple' ? [] : [{ text: `${withParent}\n` }];
  return store.files.readTranscript(source.file ?? '', async (from) => {
    const lines = await completeTurns(from, branch.lines);
    return lines.length === 0 ? undefined : held.stage([...begin, ...lines.map((line): Piece => ({ source: from, ...line }))]);
  });
}

/** Whether what a model sees of the branch, from the newest summary's first kept line on, is more than that; reads no further. */
async function isContextLarger(source: ByteSource, lines: readonly BranchLine[], bytesMax: number): Promise<boolean> {
  let bytes = 0;
  let firstKept: unknown;
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] as BranchLine;
    bytes += line.bytes;
    if (bytes > bytesMax) return true;
    const facts = readLineFacts(Buffer.from(await textOf(source, line)));
    if (firstKept === undefined && facts?.record['type'] === 'compaction') firstKept = facts.record['firstKeptEntryId'] ?? facts.id;
    if (firstKept !== undefined && facts?.id === firstKept) return false;
  }
  return false;
}

/** Without an assistant message at the end whose tool calls are not all answered, and what follows on it. */
async function completeTurns(source: ByteSource, lines: readonly BranchLine[]): Promise<readonly BranchLine[]> {
  const answered = new Set<string>();
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const facts = readLineFacts(Buffer.from(await textOf(source, lines[at] as BranchLine)));
    const message = facts?.record['message'] as { toolCallId?: unknown; content?: unknown } | undefined;
    if (facts?.role === 'toolResult' && typeof message?.toolCallId === 'string') answered.add(message.toolCallId);
    if (facts?.role === 'user') return lines;
    if (facts?.role !== 'assistant') continue;
    const blocks = Array.isArray(message?.content) ? (message.content as readonly { type?: unknown; id?: unknown }[]) : [];
    const isOpen = blocks.some((block) => block.type === 'toolCall' && !answered.has(String(block.id)));
    return isOpen ? lines.slice(0, at) : lines;
  }
  return lines;
}
