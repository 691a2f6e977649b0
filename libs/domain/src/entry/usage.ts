/**
 * What model calls cost: computed from prices that are known, never guessed. A price that is missing
 * for tokens that were used makes the cost unknown, not smaller.
 */
import { parseModelRef, type ModelRef } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import { isJsonObject, type JsonValue } from '../json';
import { COST_KINDS, sumCosts, type KindCosts } from './cost-sum';

/** What runs without a network has no price on any list. */
const OFFLINE_PROVIDER = 'demo/';

/** US dollars per million tokens; an absent one is not known. */
export interface ModelPrice {
  readonly input?: number | undefined;
  readonly output?: number | undefined;
  readonly cacheRead?: number | undefined;
  readonly cacheWrite?: number | undefined;
}

/** Tokens of one or more calls of one model. */
export interface TokenCounts {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

/** Prices by `provider/model`. */
export type PriceList = ReadonlyMap<string, ModelPrice>;

const TOKENS_PER_PRICE = 1_000_000;
/** Digits of a cost: what arithmetic adds behind them is noise. */
const COST_DIGITS = 12;
/** Prices of one list that are read. */
const LISTED_PRICES_MAX = 10_000;

/** @returns US dollars; undefined where a price that is needed is not known. */
export function costsOf(counts: TokenCounts, price: ModelPrice | undefined): KindCosts | undefined {
  if (price === undefined) return undefined;
  const costs = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  for (const kind of COST_KINDS) {
    if (counts[kind] === 0) continue;
    const perMillion = price[kind];
    if (perMillion === undefined) return undefined;
    costs[kind] = roundCost((counts[kind] * perMillion) / TOKENS_PER_PRICE);
  }
  return costs;
}

/** All kinds together. */
export function costOf(counts: TokenCounts, price: ModelPrice | undefined): number | undefined {
  const costs = costsOf(counts, price);
  return costs && sumCosts(COST_KINDS.map((kind) => costs[kind]));
}

/** Sums of costs keep no noise of binary fractions (0.1 + 0.2). */
export function roundCost(costUsd: number): number {
  return Number(costUsd.toPrecision(COST_DIGITS));
}

/** The price of exactly this model: as configured, else as listed; undefined: not known. */
export function priceOf({ provider, model }: ModelRef, config: Pick<SessionConfig, 'models'>, listed?: PriceList): ModelPrice | undefined {
  if (provider === undefined) return undefined;
  const configured = config.models.providers[provider]?.models.find(({ id }) => id === model)?.cost;
  if (configured !== undefined && COST_KINDS.some((kind) => configured[kind] !== undefined)) return configured;
  return listed?.get(`${provider}/${model}`);
}

/** `provider/model` of every model that the configuration names. */
export function configuredModels(config: SessionConfig): Set<string> {
  const listed = Object.entries(config.models.providers).flatMap(([provider, { models }]) => models.map(({ id }) => `${provider}/${id}`));
  const { model } = config.agents.defaults;
  const used = [model, ...config.agents.list.map((agent) => agent.model)].flatMap((each) => [...(each?.primary === undefined ? [] : [each.primary]), ...(each?.fallbacks ?? [])]);
  return new Set([...listed, ...used]);
}

/** Configured models without a configured price; none where prices are not to be asked for. */
export function unpricedModels(config: SessionConfig): Set<string> {
  if (!config.models.pricing.enabled) return new Set();
  return new Set([...configuredModels(config)].filter((name) => !name.startsWith(OFFLINE_PROVIDER) && priceOf(parseModelRef(name), config) === undefined));
}

/**
 * The prices of wanted models in OpenRouter's list of models, whose prices are decimal texts of US
 * dollars a token. A model is found by its whole id, `anthropic/claude-…`, with or without
 * `openrouter/` before it; a price that is no number, or negative (it varies), is not known.
 * @param body parsed JSON of the list. @returns undefined when it is no such list.
 */
export function readOpenRouterPrices(body: unknown, wanted: ReadonlySet<string>): Map<string, ModelPrice> | undefined {
  const data = isJsonObject(body) ? body['data'] : undefined;
  if (!Array.isArray(data)) return undefined;
  const prices = new Map<string, ModelPrice>();
  for (const item of (data as readonly JsonValue[]).slice(0, LISTED_PRICES_MAX)) {
    if (!isJsonObject(item) || typeof item['id'] !== 'string' || !isJsonObject(item['pricing'])) continue;
    const { prompt, completion, input_cache_read, input_cache_write, request } = item['pricing'];
    // A fee for each request is nothing that tokens tell.
    if (Number(request ?? 0) !== 0) continue;
    const price = { input: perMillion(prompt), output: perMillion(completion), cacheRead: perMillion(input_cache_read), cacheWrite: perMillion(input_cache_write) };
    for (const name of [item['id'], `openrouter/${item['id']}`]) if (wanted.has(name)) prices.set(name, price);
  }
  return prices;
}

function perMillion(perToken: JsonValue | undefined): number | undefined {
  if (typeof perToken !== 'string' && typeof perToken !== 'number') return undefined;
  const value = perToken === '' ? Number.NaN : Number(perToken);
  return Number.isFinite(value) && value >= 0 ? roundCost(value * TOKENS_PER_PRICE) : undefined;
}
