/**
 * What a decision sees and does, without a disk: entries, transcripts, and the effects of decisions
 * put into them as the engine would.
 */
import { SessionError, formatEntry, parseEntry, patchRawObject, syncSimpleMembers, type JsonObject, type JsonValue } from '@sessions/domain';
import type { Effect, EntrySnapshot, MutationView, TranscriptTail, UsageLine } from '@sessions/store';
import type { Planned } from '../decisions/planned';

const NO_TRANSCRIPT: TranscriptTail = { kind: 'none', leafId: null, messages: 0, exchanges: 0, bytes: 0 };

export class MemoryStore {
  /** Key -> JSON text. */
  readonly entries = new Map<string, string>();
  /** File name -> lines. */
  readonly files = new Map<string, string[]>();
  readonly tails = new Map<string, TranscriptTail>();
  /** Lines of the usage ledger. */
  readonly usage: UsageLine[] = [];
  nowMs: number;

  constructor(nowMs = Date.UTC(2026, 5, 1)) {
    this.nowMs = nowMs;
  }

  get view(): MutationView {
    const entry = (key: string): EntrySnapshot | undefined => {
      const text = this.entries.get(key);
      return text === undefined ? undefined : { key, text };
    };
    const keyWhere = (test: (members: JsonObject) => boolean): string | undefined => {
      for (const [key, text] of this.entries) {
        const parsed = parseEntry(JSON.parse(text));
        if (parsed.listed && test(parsed.members)) return key;
      }
      return undefined;
    };
    return {
      nowMs: this.nowMs,
      entry,
      firstExisting: (keys) => keys.map(entry).find((found) => found !== undefined),
      keyOfSession: (sessionId) => keyWhere((members) => members['sessionId'] === sessionId),
      isFileOfOthers: (file, key) => {
        for (const [other, text] of this.entries) {
          const parsed = parseEntry(JSON.parse(text));
          if (other !== key && parsed.listed && parsed.file === file) return true;
        }
        return false;
      },
      keyOfLabel: (label) => keyWhere((members) => members['label'] === label),
      transcript: (file) => this.tails.get(file) ?? NO_TRANSCRIPT,
      usageOfRun: (runId) => this.usage.filter((line) => line.runId === runId),
      hasUsageOf: (sessionId) => this.usage.some((line) => line.sessionId === sessionId),
    };
  }

  /** Puts the effects of a decision in place and answers its result. */
  apply<T extends JsonValue>(planned: Planned<T>): T {
    for (const effect of planned.decision.effects) this.#put(effect);
    return planned.decision.result;
  }

  put(key: string, members: JsonObject): void {
    this.entries.set(key, formatEntry(members));
  }

  members(key: string): JsonObject {
    const text = this.entries.get(key);
    if (text === undefined) throw new SessionError('SESSION_NOT_FOUND', `no entry under ${key}`);
    return JSON.parse(text) as JsonObject;
  }

  lines(file: string): readonly JsonObject[] {
    return (this.files.get(file) ?? []).map((line) => JSON.parse(line) as JsonObject);
  }

  #put(effect: Effect): void {
    if (effect.kind === 'recordUsage') {
      this.usage.push(effect.line);
    } else if (effect.kind === 'removeEntry') {
      this.entries.delete(effect.key);
    } else if (effect.kind === 'putEntry') {
      const before = this.entries.get(effect.key);
      const clear = effect.clear ?? [];
      this.entries.set(effect.key, before === undefined ? formatEntry(effect.set) : patchRawObject(before, { set: syncSimpleMembers(before, effect.set), clear }));
    } else if (effect.kind === 'append') {
      const before = this.tails.get(effect.file) ?? NO_TRANSCRIPT;
      const lines = this.files.get(effect.file) ?? [];
      this.files.set(effect.file, [...lines, ...effect.lines]);
      const begun = effect.leafId === null ? 'simple' : 'native';
      this.tails.set(effect.file, {
        kind: before.kind === 'none' || before.kind === 'empty' ? begun : before.kind,
        leafId: effect.leafId,
        messages: before.messages + effect.messages,
        exchanges: before.exchanges + effect.exchanges,
        bytes: before.bytes + effect.lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0),
      });
    }
  }
}
