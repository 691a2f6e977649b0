/**
 * The recorder of a crash test: what a writer was asked, when, and what it answered. One JSON line a
 * record, written with one blocking call before and after each operation, to a file that stands
 * outside the disk whose power is cut. A killed process loses at most the line it had not ended.
 */
import * as fs from 'node:fs';

/** A chat message as it was handed over; its transcript line is made by `messageLine`. */
export interface SentMessage {
  /** Eight hexadecimal digits, unique in a history. */
  readonly id: string;
  readonly atMs: number;
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

export type OperationKind = 'send' | 'patch' | 'remove' | 'refused' | 'escape' | 'reset' | 'delete' | 'truncate' | 'restore';

/** One requested mutation. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly key: string;
  /** Session id that the entry gets when the operation creates it, or begins it anew. */
  readonly newSessionId: string;
  readonly atMs: number;
  readonly messages: readonly SentMessage[];
  /** Member that a patch sets to the operation's id. */
  readonly slot: string;
  /** Of a restore: the file that is brought back. */
  readonly archive?: string;
  /** Of a truncation: messages that stay. */
  readonly keep?: number;
}

export type HistoryRecord =
  | { readonly t: 'opening'; readonly run: number; readonly pid: number }
  | { readonly t: 'opened'; readonly run: number; readonly pid: number; readonly epoch: number; readonly seq: number; readonly notices: readonly string[] }
  | { readonly t: 'start'; readonly run: number; readonly operation: Operation }
  | { readonly t: 'ok'; readonly run: number; readonly id: string; readonly seq: number; readonly epoch: number; readonly repeated: boolean; readonly answer: string }
  | { readonly t: 'fail' | 'unknown'; readonly run: number; readonly id: string; readonly reason: string }
  | { readonly t: 'wrong'; readonly run: number; readonly invariant: string; readonly message: string }
  | { readonly t: 'failed'; readonly run: number; readonly reason: string }
  | { readonly t: 'checkpointed'; readonly run: number; readonly seq: number }
  | { readonly t: 'closed'; readonly run: number };

/** Longer than any record. */
const TORN_BYTES_MAX = 16 * 1024 * 1024;

/** Appends records; each call returns when the kernel has the line. */
export class HistoryFile {
  readonly #fd: number;

  constructor(file: string) {
    this.#fd = fs.openSync(file, 'a+');
    this.#cutTornLine();
  }

  /** A kill may end a write between two pages: what the last process began to say is not said. */
  #cutTornLine(): void {
    const { size } = fs.fstatSync(this.#fd);
    const bytes = Buffer.alloc(Math.min(size, TORN_BYTES_MAX));
    fs.readSync(this.#fd, bytes, 0, bytes.length, size - bytes.length);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end === bytes.length) return;
    if (end === 0 && bytes.length < size) throw new Error(`no line ends in the last ${String(TORN_BYTES_MAX)} bytes of the history`);
    fs.ftruncateSync(this.#fd, size - bytes.length + end);
  }

  write(record: HistoryRecord): void {
    fs.writeSync(this.#fd, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

/** Whole records in the order of their writing; a cut last line is passed over. */
export function readHistory(file: string): HistoryRecord[] {
  if (!fs.existsSync(file)) return [];
  const text = fs.readFileSync(file, 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HistoryRecord);
}

/** The exact transcript line of a message. */
export function messageLine(message: SentMessage, parentId: string | null): string {
  const { id, atMs, role, text } = message;
  return JSON.stringify({
    type: 'message',
    id,
    parentId,
    timestamp: new Date(atMs).toISOString(),
    message: { role, content: [{ type: 'text', text }], timestamp: atMs },
  });
}

/** The exact first line of the transcript that an operation creates. */
export function headerLine(operation: Pick<Operation, 'newSessionId' | 'atMs' | 'key'>): string {
  return JSON.stringify({
    type: 'session',
    version: 3,
    id: operation.newSessionId,
    timestamp: new Date(operation.atMs).toISOString(),
    cwd: '~',
    sessionKey: operation.key,
  });
}
