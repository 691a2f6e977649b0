/**
 * A seeded stream of operations on one store, and how each becomes a mutation. Several clients run at
 * once, so that groups of several records are written; each logs before it asks and after it hears.
 */
import { createHash } from 'node:crypto';
import { SessionError, type JsonValue } from '@sessions/domain';
import type { AgentStore } from '../../agent-store';
import type { Decision, Effect, MutationView } from '../../types';
import { SeededRandom } from '../seeded-random';
import { headerLine, messageLine, type HistoryFile, type HistoryRecord, type Operation, type OperationKind } from './history';
import { isLifecycle, performLifecycle, pickArchive } from './lifecycle-operations';

/** Sessions that the operations go to; few, so that they meet. */
const KEYS_COUNT = 6;
const SLOTS_COUNT = 4;
const CLIENTS_COUNT = 4;
/** Lengths of message texts: within one block, over a block's end, over several. */
const TEXT_LENGTHS = [12, 80, 300, 900, 4000, 9000] as const;
/** How often an archive is brought back, where there is one, and how many messages a truncation leaves at most. */
const RESTORE_CHANCE = 0.05;
const KEEP_MAX = 5;
/** Earlier operations that are asked for again at the start of a run, besides all unanswered ones. */
const OLD_RETRIES_MAX = 3;

export interface WorkloadOptions {
  readonly store: AgentStore;
  readonly history: HistoryFile;
  /** What earlier runs and this one so far have recorded. */
  readonly past: readonly HistoryRecord[];
  readonly seed: number;
  readonly run: number;
  readonly operations: number;
  /** Kinds of the first operations, and of all behind them; undefined: drawn. */
  readonly first?: readonly OperationKind[];
  readonly rest?: OperationKind | undefined;
  /** false: no checkpoint is asked for. */
  readonly checkpoints: boolean;
  readonly nowMs: () => number;
}

/** The operation as a decision; called again with the same operation it means the same request. */
export function decideOperation(operation: Operation, view: MutationView): Decision<JsonValue> {
  const { key, id, kind, atMs } = operation;
  if (kind === 'refused') throw new SessionError('VALIDATION', 'refused by the test');
  if (kind === 'escape') {
    return { effects: [{ kind: 'append', file: `../${operation.newSessionId}.jsonl`, lines: [headerLine(operation)], messages: 0, exchanges: 0, leafId: null }], result: { id } };
  }
  const entry = view.entry(key);
  if (kind === 'remove') {
    if (entry === undefined) throw new SessionError('SESSION_NOT_FOUND', `no session ${key}`);
    return { effects: [{ kind: 'removeEntry', key }], result: { id } };
  }
  if (kind === 'patch') {
    if (entry === undefined) throw new SessionError('SESSION_NOT_FOUND', `no session ${key}`);
    return { effects: [{ kind: 'putEntry', key, set: { [operation.slot]: id, updatedAt: atMs } }], result: { id } };
  }
  return decideSend(operation, view, entry?.text);
}

