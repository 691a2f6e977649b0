/**
 * A history as a whole: what became of each operation, in which order they count, and which states
 * an entry may therefore be in.
 */
import type { HistoryRecord, Operation } from './history';

export type Outcome = 'ok' | 'fail' | 'unknown';

/** An entry as far as the operations determine it; undefined: there is none. */
export type EntryState = { readonly sessionId: string; readonly members: Readonly<Record<string, string>> } | undefined;

interface Acknowledged {
  /** Sequence; for a repeat whose sequence is no longer known, between its neighbours. */
  readonly order: number;
  readonly seq: number;
  readonly epoch: number;
}

interface Attempts {
  readonly started: number;
  readonly failed: number;
  /** The store itself judged the request and refused it: an earlier attempt did nothing either. */
  readonly refused: boolean;
}

const REFUSALS: ReadonlySet<string> = new Set(['VALIDATION', 'SESSION_NOT_FOUND']);

/** More unanswered operations of one key than this are not tried in every order. */
const UNANSWERED_MAX = 5;

export class Outcomes {
  readonly operations = new Map<string, Operation>();
  readonly #acknowledged = new Map<string, Acknowledged>();
  /** Operations of which an answer said that it was the first. */
  readonly #acknowledgedAsNew = new Set<string>();
  readonly #attempts = new Map<string, Attempts>();
  readonly #wrong: { invariant: string; message: string }[] = [];
  readonly #epochs: number[] = [];

  constructor(history: readonly HistoryRecord[]) {
    let highest = 0;
    for (const record of history) {
      if (record.t === 'start') {
        this.operations.set(record.operation.id, record.operation);
        this.#count(record.operation.id, { started: 1, failed: 0, refused: false });
      } else if (record.t === 'wrong') this.#wrong.push(record);
      else if (record.t === 'fail') this.#count(record.id, { started: 0, failed: 1, refused: REFUSALS.has(record.reason) });
      else if (record.t === 'opened') {
        this.#noteEpoch(record.epoch);
        this.#noteDamage(record.notices);
      } else if (record.t === 'ok') {
        // A writer that is stopped after its acknowledgement writes it down when it wakes: the repeat may stand before it.
        if (!record.repeated && this.#acknowledgedAsNew.has(record.id)) this.#wrong.push({ invariant: 'I1', message: `${record.id} was acknowledged twice as new` });
        if (!record.repeated) this.#acknowledgedAsNew.add(record.id);
        const before = this.#acknowledged.get(record.id);
        if (before === undefined || (before.seq <= 0 && record.seq > 0)) {
          this.#acknowledged.set(record.id, { order: record.seq > 0 ? record.seq : highest + 0.5, seq: record.seq, epoch: record.epoch });
        } else if (record.seq > 0 && record.seq !== before.seq) {
          this.#wrong.push({ invariant: 'I1', message: `${record.id} was acknowledged as number ${before.seq} and as number ${record.seq}` });
        }
        if (!record.repeated && record.seq <= 0) this.#wrong.push({ invariant: 'I3', message: `${record.id} has the sequence ${record.seq}` });
        highest = Math.max(highest, record.seq);
      }
    }
    this.#checkSequences();
  }

  /** What the writers and this reading of the history found wrong. */
  get wrong(): readonly { invariant: string; message: string }[] {
    return this.#wrong;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  get highestEpoch(): number {
    return Math.max(0, ...this.#epochs);
  }

  outcomeOf(id: string): Outcome {
    if (this.#acknowledged.has(id)) return 'ok';
    const { started, failed, refused } = this.#attempts.get(id) ?? { started: 0, failed: 0, refused: false };
    return refused || failed === started ? 'fail' : 'unknown';
  }

  /** Place among all acknowledged operations; undefined for others. */
  orderOf(id: string): number | undefined {
    return this.#acknowledged.get(id)?.order;
  }

  /** Keys that operations went to. */
  keys(): Set<string> {
    return new Set([...this.operations.values()].map((operation) => operation.key));
  }

  /**
   * States that an entry may be in: all acknowledged operations up to an order, then any of the
   * unanswered ones in any order.
   * @param isThere whether an unanswered send is known to have happened or not, from its messages: its
   *   entry must agree. Absent: nothing is known.
   */
  possibleStates(key: string, throughOrder = Number.POSITIVE_INFINITY, isThere?: (operation: Operation) => boolean): EntryState[] {
    const own = [...this.operations.values()].filter((operation) => operation.key === key);
    const done = own.filter((operation) => this.outcomeOf(operation.id) === 'ok' && (this.orderOf(operation.id) as number) <= throughOrder);
    done.sort((a, b) => (this.orderOf(a.id) as number) - (this.orderOf(b.id) as number));
    const base = done.reduce<EntryState>((state, operation) => after(state, operation), undefined);
    const open = own.filter((operation) => this.outcomeOf(operation.id) === 'unknown').slice(-UNANSWERED_MAX);
    const states: EntryState[] = [];
    const contradicts = (operation: Operation, applied: boolean): boolean => isThere !== undefined && operation.kind === 'send' && isThere(operation) !== applied;
    const visit = (state: EntryState, rest: readonly Operation[]): void => {
      const agrees = open.every((operation) => !contradicts(operation, !rest.includes(operation)));
      if (agrees) states.push(state);
      rest.forEach((operation, index) => visit(after(state, operation), rest.filter((_, other) => other !== index)));
    };
    visit(base, open);
    return states;
  }

  #count(id: string, more: Attempts): void {
    const before = this.#attempts.get(id) ?? { started: 0, failed: 0, refused: false };
    this.#attempts.set(id, { started: before.started + more.started, failed: before.failed + more.failed, refused: before.refused || more.refused });
  }

  #noteEpoch(epoch: number): void {
    const before = this.#epochs.at(-1);
    if (before !== undefined && epoch <= before) this.#wrong.push({ invariant: 'I7', message: `epoch ${epoch} was taken after ${before}` });
    this.#epochs.push(epoch);
  }

  /** Neither a kill nor a power cut damages what was acknowledged: a report of damage is false, or true and worse. */
  #noteDamage(notices: readonly string[]): void {
    for (const notice of notices) {
      if (notice.startsWith('damage:')) this.#wrong.push({ invariant: 'I1', message: `recovery reported ${notice}` });
    }
  }

