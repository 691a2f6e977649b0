/** Clients at work on a split deployment, faults done to it, and what is printed of them. */
import type { MessageRecorder } from './message-recorder';
import { SplitSystem, type SplitSystemOptions } from './split-system';

export const TIMEOUT_MS = 240_000;
export const AGENTS = ['main', 'ops'] as const;
/** As the product's own nats-server: a peer that is stopped or cut off is dropped within 10 to 15 s. */
export const DROPS_DEAD_PEERS = 'ping_interval: "5s"\nping_max: 2';
/** Longest time until messages are accepted again where no lease has to end first. */
export const SOON_MS = 30_000;
/** A lease that nobody can be seen to have left lasts 30 s. */
export const AFTER_LEASE_MS = 75_000;

const CLIENTS = 4;
const CONFIG = { agents: { list: AGENTS.map((id) => ({ id })) } };
/** A longer gap is explained by what the processes logged. */
const LONG_GAP_MS = 5_000;
/** Messages that each agent takes before and after each fault. */
const SOME = 12;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Scene {
  #system: SplitSystem | undefined;
  #recorder: MessageRecorder | undefined;

  get system(): SplitSystem {
    if (this.#system === undefined) throw new Error('the scene has not begun');
    return this.#system;
  }

  /** Starts the system and the clients, and waits until both agents take messages. */
  async begin(options: SplitSystemOptions): Promise<void> {
    this.#system = await SplitSystem.start({ config: CONFIG, ...options });
    this.#recorder = this.#system.record({ clients: CLIENTS, agents: AGENTS });
    this.#recorder.start();
    await this.#recorder.accepts(SOME, SOON_MS);
  }

  /** Does something to the system, waits until messages are accepted as before, and prints how long they were not. */
  async fault(name: string, work: () => Promise<void>, withinMs = SOON_MS): Promise<void> {
    if (this.#recorder === undefined) throw new Error('the scene has not begun');
    const atMs = performance.now();
    await work();
    const tookMs = performance.now() - atMs;
    await this.#recorder.accepts(SOME, withinMs);
    const gapMs = Math.round(this.#recorder.longestGapMs(atMs));
    if (gapMs > LONG_GAP_MS) this.#sayWhatWasLogged(Date.now() - (performance.now() - atMs));
    process.stdout.write(`${name}: took ${Math.round(tookMs)} ms; an agent took no message for at most ${gapMs} ms\n`);
  }

  #sayWhatWasLogged(sinceMs: number): void {
    for (const [instance, app] of this.system.apps) {
      for (const line of app.lines()) {
        const at = Number(line['time']);
        if (at >= sinceMs) process.stdout.write(`  ${Math.round(at - sinceMs)} ms ${instance}: ${String(line['msg'])} ${JSON.stringify({ ...line, msg: undefined, time: undefined, level: undefined, service: undefined, instance: undefined })}\n`);
      }
    }
  }

  /** Ends clients and system in order. @returns what is wrong, a line each */
  async check(): Promise<string> {
    if (this.#recorder === undefined) throw new Error('the scene has not begun');
    return this.system.check(this.#recorder);
  }

  async end(): Promise<void> {
    await this.#recorder?.stop();
    await this.#system?.remove();
    this.#recorder = undefined;
    this.#system = undefined;
  }
}
