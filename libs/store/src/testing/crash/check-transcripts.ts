/**
 * Invariants of what transcripts hold against what was sent (I1 to I4): each acknowledged message
 * once, byte for byte, in the order of its acknowledgement, behind its parent; each unanswered one
 * whole or not at all; nothing else.
 */
import { headerLine, messageLine, type Operation, type SentMessage } from './history';
import type { Outcomes } from './outcomes';
import type { DumpedTranscript } from './store-dump';

export interface Violation {
  readonly invariant: string;
  readonly message: string;
}

interface Sent {
  readonly operation: Operation;
  readonly message: SentMessage;
}

export function checkTranscripts(transcripts: readonly DumpedTranscript[], outcomes: Outcomes): Violation[] {
  const violations: Violation[] = [];
  const sent = new Map<string, Sent>();
  const sessions = new Map<string, Operation>();
  for (const operation of outcomes.operations.values()) {
    sessions.set(operation.newSessionId, operation);
    for (const message of operation.messages) sent.set(message.id, { operation, message });
  }
  /** Message ids by operation, as they were found. */
  const found = new Map<string, string[]>();
  // What a truncation kept stands in its original too: there it counts only where it stands nowhere else.
  const originals = transcripts.filter(({ name }) => name.includes('.bak.'));
  for (const transcript of transcripts.filter((other) => !originals.includes(other))) checkOne(transcript, { sent, sessions, found, outcomes, violations });
  const cut = new Map<string, string[]>();
  for (const transcript of originals) checkOne(transcript, { sent, sessions, found: cut, outcomes, violations });
  for (const [id, messages] of cut) found.set(id, inOrder(outcomes.operations.get(id), [...(found.get(id) ?? []), ...new Set(messages.filter((message) => found.get(id)?.includes(message) !== true))]));
  for (const operation of outcomes.operations.values()) checkPresence(operation, found.get(operation.id) ?? [], outcomes, violations);
  return violations;
}

function inOrder(operation: Operation | undefined, ids: readonly string[]): string[] {
  const order = operation?.messages.map(({ id }) => id) ?? [];
  return [...ids].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

interface Checking {
  readonly sent: ReadonlyMap<string, Sent>;
  readonly sessions: ReadonlyMap<string, Operation>;
  readonly found: Map<string, string[]>;
  readonly outcomes: Outcomes;
  readonly violations: Violation[];
}

function checkOne({ name, bytes }: DumpedTranscript, { sent, sessions, found, outcomes, violations }: Checking): void {
  const wrong = (invariant: string, message: string): void => {
    violations.push({ invariant, message: `${name}: ${message}` });
  };
  if (bytes.length === 0) return;
  if (bytes.at(-1) !== 0x0a) wrong('I2', `ends in an unfinished line of ${bytes.length - bytes.lastIndexOf(0x0a) - 1} bytes`);
  const lines = bytes.toString('utf8').split('\n').slice(0, -1);
  const sessionId = name.slice(0, name.indexOf('.jsonl'));
  const creator = sessions.get(sessionId);
  if (creator === undefined) {
    wrong('I4', 'nobody asked for this session');
    return;
  }
  let parentId: string | null = null;
  let lastOrder = -1;
  const seen = new Set<string>();
  lines.forEach((line, index) => {
    const id = /^\{"type":"message","id":"([0-9a-f]{8})"/.exec(line)?.[1];
    if (index === 0) {
      if (line.slice(0, 40) !== headerLine(creator).slice(0, 40) || !isHeaderOf(line, sessionId, creator.key)) wrong('I4', `the first line is no header of this session: ${line.slice(0, 80)}`);
      return;
    }
    const origin = id === undefined ? undefined : sent.get(id);
    if (origin === undefined || id === undefined) {
      wrong('I4', `line ${index + 1} was sent by nobody: ${JSON.stringify(line.slice(0, 80))}`);
      return;
    }
    if (origin.operation.key !== creator.key) wrong('I4', `line ${index + 1} was sent to ${origin.operation.key}`);
    if (line !== messageLine(origin.message, parentId)) {
      const parsed = safeParse(line);
      const parent: unknown = parsed?.['parentId'];
      if (parsed !== undefined && parent !== parentId) wrong('I3', `line ${index + 1} names the parent ${String(parent)}, before it stands ${String(parentId)}`);
      else wrong('I4', `line ${index + 1} differs from what was sent`);
      if (typeof parent === 'string' && !seen.has(parent)) wrong('I3', `line ${index + 1}: its parent does not precede it`);
    }
    parentId = id;
    seen.add(id);
    const order = outcomes.orderOf(origin.operation.id);
    if (order !== undefined) {
      if (order < lastOrder) wrong('I3', `line ${index + 1} (${origin.operation.id}) was acknowledged before the line ahead of it`);
      lastOrder = order;
    }
    const ids = found.get(origin.operation.id) ?? [];
    ids.push(id);
    found.set(origin.operation.id, ids);
  });
}

function checkPresence(operation: Operation, found: readonly string[], outcomes: Outcomes, violations: Violation[]): void {
  const wanted = operation.messages.map((message) => message.id);
  const outcome = outcomes.outcomeOf(operation.id);
  const isWhole = found.length === wanted.length && wanted.every((id, index) => found[index] === id);
  if (outcome === 'ok' && !isWhole) {
    violations.push({ invariant: 'I1', message: `${operation.id} was acknowledged; of its ${wanted.length} messages ${found.length} are there` });
  }
  if (outcome === 'fail' && found.length > 0) violations.push({ invariant: 'I2', message: `${operation.id} failed, and ${found.length} of its messages are there` });
  if (outcome === 'unknown' && found.length > 0 && !isWhole) {
    violations.push({ invariant: 'I2', message: `${operation.id} was not answered, and ${found.length} of its ${wanted.length} messages are there` });
  }
}

function isHeaderOf(line: string, sessionId: string, key: string): boolean {
  const header = safeParse(line);
  return header?.['type'] === 'session' && header['id'] === sessionId && header['sessionKey'] === key;
}

function safeParse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
