/** Why a turn does not go on: it was told to stop and says its last words, or it is another's by now and says nothing. */
export class TurnStop {
  readonly #leaving = new AbortController();
  #reason: string | undefined;
  #isLeft = false;

  /** Of a turn that was told to stop. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** The run is another's, or this process stops: nothing is written any more. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  get goesOn(): boolean {
    return this.#reason === undefined && !this.#isLeft;
  }

  /** Aborts when the run is stopped or left. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  /** The first reason stands. */
  stop(reason: string): void {
    this.#reason ??= reason;
    this.#leaving.abort();
  }

  leave(): void {
    this.#isLeft = true;
    this.#leaving.abort();
  }
}
