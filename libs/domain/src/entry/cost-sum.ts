/**
 * Sums of US dollars without the noise of binary fractions: added as whole millionths of millionths,
 * told by one division at the end.
 */

/** Kinds of token that have prices of their own. */
export const COST_KINDS = ['input', 'output', 'cacheRead', 'cacheWrite'] as const;
/** US dollars, by kind of token. */
export type KindCosts = Readonly<Record<(typeof COST_KINDS)[number], number>>;

/** @param parts US dollars in the order of COST_KINDS. @returns undefined when one of them is not known */
export function wholeCosts([input, output, cacheRead, cacheWrite]: readonly (number | null | undefined)[]): KindCosts | undefined {
  return input == null || output == null || cacheRead == null || cacheWrite == null ? undefined : { input, output, cacheRead, cacheWrite };
}

const PICOS_PER_MICRO = 1_000_000;
const MICROS_PER_DOLLAR = 1_000_000;
const PICOS_PER_DOLLAR = PICOS_PER_MICRO * MICROS_PER_DOLLAR;
/** As many picos as a number counts without a gap; dearer sums are exact to the millionth of a dollar. */
const EXACT_MICROS_MAX = Math.floor(Number.MAX_SAFE_INTEGER / PICOS_PER_MICRO);

/** The sum of costs that are known; none while no one is. */
export class CostSum {
  #micros = 0;
  #picos = 0;
  #isKnown = false;

  add(costUsd: number | undefined): this {
    if (costUsd === undefined) return this;
    this.#isKnown = true;
    const picos = Math.round(costUsd * PICOS_PER_DOLLAR);
    if (Number.isSafeInteger(picos)) this.#put(Math.floor(picos / PICOS_PER_MICRO), picos % PICOS_PER_MICRO);
    else this.#put(Math.round(costUsd * MICROS_PER_DOLLAR), 0);
    return this;
  }

  get usd(): number | undefined {
    if (!this.#isKnown) return undefined;
    if (this.#micros < EXACT_MICROS_MAX) return (this.#micros * PICOS_PER_MICRO + this.#picos) / PICOS_PER_DOLLAR;
    return (this.#micros + Math.round(this.#picos / PICOS_PER_MICRO)) / MICROS_PER_DOLLAR;
  }

  #put(micros: number, picos: number): void {
    const sum = this.#picos + picos;
    this.#picos = sum % PICOS_PER_MICRO;
    this.#micros += micros + Math.floor(sum / PICOS_PER_MICRO);
  }
}

/** What a sum of costs is made of; known while every cost in it tells its kinds. */
export class KindCostSum {
  readonly #sums = COST_KINDS.map(() => new CostSum());
  #isWhole = true;

  /** @param costUsd the whole; undefined: no price is known, so there is nothing to tell */
  add(costUsd: number | undefined, kinds: KindCosts | undefined): this {
    if (costUsd === undefined) return this;
    if (kinds === undefined) this.#isWhole = false;
    else for (const [place, kind] of COST_KINDS.entries()) this.#sums[place]?.add(kinds[kind]);
    return this;
  }

  get usd(): KindCosts | undefined {
    if (!this.#isWhole) return undefined;
    return wholeCosts(this.#sums.map(({ usd }) => usd));
  }
}

/** @returns undefined when none is known */
export function sumCosts(costs: Iterable<number | undefined>): number | undefined {
  const sum = new CostSum();
  for (const cost of costs) sum.add(cost);
  return sum.usd;
}
