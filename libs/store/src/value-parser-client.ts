/**
 * The importing thread's side of the value parser. The importing thread is inside one SQLite
 * transaction and cannot give way to its event loop, so answers are fetched by blocking, and a parser
 * that says nothing for ANSWER_MS_MAX is given up: whoever imports parses by itself then.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as path from 'node:path';
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { SessionError, type ErrorFacts } from '@sessions/domain';
import type { ImportColumns } from './session-index/entry-columns';

/** A file with less is parsed sooner than a thread has started. */
export const PARSER_FILE_BYTES_MIN = 4 * 1024 * 1024;
const ANSWER_MS_MAX = 10_000;

/** Values to parse, in file order. */
export interface ValueRanges {
  readonly keys: string[];
  readonly offsets: number[];
  readonly lengths: number[];
}

export type ParsedValues =
  | { readonly columns: ImportColumns[] }
  | { readonly unreadable: { readonly message: string; readonly facts: ErrorFacts; readonly hint: string | undefined } }
  | { readonly failure: string };

export interface ValueParserData {
  readonly fd: number;
  readonly port: MessagePort;
  /** Answers given so far. */
  readonly answered: Int32Array;
}

/** The thread's file: beside this one when built or bundled, in `dist` when run from source. */
function parserFile(): string {
  return path.join(__dirname, __filename.endsWith('.ts') ? '../dist/value-parser.js' : 'value-parser.js');
}

export class ValueParserClient {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answered: Int32Array;
  #isGivenUp = false;

  private constructor(fd: number) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const data: ValueParserData = { fd, port: port2, answered: this.#answered };
    this.#worker = new Worker(parserFile(), { name: 'value-parser', workerData: data, transferList: [port2] });
    // It is given up by its silence, and its end is nobody's failure.
    this.#worker.on('error', () => undefined);
    this.#worker.unref();
  }

  /** @returns undefined where a second thread gains nothing. */
  static for(fd: number, fileBytes: number): ValueParserClient | undefined {
    if (fileBytes < PARSER_FILE_BYTES_MIN || availableParallelism() < 2 || !existsSync(parserFile())) return undefined;
    return new ValueParserClient(fd);
  }

  /** Has the values parsed; `take` answers in the order of the offers. */
  offer(ranges: ValueRanges): void {
    this.#port.postMessage(ranges);
  }

  /**
   * Waits for the next answer.
   * @returns undefined when the parser is of no more use
   * @throws STORE_UNREADABLE for a value that is no JSON
   */
  take(): ImportColumns[] | undefined {
    const answer = this.#isGivenUp ? undefined : this.#receive();
    // An answer that comes too late would be taken for the next one.
    this.#isGivenUp = answer === undefined || 'failure' in answer;
    if (answer === undefined || 'failure' in answer) return undefined;
    if ('columns' in answer) return answer.columns;
    const { message, facts, hint } = answer.unreadable;
    throw new SessionError('STORE_UNREADABLE', message, { facts, ...(hint === undefined ? {} : { hint }) });
  }

  end(): void {
    this.#port.close();
    void this.#worker.terminate();
  }

  #receive(): ParsedValues | undefined {
    for (;;) {
      const seen = Atomics.load(this.#answered, 0);
      const received = receiveMessageOnPort(this.#port) as { message: ParsedValues } | undefined;
      if (received !== undefined) return received.message;
      if (Atomics.wait(this.#answered, 0, seen, ANSWER_MS_MAX) === 'timed-out') return undefined;
    }
  }
}
