/**
 * From a decision's effects to what the journal keeps and what the index is told. No I/O: texts and
 * transcript ends come in through the view.
 */
import { SessionError, formatEntry, isJsonObject, patchRawObject, syncedPatch, type JsonObject, type JsonValue } from '@sessions/domain';
import { isFileEffect, planFileOps } from './archive/plan-file-ops';
import type { FileOp, JournalOp, StoredResult } from './journal/codec';
import type { IndexChange } from './session-index/worker-protocol';
import { KEEP_RESULT_MS_MIN, LINE_BYTES_MAX, NOTES_MAX, RESULT_BYTES_MAX, type Decision, type Effect, type Mutation, type TranscriptTail, type UsageLine } from './types';

const NEWLINE = 0x0a;

/** A decision looked at a transcript whose end is not known yet. */
export class TranscriptNotReady extends Error {
  readonly file: string;
  constructor(file: string) {
    super(`transcript ${file} is not prepared`);
    this.file = file;
  }
}

export interface PlannedAppend {
  readonly file: string;
  readonly bytes: Buffer;
  readonly next: Omit<TranscriptTail, 'bytes'>;
  readonly op: { messages: number; exchanges: number; leafId: string | null };
}

export interface PlannedMutation {
  readonly effects: readonly Effect[];
  readonly entryOps: readonly JournalOp[];
  /** Entry texts after the mutation; undefined: removed. */
  readonly texts: ReadonlyMap<string, string | undefined>;
  readonly appends: readonly PlannedAppend[];
  readonly fileOps: readonly FileOp[];
  /** Lines of the usage ledger, in order. */
  readonly usage: readonly UsageLine[];
  readonly stored: StoredResult | undefined;
  /** Results under keys of their own. */
  readonly notes: readonly StoredResult[];
}

export interface PlanSources {
  readonly nowMs: number;
  readonly text: (key: string) => string | undefined;
  readonly tail: (file: string) => TranscriptTail;
}

/** @throws TOO_LARGE for a line or a result beyond its bound. */
export function planMutation<T extends JsonValue>(mutation: Mutation<T>, decision: Decision<T>, sources: PlanSources): PlannedMutation {
  const texts = new Map<string, string | undefined>();
  const entryOps: JournalOp[] = [];
  const appends: PlannedAppend[] = [];
  const usage: UsageLine[] = [];
  for (const effect of decision.effects) {
    if (isFileEffect(effect)) continue;
    if (effect.kind === 'recordUsage') usage.push(effect.line);
    else if (effect.kind === 'append') appends.push(planAppend(effect, appends, sources));
    else if (effect.kind === 'removeEntry') {
      texts.set(effect.key, undefined);
      entryOps.push({ op: 'remove', key: effect.key });
    } else if (effect.kind === 'putEntryText') {
      const { key, text } = effect;
      if ((texts.has(key) ? texts.get(key) : sources.text(key)) !== undefined) throw new Error('an entry text for a key that has an entry');
      const value = JSON.parse(text) as JsonValue;
      texts.set(key, text);
      entryOps.push({ op: 'set', key, set: isJsonObject(value) ? definedMembers(value) : {}, create: true, text });
    } else {
      const before = texts.has(effect.key) ? texts.get(effect.key) : sources.text(effect.key);
      const { set, clear = [] } = effect;
      texts.set(effect.key, before === undefined ? formatEntry(set) : patchRawObject(before, syncedPatch(before, { set, clear })));
      entryOps.push({ op: 'set', key: effect.key, set, ...(clear.length > 0 ? { clear } : {}), ...(before === undefined ? { create: true } : {}) });
    }
  }
  const fileOps = planFileOps(decision.effects.filter(isFileEffect), mutation.held, sources.nowMs);
  const heldToo = appends.find(({ file }) => mutation.held?.has(file));
  if (heldToo !== undefined) throw new Error(`an append to ${heldToo.file}, which is held`);
  return { effects: decision.effects, entryOps, texts, appends, fileOps, usage, stored: storedResult(mutation, decision, sources.nowMs), notes: storedNotes(decision, sources.nowMs) };
}

function definedMembers(value: JsonObject): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(value).filter((member): member is [string, JsonValue] => member[1] !== undefined));
}

