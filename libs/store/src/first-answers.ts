/** The first answer to each idempotency key: of a mutation under way, or kept by the index. */
import { SessionError, type JsonValue } from '@sessions/domain';
import type { IndexWorkerClient } from './index-worker-client';
import type { IndexReader } from './session-index/index-reader';
import type { Mutation, MutationOutcome } from './types';

export interface FirstAnswersParts {
  readonly reader: Pick<IndexReader, 'result'>;
  readonly worker: Pick<IndexWorkerClient, 'applied'>;
  readonly epoch: number;
}

interface UnderWay {
  readonly hash: string;
  readonly outcome: Promise<MutationOutcome<JsonValue>>;
}

export class FirstAnswers {
  readonly #parts: FirstAnswersParts;
  /** As many as mutations wait for the journal or the index. */
  readonly #underWay = new Map<string, UnderWay>();

  constructor(parts: FirstAnswersParts) {
    this.#parts = parts;
  }

  /** @returns undefined when the key is new, or there is none. @throws IDEMPOTENCY_MISMATCH for another request under the key */
  to<T extends JsonValue>({ idempotencyKey: key, contentHash }: Mutation<T>): Promise<MutationOutcome<T>> | undefined {
    if (key === undefined) return undefined;
    const flying = this.#underWay.get(key);
    if (flying !== undefined) {
      refuseMismatch(key, flying.hash, contentHash);
      return flying.outcome.then((first) => ({ ...(first as MutationOutcome<T>), effects: [], repeated: true }));
    }
    const known = this.#parts.reader.result(key);
    if (known === undefined) return undefined;
    refuseMismatch(key, known.hash, contentHash);
    return Promise.resolve({ result: known.result as T, seq: known.seq, epoch: this.#parts.epoch, repeated: true, effects: [] });
  }

  /** The mutation is on its way to the journal under `seq`. */
  note<T extends JsonValue>({ idempotencyKey: key, contentHash }: Mutation<T>, outcome: Promise<MutationOutcome<T>>, seq: number): void {
    if (key === undefined) return;
    this.#underWay.set(key, { hash: contentHash ?? '', outcome });
    const forget = (): void => {
      this.#underWay.delete(key);
    };
    // The index answers for the key once it has the mutation; until then the promise does.
    outcome.then(() => this.#parts.worker.applied(seq)).then(forget, forget);
  }
}

function refuseMismatch(key: string, before: string, now: string | undefined): void {
  if (now === undefined || before === '' || before === now) return;
  throw new SessionError('IDEMPOTENCY_MISMATCH', 'the idempotency key was used before with another request', { facts: { idempotencyKeyLength: key.length } });
}