function decideSend(operation: Operation, view: MutationView, entryText: string | undefined): Decision<JsonValue> {
  const { key, id, atMs, messages } = operation;
  const members = entryText === undefined ? undefined : (JSON.parse(entryText) as { sessionId: string });
  const sessionId = members?.sessionId ?? operation.newSessionId;
  const file = `${sessionId}.jsonl`;
  const tail = view.transcript(file);
  const lines = tail.kind === 'none' || tail.kind === 'empty' ? [headerLine({ ...operation, newSessionId: sessionId })] : [];
  let leafId = tail.leafId;
  for (const message of messages) {
    lines.push(messageLine(message, leafId));
    leafId = message.id;
  }
  const effects: Effect[] = [
    { kind: 'putEntry', key, set: { ...(members === undefined ? { sessionId } : {}), updatedAt: atMs, lastSend: id } },
    { kind: 'append', file, lines, messages: messages.length, exchanges: messages.length, leafId },
  ];
  return { effects, result: { id, created: members === undefined } };
}

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #random: SeededRandom;
  /** Sequences of what this run had acknowledged. */
  readonly #seqOf = new Map<string, number>();
  #made = 0;
  #firstMade = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed, options.run);
  }

  /** Asks again for what was never answered, then runs all clients. Ends early when the store fails. */
  async run(): Promise<void> {
    await this.#askAgain();
    await Promise.all(Array.from({ length: CLIENTS_COUNT }, () => this.#client()));
  }

  async #client(): Promise<void> {
    while (this.#made < this.#options.operations && this.#options.store.failure === undefined) {
      this.#made += 1;
      const random = this.#random;
      const wanted = this.#options.first?.[this.#firstMade] ?? this.#options.rest;
      if (wanted !== undefined) {
        this.#firstMade += 1;
        await this.#perform(this.#next(wanted), true);
      } else if (random.chance(0.04)) {
        if (this.#options.checkpoints) await this.#checkpoint();
      } else if (random.chance(0.06)) await this.#readLists();
      else await this.#perform(this.#next(), true);
    }
  }

  /** Unanswered operations first, one after the other: until they are settled nothing new is acknowledged. */
  async #askAgain(): Promise<void> {
    const answers = new Map<string, string>();
    const unanswered = new Map<string, Operation>();
    const answered: Operation[] = [];
    for (const record of this.#options.past) {
      if (record.t === 'start') unanswered.set(record.operation.id, record.operation);
      if (record.t === 'fail') unanswered.delete(record.id);
      if (record.t === 'ok') {
        const operation = unanswered.get(record.id);
        if (operation !== undefined) answered.push(operation);
        unanswered.delete(record.id);
        answers.set(record.id, record.answer);
      }
    }
    for (const operation of unanswered.values()) await this.#perform(operation, false);
    // A send is never refused: repeating one tells most.
    const sends = answered.filter(({ kind }) => kind === 'send');
    for (let count = 0; count < OLD_RETRIES_MAX && answered.length > 0; count += 1) {
      const operation = this.#random.pick(count === 0 && sends.length > 0 ? sends : answered);
      const expected = answers.get(operation.id);
      const outcome = await this.#perform(operation, false);
      if (outcome !== undefined && (!outcome.repeated || outcome.answer !== expected)) {
        this.#wrong('I1', `repeating ${operation.id} was answered ${outcome.answer} (repeated: ${outcome.repeated}), first ${expected}`);
      }
    }
  }

  /** @param wanted absent: drawn. */
  #next(wanted?: OperationKind): Operation {
    const random = this.#random;
    const { run, nowMs } = this.#options;
    const archive = wanted === undefined && random.chance(RESTORE_CHANCE) ? pickArchive(this.#options.store.layout, random) : undefined;
    const kind = archive === undefined ? (wanted ?? kindOf(random.below(100))) : 'restore';
    const atMs = nowMs();
    const messagesCount = kind === 'send' ? 1 + random.below(3) : 0;
    return {
      id: `r${run}-${random.hex(8)}`,
      kind,
      key: archive?.key ?? `agent:main:crash:${random.below(KEYS_COUNT)}`,
      newSessionId: random.uuid(atMs),
      atMs,
      slot: `slot${random.below(SLOTS_COUNT)}`,
      ...(archive === undefined ? {} : { archive: archive.file }),
      ...(kind === 'truncate' ? { keep: 1 + random.below(KEEP_MAX) } : {}),
      messages: Array.from({ length: messagesCount }, (_, index) => ({
        id: random.hex(8),
        atMs: atMs + index,
        role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
        text: random.prose(random.pick(TEXT_LENGTHS)),
      })),
    };
  }

  async #perform(operation: Operation, verify: boolean): Promise<{ repeated: boolean; answer: string } | undefined> {
    const { store, history, run } = this.#options;
    history.write({ t: 'start', run, operation });
    try {
      const request = { idempotencyKey: operation.id, contentHash: createHash('sha256').update(JSON.stringify(operation)).digest('hex') };
      const outcome = isLifecycle(operation)
        ? await performLifecycle(store, operation, request)
        : await store.mutate({ ...request, decide: (view) => decideOperation(operation, view) });
      const answer = JSON.stringify(outcome.result);
      const { seq, epoch, repeated } = outcome;
      history.write({ t: 'ok', run, id: operation.id, seq, epoch, repeated, answer });
      this.#seqOf.set(operation.id, seq);
      if (verify && this.#random.chance(0.3)) await this.#readBack(operation, seq);
      return { repeated, answer };
    } catch (error) {
      const reason = error instanceof SessionError ? error.reason : String(error);
      history.write({ t: isUnknown(reason) ? 'unknown' : 'fail', run, id: operation.id, reason });
      return undefined;
    }
  }

  /** A client sees what was acknowledged to it (invariant I5). */
  async #readBack(operation: Operation, seq: number): Promise<void> {
    const { store } = this.#options;
    if (operation.kind !== 'send' || store.failure !== undefined) return;
    try {
      const entry = await store.entry({ key: operation.key });
      // Another client may have removed or made the session anew meanwhile.
      if (entry?.sessionId === undefined || entry.sessionId === null) return;
      const lastSend = (JSON.parse(entry.text) as { lastSend?: string }).lastSend ?? '';
      const lastSeq = this.#seqOf.get(lastSend);
      if (lastSeq !== undefined && lastSeq < seq) this.#wrong('I5', `${operation.id} was acknowledged, and a later read shows the entry as of ${lastSend}`);
      const page = await store.history({ sessionId: entry.sessionId, limit: 50 });
      const text = page?.records.map((record) => record.line).join('\n') ?? '';
      const last = operation.messages.at(-1);
      const isSame = (page?.records.length ?? 0) > 0 && lastSend === operation.id;
      if (isSame && last !== undefined && !text.includes(`"id":"${last.id}"`)) this.#wrong('I5', `${operation.id} was acknowledged, and a later read lacks it`);
    } catch (error) {
      this.#readFailed(error);
    }
  }

  async #readLists(): Promise<void> {
    const { store } = this.#options;
    if (store.failure !== undefined) return;
    try {
      await store.list({ limit: 10 });
      await store.info();
    } catch (error) {
      this.#readFailed(error);
    }
  }

  async #checkpoint(): Promise<void> {
    const { store, history, run } = this.#options;
    try {
      const { seq } = await store.checkpoint();
      history.write({ t: 'checkpointed', run, seq });
    } catch (error) {
      history.write({ t: 'failed', run, reason: `checkpoint: ${error instanceof SessionError ? error.reason : String(error)}` });
    }
  }

  /** An error is no wrong answer: the disk may be gone. */
  #readFailed(error: unknown): void {
    this.#options.history.write({ t: 'failed', run: this.#options.run, reason: `read: ${String(error)}` });
  }

  #wrong(invariant: string, message: string): void {
    this.#options.history.write({ t: 'wrong', run: this.#options.run, invariant, message });
  }
}

/** Of a hundred draws. */
function kindOf(draw: number): OperationKind {
  const shares: readonly (readonly [OperationKind, number])[] = [['send', 54], ['patch', 19], ['remove', 3], ['refused', 4], ['escape', 2], ['reset', 7], ['truncate', 7]];
  let end = 0;
  for (const [kind, share] of shares) {
    end += share;
    if (draw < end) return kind;
  }
  return 'delete';
}

/** Reasons after which a mutation may be there or not. A fenced owner's last group may have been read by its successor. */
function isUnknown(reason: string): boolean {
  return reason === 'OUTCOME_UNKNOWN' || reason === 'EPOCH_SUPERSEDED';
}