  #checkSequences(): void {
    const bySeq = new Map<number, string>();
    for (const [id, { seq }] of this.#acknowledged) {
      if (seq === 0) continue;
      const other = bySeq.get(seq);
      if (other !== undefined) this.#wrong.push({ invariant: 'I7', message: `${id} and ${other} were both acknowledged as number ${seq}` });
      bySeq.set(seq, id);
    }
    for (const [id] of this.#acknowledged) {
      if (this.operations.get(id)?.kind === 'escape') this.#wrong.push({ invariant: 'I12', message: `${id} was to write outside the store and was acknowledged` });
    }
  }
}

/** An operation applied to an entry; a patch or a removal of nothing does nothing. */
function after(state: EntryState, operation: Operation): EntryState {
  const { kind, id } = operation;
  if (kind === 'send') {
    const before = state ?? { sessionId: operation.newSessionId, members: {} };
    return { ...before, members: { ...before.members, lastSend: id } };
  }
  if (kind === 'patch') return state === undefined ? undefined : { ...state, members: { ...state.members, [operation.slot]: id } };
  return kind === 'remove' ? undefined : state;
}

/** The same view of an entry as it stands on disk. */
export function stateOf(value: unknown): EntryState {
  if (typeof value !== 'object' || value === null) return undefined;
  const { sessionId, ...rest } = value as Record<string, unknown>;
  const members: Record<string, string> = {};
  for (const [name, member] of Object.entries(rest)) {
    if ((name === 'lastSend' || name.startsWith('slot')) && typeof member === 'string') members[name] = member;
  }
  return { sessionId: String(sessionId), members };
}

export function sameState(a: EntryState, b: EntryState): boolean {
  if (a === undefined || b === undefined) return a === b;
  const names = new Set([...Object.keys(a.members), ...Object.keys(b.members)]);
  return a.sessionId === b.sessionId && [...names].every((name) => a.members[name] === b.members[name]);
}
