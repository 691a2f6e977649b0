/**
 * What a run used, as lines of the usage ledger, and what they make of the cost that the entry shows.
 * One mutation may carry it together with anything else: the lines are durable with the rest or not
 * at all, and a run that is reported again adds nothing.
 */
import type { TokenUsage } from '@sessions/contracts';
import { COST_KINDS, KindCostSum, SessionError, costsOf, isJsonObject, roundCost, sumCosts, type JsonObject, type JsonValue, type ModelPrice, type ModelRef } from '@sessions/domain';
import type { MutationView, RecordUsageEffect, UsageLine } from '@sessions/store';
import type { Planned } from './planned';

/** Models of one run. */
export const RUN_MODELS_MAX = 32;
const NAME_CHARS_MAX = 256;
const COST_MEMBER = 'estimatedCostUsd';

/** Price of exactly this model; undefined: not known. */
export type PriceOf = (model: ModelRef) => ModelPrice | undefined;

export interface RunUsage {
  /** As stored. */
  readonly key: string;
  /** Empty: the session is gone. */
  readonly sessionId: string;
  readonly runId: string;
  /** One for each model call, or sums of them; those of one model become one line. */
  readonly usage: readonly TokenUsage[];
  /** Members of the entry; undefined: there is none. */
  readonly members: JsonObject | undefined;
}

export interface PlannedUsage {
  readonly effects: readonly RecordUsageEffect[];
  /** Of the entry; to be put in the same mutation. */
  readonly set: Readonly<Record<string, number>>;
  readonly clear: readonly string[];
}

/**
 * Call it inside a decision and put its effects and its change of the entry among one's own.
 * A model whose usage this run has reported before is left out, whatever the numbers are now.
 * @throws VALIDATION for counts or costs that are none, TOO_LARGE for too many models
 */
export function planUsage({ key, sessionId, runId, usage, members }: RunUsage, view: Pick<MutationView, 'nowMs' | 'usageOfRun' | 'hasUsageOf'>, priceOf: PriceOf): PlannedUsage {
  const known = new Set(view.usageOfRun(runId).map(modelName));
  const lines = linesOf(usage, priceOf)
    .map((counts): UsageLine => ({ at: view.nowMs, key, sessionId, runId, ...counts }))
    .filter((line) => !known.has(modelName(line)));
  const effects = lines.map((line): RecordUsageEffect => ({ kind: 'recordUsage', line }));
  if (lines.length === 0 || members === undefined) return { effects, set: {}, clear: [] };
  return { effects, ...costChange(lines, members[COST_MEMBER], view.hasUsageOf(sessionId)) };
}

/** A decision that also records what it cost; the members are those that the store has before it. */
export function withUsage<T extends JsonValue>(planned: Planned<T>, run: Omit<RunUsage, 'members'>, view: MutationView, priceOf: PriceOf): Planned<T> {
  const snapshot = view.entry(run.key);
  const value: unknown = snapshot === undefined ? undefined : JSON.parse(snapshot.text);
  const { effects, set, clear } = planUsage({ ...run, members: isJsonObject(value) ? value : undefined }, view, priceOf);
  const isGone = planned.decision.effects.some((effect) => effect.kind === 'removeEntry' && effect.key === run.key);
  const isChanged = !isGone && (Object.keys(set).length > 0 || clear.length > 0);
  const more = isChanged ? [...effects, { kind: 'putEntry' as const, key: run.key, set, clear }] : effects;
  return { ...planned, decision: { ...planned.decision, effects: [...planned.decision.effects, ...more] } };
}

type Counts = Omit<UsageLine, 'at' | 'key' | 'sessionId' | 'runId'>;

