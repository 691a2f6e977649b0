/**
 * Jobs that were delivered as often as they may be, in a stream of their own: the newest
 * `MAX_DEAD_LETTERS`, without the payload and without texts of a conversation. They outlive every
 * process here, and are lost with JetStream's data, as all of it may be.
 */
import { CALL_HEADER } from '@sessions/contracts';
import type { DeadJob } from '../bus';
import { MAX_DEAD_LETTERS } from '../limits';
import { JS_ERROR, JetStreamRefusal } from './jetstream';
import type { JetStream } from './jetstream';
import type { Provisioner } from './provisioner';
import { namesFor } from './wire';

export class DeadLetters {
  readonly #jetStream: JetStream;
  readonly #provisioner: Provisioner;
  readonly #stream: string;
  readonly #jobsPrefix: string;
  readonly #deadPrefix: string;

  constructor(jetStream: JetStream, provisioner: Provisioner, subjectPrefix: string) {
    this.#jetStream = jetStream;
    this.#provisioner = provisioner;
    this.#stream = namesFor(subjectPrefix).dead;
    this.#jobsPrefix = `${subjectPrefix}.jobs.`;
    this.#deadPrefix = `${subjectPrefix}.dead.`;
  }

  /** @param streamSeq of the job, so that one that is buried twice is kept once */
  async add(letter: DeadJob, streamSeq: string): Promise<void> {
    const payload = Buffer.from(JSON.stringify(letter));
    const headers = { [CALL_HEADER.MESSAGE_ID]: `dead:${streamSeq}:${letter.messageId}` };
    await this.#provisioner.run('the list of dead letters', () => this.#jetStream.publish(this.#subjectFor(letter.subject), payload, headers));
  }

  /** Newest first. @param pattern of jobs */
  async list(pattern: string): Promise<readonly DeadJob[]> {
    const letters: DeadJob[] = [];
    for (let seq = 1; letters.length < MAX_DEAD_LETTERS; ) {
      const found = await this.#next(seq, this.#subjectFor(pattern));
      if (found === undefined) break;
      if (found.letter !== undefined) letters.push(found.letter);
      seq = found.seq + 1;
    }
    return letters.reverse();
  }

  async #next(seq: number, filter: string): Promise<{ seq: number; letter: DeadJob | undefined } | undefined> {
    try {
      const answer = await this.#provisioner.run('the list of dead letters', () =>
        this.#jetStream.api(`STREAM.MSG.GET.${this.#stream}`, { seq, next_by_subj: filter }),
      );
      const message = answer['message'] as { readonly seq: number; readonly data?: string };
      return { seq: message.seq, letter: parseLetter(Buffer.from(message.data ?? '', 'base64').toString()) };
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.errCode === JS_ERROR.NO_MESSAGE) return undefined;
      throw error;
    }
  }

  #subjectFor(jobSubject: string): string {
    return this.#deadPrefix + jobSubject.slice(this.#jobsPrefix.length);
  }
}

/** Undefined for what is no letter of ours. */
function parseLetter(text: string): DeadJob | undefined {
  try {
    const given = JSON.parse(text) as Partial<Record<keyof DeadJob, unknown>>;
    const { subject, messageId, deliveries, problem, diedAtMs } = given;
    if (typeof subject !== 'string' || typeof messageId !== 'string' || typeof problem !== 'string') return undefined;
    return { subject, messageId, deliveries: Number(deliveries), problem, diedAtMs: Number(diedAtMs) };
  } catch {
    return undefined;
  }
}
