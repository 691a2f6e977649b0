/** ReadUsage: sums or lines of the usage ledger. */
import { CostOfKinds, ReadUsageResponse, TokenUsage, UsageLine, UsageOfChannel, UsageOfDay, UsageOfSession, type ReadUsageRequest } from '@sessions/contracts';
import { SessionError, type KindCosts } from '@sessions/domain';
import type { UsageLine as StoredUsageLine, UsageSum } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';

/** Sessions or lines of one answer, so that it fits a message. */
export const USAGE_ROWS_MAX = 1000;
const KEYS_MAX = 16;
/** Of the encoded rows of one answer; the oldest ones are left out above it. */
const ANSWER_BYTES_MAX = 480 * 1024;
/** Of days and models, beside the sessions. */
const MODEL_DAYS_BYTES_MAX = 160 * 1024;

/** @throws VALIDATION */
export function readUsage(agent: OwnedAgent, request: ReadUsageRequest): Promise<ReadUsageResponse> {
  const { keys, fromAtMs, untilAtMs, view, limit = USAGE_ROWS_MAX } = request;
  if (view !== '' && view !== 'sums' && view !== 'lines') throw new SessionError('VALIDATION', 'view must be "sums" or "lines"');
  if (limit < 1 || limit > USAGE_ROWS_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(USAGE_ROWS_MAX)}`);
  if (keys.length > KEYS_MAX) throw new SessionError('VALIDATION', `at most ${String(KEYS_MAX)} keys`);
  const range = {
    ...(keys.length === 0 ? {} : { keys }),
    ...(fromAtMs === undefined ? {} : { fromMs: fromAtMs }),
    ...(untilAtMs === undefined ? {} : { untilMs: untilAtMs }),
    limit,
  };
  return agent.read(
    async (store, open) => {
      const head = { epoch: store.epoch, storeSeq: open.seq };
      if (view === 'lines') {
        const { lines } = await store.usage({ view, ...range });
        return ReadUsageResponse.create({ ...head, lines: fitting(lines.map(toLine).reverse(), UsageLine.encode).reverse() });
      }
      const { sessions, models, days, modelDays, channels, totals } = await store.usage({ view: 'sums', ...range });
      return ReadUsageResponse.create({
        ...head,
        sessions: fitting(sessions.map((sum) => UsageOfSession.create({ key: sum.key, sessionIds: [...sum.sessionIds], lastAtMs: sum.lastAtMs, usage: toTokenUsage(sum, sum) })), UsageOfSession.encode),
        models: models.map((sum) => toTokenUsage(sum, sum)),
        days: days.map((sum) => UsageOfDay.create({ dayAtMs: sum.dayAtMs, usage: toTokenUsage(sum) })),
        modelDays: fitting(modelDays.map((sum) => UsageOfDay.create({ dayAtMs: sum.dayAtMs, usage: toTokenUsage(sum, sum) })).reverse(), UsageOfDay.encode, MODEL_DAYS_BYTES_MAX).reverse(),
        channels: channels.map((sum) => UsageOfChannel.create({ channel: sum.channel, usage: toTokenUsage(sum) })),
        totals: totals.linesCount === 0 ? undefined : toTokenUsage(totals),
      });
    },
    () => ReadUsageResponse.create({}),
  );
}

/** The first rows that fit one message together. */
function fitting<T>(rows: readonly T[], encode: (row: T) => { finish(): Uint8Array }, bytesMax = ANSWER_BYTES_MAX): T[] {
  let bytes = 0;
  const end = rows.findIndex((row) => (bytes += encode(row).finish().length) > bytesMax);
  return end === -1 ? [...rows] : rows.slice(0, end);
}

export function toTokenUsage(sum: UsageSum, ref: { readonly provider: string | null; readonly model: string | null } = { provider: null, model: null }): TokenUsage {
  return TokenUsage.create({
    inputTokens: sum.input,
    outputTokens: sum.output,
    cacheReadTokens: sum.cacheRead,
    cacheWriteTokens: sum.cacheWrite,
    costUsd: sum.costUsd,
    costs: toCosts(sum.costsUsd),
    modelProvider: ref.provider ?? undefined,
    model: ref.model ?? undefined,
    unpricedCount: sum.unpricedCount,
    runCount: sum.linesCount,
  });
}

const toCosts = (costs: KindCosts | undefined): CostOfKinds | undefined =>
  costs && CostOfKinds.create({ inputUsd: costs.input, outputUsd: costs.output, cacheReadUsd: costs.cacheRead, cacheWriteUsd: costs.cacheWrite });

function toLine({ at, key, sessionId, runId, provider, model, input, output, cacheRead, cacheWrite, costUsd, costsUsd }: StoredUsageLine): UsageLine {
  return UsageLine.create({
    atMs: at,
    key,
    sessionId,
    runId,
    usage: { inputTokens: input, outputTokens: output, cacheReadTokens: cacheRead, cacheWriteTokens: cacheWrite, costUsd, costs: toCosts(costsUsd), modelProvider: provider ?? undefined, model: model ?? undefined },
  });
}
