/**
 * Messages between sessions: how they are marked, and what bounds the graph that they can make.
 *
 * Every message is one further from the message of a person that it goes back to, whatever brought it
 * (a send, a turn of the exchange behind it, a sub-agent's task or result). At `HOPS_MAX` there are no
 * more of them, and one turn sends at most `TURN_SENDS_MAX`. So a message of a person leads to a finite
 * number of turns; with at most one send a turn to 2^HOPS_MAX of them.
 */
import type { TokenUsage } from '@sessions/contracts';
import type { SessionConfig } from '../config/parse-config';
import { sumCosts } from '../entry/cost-sum';
import { sourceMark, type MessageSource } from './message-origin';

/** Distance from a person's message beyond which no message is sent. */
export const HOPS_MAX = 8;
/** Calls of one turn by which it sends, spawns or steers. */
export const TURN_SENDS_MAX = 100;
/** What a model reads instead of the answer to one more. */
export const TURN_SENDS_TEXT = `this turn has sent and spawned ${String(TURN_SENDS_MAX)} times, which is the most one turn may: answer with what you have, and go on in a later turn`;
/** Of an answer or a result that is told to another session, UTF-16 units; longer ones are cut. */
export const INTER_SESSION_CHARS_MAX = 64 * 1024;
/** Text that is told again beside a message, UTF-16 units. */
export const RECALLED_CHARS_MAX = 8 * 1024;

/** As the target's model reads it: nobody should take it for what a person wrote. Whole: who passes an answer on cuts it. */
export function interSessionText(source: MessageSource, text: string): string {
  return `${sourceMark(source)}\n${text}`;
}

/** Cost of runs as far as prices are known; undefined: none is. */
export function costSoFar(usage: readonly TokenUsage[], before?: number): number | undefined {
  return sumCosts([before, ...usage.map(({ costUsd }) => costUsd)]);
}

/**
 * Cost of all runs that one message of a person led to.
 * @param chain of the runs that lead to this one, as its message says. @param stores what each store's
 * ended runs cost together; undefined: no price is known, or the store could not be asked
 */
export function graphCost(chain: number | undefined, stores: readonly (number | undefined)[]): number | undefined {
  const known = stores.filter((cost) => cost !== undefined);
  const sum = known.length === 0 ? undefined : known.reduce((total, cost) => total + cost, 0);
  return chain === undefined || sum === undefined ? (chain ?? sum) : Math.max(chain, sum);
}

export interface ChainPlace {
  /** Of the message that would be sent. */
  readonly hops: number;
  /** Of the runs that lead to it, or of all that go back to the same message of a person. */
  readonly costUsd?: number | undefined;
}

/** Why a chain of messages ends here; undefined: it may go on. */
export function chainEnd({ hops, costUsd }: ChainPlace, { tools }: Pick<SessionConfig, 'tools'>): 'hops' | 'cost' | undefined {
  if (hops > HOPS_MAX) return 'hops';
  const { maxCostUsd } = tools.agentToAgent;
  return maxCostUsd > 0 && costUsd !== undefined && costUsd >= maxCostUsd ? 'cost' : undefined;
}

/** `<run>`, `<run>.reply.1`, `<run>.reply.2` …, `<run>.announce`: the same whoever works it out, after whatever restart. */
export function followUpRunId(runId: string, step: 'reply' | 'announce' | 'result'): string {
  const [, root = runId, turn] = /^(.*?)(?:\.reply\.(\d+)|\.announce)?$/s.exec(runId) ?? [];
  return step === 'reply' ? `${root}.reply.${String(Number(turn ?? 0) + 1)}` : `${root}.${step}`;
}