function planAppend(effect: Extract<Effect, { kind: 'append' }>, earlier: readonly PlannedAppend[], sources: PlanSources): PlannedAppend {
  if (earlier.some((append) => append.file === effect.file)) throw new Error(`two appends to ${effect.file} in one mutation`);
  const tail = sources.tail(effect.file);
  const bytes = encodeLines(effect.lines, (tail.tornBytes ?? 0) > 0);
  if (bytes.length > LINE_BYTES_MAX && effect.lines.some((line) => Buffer.byteLength(line) + 1 > LINE_BYTES_MAX)) {
    throw new SessionError('TOO_LARGE', `a transcript line is longer than ${LINE_BYTES_MAX} bytes`, { facts: { bytesMax: LINE_BYTES_MAX } });
  }
  const kind = tail.kind === 'none' || tail.kind === 'empty' ? (effect.leafId === null && !beginsWithHeader(effect) ? 'simple' : 'native') : tail.kind;
  return {
    file: effect.file,
    bytes,
    next: { kind, leafId: effect.leafId, messages: tail.messages + effect.messages, exchanges: tail.exchanges + effect.exchanges },
    op: { messages: effect.messages, exchanges: effect.exchanges, leafId: effect.leafId },
  };
}

/** Each line with its newline; a torn one before them is ended first. Written in place: joined strings would be copied once more. */
function encodeLines(lines: readonly string[], endsTorn: boolean): Buffer {
  const sizes = lines.map((line) => Buffer.byteLength(line));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + size + 1, endsTorn ? 1 : 0));
  let at = 0;
  if (endsTorn) at = bytes.writeUInt8(NEWLINE, at);
  lines.forEach((line, index) => {
    bytes.write(line, at, 'utf8');
    at = bytes.writeUInt8(NEWLINE, at + (sizes[index] as number));
  });
  return bytes;
}

/** Only native transcripts have a header line. */
function beginsWithHeader({ lines }: Extract<Effect, { kind: 'append' }>): boolean {
  return lines[0]?.startsWith('{"type":"session"') ?? false;
}

function storedResult<T extends JsonValue>(mutation: Mutation<T>, decision: Decision<T>, nowMs: number): StoredResult | undefined {
  if (mutation.idempotencyKey === undefined) return undefined;
  refuseLongResult(decision.result);
  return {
    key: mutation.idempotencyKey,
    hash: mutation.contentHash ?? '',
    keepUntilMs: nowMs + Math.max(mutation.keepResultMs ?? 0, KEEP_RESULT_MS_MIN),
    result: decision.result,
  };
}

function storedNotes({ notes = [] }: Decision<JsonValue>, nowMs: number): StoredResult[] {
  if (notes.length > NOTES_MAX) throw new Error(`a mutation with ${String(notes.length)} notes, more than ${String(NOTES_MAX)}`);
  return notes.map(({ key, result }) => {
    refuseLongResult(result);
    return { key, hash: '', keepUntilMs: nowMs + KEEP_RESULT_MS_MIN, result };
  });
}

/** @throws TOO_LARGE */
function refuseLongResult(result: JsonValue): void {
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes <= RESULT_BYTES_MAX) return;
  throw new SessionError('TOO_LARGE', `the result of an idempotent mutation has ${bytes} bytes, more than ${RESULT_BYTES_MAX}`, {
    facts: { bytes, bytesMax: RESULT_BYTES_MAX },
  });
}

/** What the index is told once the mutation is durable. */
export function indexChanges(planned: PlannedMutation, place: { readonly epoch: number; readonly seq: number }, tails: ReadonlyMap<string, TranscriptTail>): IndexChange[] {
  const { seq } = place;
  const changes: IndexChange[] = planned.usage.map((line, n) => ({ kind: 'usage', ...place, n, line }));
  for (const [file, tail] of tails) changes.push({ kind: 'transcript', file, tail });
  for (const [key, text] of planned.texts) changes.push(text === undefined ? { kind: 'remove', key, seq } : { kind: 'put', key, text, seq });
  for (const { key, hash, result, keepUntilMs } of [...(planned.stored === undefined ? [] : [planned.stored]), ...planned.notes]) {
    changes.push({ kind: 'result', key, hash, result, keepUntilMs, seq });
  }
  return changes;
}