/** One for each model, with its cost as reported, else by its price. */
function linesOf(usage: readonly TokenUsage[], priceOf: PriceOf): Counts[] {
  const byModel = new Map<string, Counts>();
  for (const one of usage) {
    const counts = countsOf(one, priceOf);
    const isNothing = counts.input + counts.output + counts.cacheRead + counts.cacheWrite === 0 && (counts.costUsd ?? 0) === 0;
    if (isNothing) continue;
    const name = modelName(counts);
    const before = byModel.get(name);
    byModel.set(name, before === undefined ? counts : added(before, counts));
  }
  if (byModel.size > RUN_MODELS_MAX) throw new SessionError('TOO_LARGE', `a run uses at most ${String(RUN_MODELS_MAX)} models`);
  return [...byModel.values()];
}

/** The same with what it cost, as the run reports it or by the prices now; absent where a price is not known. @throws VALIDATION */
export function pricedUsage(usage: readonly TokenUsage[], priceOf: PriceOf): readonly TokenUsage[] {
  return usage.map((one) => ({ ...one, costUsd: countsOf(one, priceOf).costUsd }));
}

function countsOf(usage: TokenUsage, priceOf: PriceOf): Counts {
  const { modelProvider, model, costUsd, uncounted } = usage;
  const counts = {
    input: checkedCount('input_tokens', usage.inputTokens),
    output: checkedCount('output_tokens', usage.outputTokens),
    cacheRead: checkedCount('cache_read_tokens', usage.cacheReadTokens),
    cacheWrite: checkedCount('cache_write_tokens', usage.cacheWriteTokens),
  };
  for (const name of [modelProvider, model]) if (name !== undefined && name.length > NAME_CHARS_MAX) throw invalid(`the name of a model or provider has at most ${String(NAME_CHARS_MAX)} characters`);
  if (costUsd !== undefined && !(costUsd >= 0 && costUsd < Number.MAX_SAFE_INTEGER)) throw invalid('cost_usd must not be negative');
  const ref = { provider: modelProvider ?? null, model: model ?? null };
  if (costUsd !== undefined) return { ...ref, ...counts, costUsd: roundCost(costUsd) };
  // A price of half of the counts would be shown as that of the whole.
  const costsUsd = model === undefined || uncounted ? undefined : costsOf(counts, priceOf({ provider: modelProvider, model }));
  const cost = costsUsd && sumCosts(COST_KINDS.map((kind) => costsUsd[kind]));
  return { ...ref, ...counts, ...(cost === undefined ? {} : { costUsd: cost, costsUsd }) };
}

function added(a: Counts, b: Counts): Counts {
  const { costUsd, costsUsd, ...rest } = a;
  const isPriced = costUsd !== undefined && b.costUsd !== undefined;
  const kinds = new KindCostSum().add(costUsd, costsUsd).add(b.costUsd, b.costsUsd).usd;
  const cost = isPriced ? { costUsd: sumCosts([costUsd, b.costUsd]), ...(kinds && { costsUsd: kinds }) } : {};
  return { ...rest, input: a.input + b.input, output: a.output + b.output, cacheRead: a.cacheRead + b.cacheRead, cacheWrite: a.cacheWrite + b.cacheWrite, ...cost };
}

/**
 * The entry shows what the runs of its session id cost together, and nothing while that is not known:
 * one run without a price leaves the sum unknown until the session begins anew.
 */
function costChange(lines: readonly UsageLine[], before: JsonObject[string], hadUsage: boolean): Pick<PlannedUsage, 'set' | 'clear'> {
  const shown = typeof before === 'number' ? before : undefined;
  const isKnown = lines.every(({ costUsd }) => costUsd !== undefined) && (shown !== undefined || !hadUsage);
  if (!isKnown) return { set: {}, clear: before === undefined ? [] : [COST_MEMBER] };
  return { set: { [COST_MEMBER]: sumCosts([shown, ...lines.map(({ costUsd }) => costUsd)]) ?? 0 }, clear: [] };
}

const modelName = ({ provider, model }: Pick<UsageLine, 'provider' | 'model'>): string => JSON.stringify([provider, model]);

function checkedCount(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${name} must be a count of tokens`);
}

function invalid(message: string): SessionError {
  return new SessionError('VALIDATION', message);
}
