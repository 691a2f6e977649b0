/** ReadFacts: what a maintenance plan is made from: totals, then candidate rows, then candidate files, in slices. */
import { FactFile, FactFiles, FactRow, FactRows, StoreTotals, type ReadFactsRequest, type ReadFactsResponse } from '@sessions/contracts';
import { ROW_FLAGS, SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { AgentStore } from '@sessions/store';
import type { CandidateFile } from '../maintenance/directory-facts';
import { FactGatherer, type CandidateRow, type FactSource, type FactsQuery } from '../maintenance/gather-facts';
import type { OwnedAgent } from '../owned-agent';

/** Rows or files of one item; some hundred bytes each. */
const ITEMS_PER_SLICE = 500;

/** @throws VALIDATION for a plan without a time */
export async function* readFacts(agent: OwnedAgent, request: ReadFactsRequest, context: CallContext): AsyncGenerator<ReadFactsResponse> {
  if (!Number.isFinite(request.nowAtMs) || request.nowAtMs <= 0) throw new SessionError('VALIDATION', 'facts need the time of the plan');
  if (!(await agent.hasStore())) {
    yield { item: { $case: 'totals', value: StoreTotals.create({ storePath: agent.deps.sessionsFile() }) } };
    return;
  }
  // The store stays open for as long as its facts are read.
  const items = new Handover<ReadFactsResponse>();
  const work = agent.use(({ store, seq }) => give(store, seq, request, items, context.signal)).then(
    () => items.end(),
    (error: unknown) => items.fail(error),
  );
  try {
    yield* items.taken();
  } finally {
    items.stop();
    await work;
  }
}

async function give(store: AgentStore, storeSeq: number, request: ReadFactsRequest, items: Handover<ReadFactsResponse>, signal: AbortSignal): Promise<void> {
  const head = { epoch: store.epoch, storeSeq, storePath: store.layout.sessionsFile, refusal: store.writable ? undefined : 'STORE_UNREADABLE' };
  for await (const item of factsOf(store, head, request)) {
    if (signal.aborted || items.stopped) return;
    await items.give(item);
  }
}

export interface FactsHead {
  readonly storePath: string;
  readonly epoch?: number;
  readonly storeSeq?: number;
  /** Why no plan may be made: then nothing follows. */
  readonly refusal: string | undefined;
}

/** The facts of a store that is open, or of its files. @param everyRow rows that are no candidates too. */
export async function* factsOf(source: FactSource, head: FactsHead, request: ReadFactsRequest, everyRow = false): AsyncGenerator<ReadFactsResponse> {
  if (head.refusal !== undefined) {
    yield { item: { $case: 'totals', value: StoreTotals.create(head) } };
    return;
  }
  const gatherer = new FactGatherer(source, { ...queryOf(request), everyRow });
  yield { item: { $case: 'totals', value: StoreTotals.create({ ...head, ...(await gatherer.count()) }) } };
  let rows: FactRow[] = [];
  for await (const candidate of gatherer.candidates()) {
    rows.push(rowOf(candidate));
    if (rows.length < ITEMS_PER_SLICE) continue;
    yield { item: { $case: 'rows', value: FactRows.create({ rows }) } };
    rows = [];
  }
  if (rows.length > 0) yield { item: { $case: 'rows', value: FactRows.create({ rows }) } };
  let files: FactFile[] = [];
  for await (const file of gatherer.candidateFiles()) {
    files.push(fileOf(file));
    if (files.length < ITEMS_PER_SLICE) continue;
    yield { item: { $case: 'files', value: FactFiles.create({ files }) } };
    files = [];
  }
  if (files.length > 0) yield { item: { $case: 'files', value: FactFiles.create({ files }) } };
}

function queryOf(request: ReadFactsRequest): FactsQuery {
  return {
    nowMs: request.nowAtMs,
    pruneBeforeMs: request.pruneBeforeAtMs,
    overAgeBeforeMs: request.overAgeBeforeAtMs,
    maxEntries: request.maxEntries,
    cronRunsBeforeMs: request.cronRunsBeforeAtMs,
    modelRunsBeforeMs: request.modelRunsBeforeAtMs,
    dmScopeRows: request.dmScopeRows,
    missingRows: request.missingRows,
    dueArchives: request.dueArchives,
    fileClasses: new Set(request.fileClasses),
    filesBeforeMs: request.filesBeforeAtMs,
    evictBytes: request.evictBytes,
    activeKey: request.activeKey,
  };
}

function rowOf({ row, protections, bytes, candidateFor, lookedAt }: CandidateRow): FactRow {
  return {
    key: row.key,
    sessionId: row.sessionId ?? undefined,
    updatedAtMs: row.updatedAt ?? undefined,
    protections: [...protections],
    transcriptState: lookedAt?.state,
    foundFile: lookedAt?.foundFile,
    bytes,
    candidateFor: [...candidateFor],
    archiveAtMs: row.archiveAtMs ?? undefined,
    entryBytes: row.entryBytes,
    cleanup: row.cleanup ?? undefined,
    persistentChild: (row.flags & ROW_FLAGS.persistentChild) !== 0,
    label: row.label ?? undefined,
    model: row.model ?? undefined,
    removalAnnouncedAtMs: row.removalAnnouncedAtMs ?? undefined,
  };
}

function fileOf({ name, fileClass, sizeBytes, mtimeMs, stampAtMs }: CandidateFile): FactFile {
  return FactFile.create({ name, fileClass, sizeBytes, mtimeMs, stampAtMs });
}

/** One item at a time from who makes them to who takes them. */
class Handover<T> {
  #waiting: { readonly value: T } | undefined;
  /** Lets the giver go on. */
  #goOn: (() => void) | undefined;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;
  stopped = false;

  async give(value: T): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { value };
      this.#goOn = resolve;
      this.#wake?.();
    });
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.end();
  }

  /** The taker has left. */
  stop(): void {
    this.stopped = true;
    this.#goOn?.();
  }

  async *taken(): AsyncGenerator<T> {
    for (;;) {
      const next = this.#waiting;
      this.#waiting = undefined;
      if (next !== undefined) {
        yield next.value;
        this.#goOn?.();
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error instanceof Error ? this.#error : new Error(String(this.#error));
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
