/**
 * Clients that send numbered messages and write down every call: when it began and ended, and with
 * what. A message is sent again under its id until it is accepted, as a channel does; some are sent
 * to two routers at once, as a channel's impatient retry is.
 */

/** A message that nobody accepted for this long is given up: its outcome is unknown. */
const GIVEN_UP_MS = 90_000;
const CALL_TIMEOUT_MS = 15_000;
const RETRY_MS = 50;
/** Every so many messages go to two routers at the same moment. */
const DOUBLED_EVERY = 7;
/** Every so many accepted messages the history is read, and must show the message. */
const READ_EVERY = 5;

export interface MessageRecord {
  readonly client: number;
  readonly number: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: 'ok' | 'unknown';
  readonly tries: number;
  /** Answers that were neither accepted nor asked to try again. */
  readonly wrong: readonly string[];
}

export interface Door {
  readonly url: () => string;
}

export interface RecorderOptions {
  readonly routers: readonly Door[];
  readonly token: string;
  readonly clients: number;
  /** Agents that the clients write to, in turn. */
  readonly agents: readonly string[];
  /** Least pause between two messages of one client. */
  readonly pauseMs?: number;
}

export class MessageRecorder {
  readonly records: MessageRecord[] = [];
  readonly wrong: string[] = [];
  /** Calls begun; each ends in a record (I16). */
  started = 0;
  readonly #options: RecorderOptions;
  #stopping = false;
  #running: Promise<void> | undefined;
  #turn = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  start(): void {
    const clients = Array.from({ length: this.#options.clients }, (_, client) => this.#client(client));
    this.#running = Promise.all(clients).then(() => undefined);
  }

  /** Resolves when no message is under way any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  get accepted(): number {
    return this.records.filter(({ outcome }) => outcome === 'ok').length;
  }

  /** Resolves when each agent was sent so many more messages that were accepted. @throws when they are not within `withinMs` */
  async accepts(count: number, withinMs: number): Promise<void> {
    const sinceMs = performance.now();
    const lacking = (): string[] => this.#options.agents.filter((agent) => this.records.filter((record) => record.outcome === 'ok' && record.startedAtMs >= sinceMs && this.agentOf(record.client) === agent).length < count);
    for (const deadline = performance.now() + withinMs; lacking().length > 0; ) {
      if (performance.now() > deadline) throw new Error(`agents ${lacking().join(', ')} did not take ${count} messages within ${withinMs} ms; ${this.wrong.slice(-3).join(' | ')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Longest time between two acceptances of messages to one agent since then, over all agents; milliseconds. */
  longestGapMs(sinceMs: number): number {
    const accepted = this.records.filter(({ outcome, endedAtMs }) => outcome === 'ok' && endedAtMs >= sinceMs);
    return Math.max(
      0,
      ...this.#options.agents.map((agent) => {
        const ends = [sinceMs, ...accepted.filter(({ client }) => this.agentOf(client) === agent).map(({ endedAtMs }) => endedAtMs)].sort((a, b) => a - b);
        return Math.max(0, ...ends.slice(1).map((end, index) => end - (ends[index] as number)));
      }),
    );
  }

  agentOf(client: number): string {
    const { agents } = this.#options;
    return agents[client % agents.length] as string;
  }

  keyOf(client: number): string {
    return `agent:${this.agentOf(client)}:telegram:direct:peer${client}`;
  }

  async #client(client: number): Promise<void> {
    for (let number = 1; !this.#stopping; number += 1) {
      await this.#send(client, number);
      await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs ?? 10));
    }
  }

  async #send(client: number, number: number): Promise<void> {
    this.started += 1;
    const startedAtMs = performance.now();
    const wrong: string[] = [];
    let isAccepted = false;
    let tries = 0;
    while (!isAccepted && performance.now() - startedAtMs < GIVEN_UP_MS) {
      tries += 1;
      const copies = number % DOUBLED_EVERY === 0 ? 2 : 1;
      const answers = await Promise.all(Array.from({ length: copies }, () => this.#call(this.#nextRouter(), client, number)));
      isAccepted = answers.includes('accepted');
      wrong.push(...answers.filter((answer) => answer !== 'accepted' && answer !== 'again'));
      if (!isAccepted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    this.records.push({ client, number, startedAtMs, endedAtMs: performance.now(), outcome: isAccepted ? 'ok' : 'unknown', tries, wrong });
    this.wrong.push(...wrong);
    if (isAccepted && number % READ_EVERY === 0) await this.#readBack(client, number);
  }

  #nextRouter(): Door {
    this.#turn += 1;
    return this.#options.routers[this.#turn % this.#options.routers.length] as Door;
  }

  async #call(router: Door, client: number, number: number): Promise<string> {
    const body = { channel: 'telegram', messageId: `m${number}`, chatType: 'direct', sender: { id: `peer${client}` }, agentId: this.agentOf(client), text: textOf(client, number) };
    try {
      const response = await fetch(`${router.url()}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#options.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      const text = await response.text();
      if (response.status === 200 || response.status === 202) return 'accepted';
      if (response.status === 503 || response.status === 504 || response.status === 429) return 'again';
      return `${response.status} ${text}`;
    } catch {
      // Refused, reset or out of time: the message may be there or not.
      return 'again';
    }
  }

  /** I5: a read that begins after an acceptance shows it, whichever router serves it. */
  async #readBack(client: number, number: number): Promise<void> {
    try {
      const response = await fetch(`${this.#nextRouter().url()}/sessions/${encodeURIComponent(this.keyOf(client))}/history?limit=5`, {
        headers: { authorization: `Bearer ${this.#options.token}` },
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      if (!response.ok) return;
      const text = await response.text();
      if (!text.includes(`"${textOf(client, number)}"`)) this.wrong.push(`message ${number} of client ${client} was accepted and a later read lacks it`);
    } catch {
      // A router that is away answers nothing, which is no wrong answer.
    }
  }
}

export function textOf(client: number, number: number): string {
  return `client ${client} message ${number}.`;
}
