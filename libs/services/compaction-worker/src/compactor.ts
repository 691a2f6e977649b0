/**
 * One compaction from its notice to its end: what is open is asked of the owner, the branch is read
 * through it, planned, summarised, and handed back. Nothing is held meanwhile and nobody waits.
 *
 * Every way out ends the operation at its owner, within the time limit: a summary, nothing to do, or
 * a failure with its reason. A worker that dies in between leaves it open; the notice comes again, to
 * whoever, and the time that is gone counts.
 */
import { FailCompactionRequest, GetEntryRequest, InstallCompactionRequest, ListPendingRequest, CompactionResult, TokenUsage, type PendingCompaction } from '@sessions/contracts';
import { SessionError, agentSettings, asAgentId, contextTokensFor, estimateLineTokens, estimateTextTokens, isJsonObject, parseModelRef, planCompaction, planDueCompaction, planTurnDrop, reserveTokens, tokenCount, type CompactionPlan, type JsonObject, type ModelRef, type SessionConfig, type TranscriptLine } from '@sessions/domain';
import { MODEL_LIMITS, ModelFailure, RETRY_LIMITS, collectAnswer, openModel, withModelRetries, type ChatUsage, type ModelLimits, type RetryLimits } from '@sessions/llm';
import type { Logger } from '@sessions/host';
import { summarisingModels } from './choose-models';
import type { AskOwner } from './owner-calls';
import { systemPrompt } from './prompt';
import { readBranch, type ReadBranch } from './read-branch';
import { summarise, type AskModel } from './summarise';
import { touchedFiles } from './touched-files';

/** Open compactions of an agent that are looked through. */
const PENDING_LIMIT = 1_000;
/** A notice that comes again while an attempt may have died gets at least this share of the limit. */
const LAST_SHARE = 1 / 6;
/** Beyond its limit by this much an operation waited for a worker and was not worked on: it gets the whole time. */
const WAITED_FACTOR = 2;

export interface CompactorDeps {
  readonly owner: AskOwner;
  readonly config: () => SessionConfig;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Default: `compaction.timeoutSeconds` of the configuration. */
  readonly timeoutMs?: number;
  readonly retries?: RetryLimits;
}

export interface Compactor {
  /** Undefined: the operation is over, or nobody knows it. @throws when the owner cannot be reached */
  run(agentId: string, operationId: string, signal: AbortSignal): Promise<CompactionResult | undefined>;
  /** The attempt that runs here; undefined: none. */
  running(operationId: string): Promise<CompactionResult | undefined> | undefined;
  /** Ends the attempt that runs here. */
  abort(operationId: string): void;
  isOpen(agentId: string, operationId: string): Promise<boolean>;
  /** Ends the operation, or says how it ended. @throws STALE_PLAN when neither is known */
  fail(agentId: string, operationId: string, reason: string): Promise<CompactionResult>;
}

interface Attempt {
  readonly ended: Promise<CompactionResult | undefined>;
  readonly abort: AbortController;
}

type Work = PendingCompaction & { readonly agentId: string };

export function createCompactor({ owner, config, logger, nowMs, timeoutMs, retries = RETRY_LIMITS }: CompactorDeps): Compactor {
  const attempts = new Map<string, Attempt>();

  const pendingOf = async (agentId: string, operationId: string): Promise<PendingCompaction | undefined> =>
    (await owner(agentId, (store) => store.listPending(ListPendingRequest.create({ agentId, kinds: ['compaction'], limit: PENDING_LIMIT })))).compactions.find((one) => one.operationId === operationId);

  const fail = async (agentId: string, operationId: string, reason: string, usage: TokenUsage[] = []): Promise<CompactionResult> =>
    (await owner(agentId, (store) => store.failCompaction(FailCompactionRequest.create({ agentId, operationId, reason, usage })))).result ?? CompactionResult.create({ reason });

  /** The whole time for one operation, milliseconds. */
  const wholeMs = (agentId: string): number => timeoutMs ?? agentSettings(config(), asAgentId(agentId)).compaction.timeoutSeconds * 1000;

  /** The time for what is left of one. */
  const limitMs = ({ agentId, requestedAtMs }: Work): number => {
    const whole = wholeMs(agentId);
    const age = Math.max(0, nowMs() - requestedAtMs);
    return age > whole * WAITED_FACTOR ? whole : Math.max(whole - age, whole * LAST_SHARE);
  };

  const work = async (operation: Work, abort: AbortController, stop: AbortSignal): Promise<CompactionResult> => {
    const { agentId, operationId, sessionKey: key, snapshotTipId = '', reason } = operation;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      abort.abort();
    }, limitMs(operation));
    let path: readonly TranscriptLine[] = [];
    let windowTokens = 0;
    const usage: TokenUsage[] = [];
    try {
      const entry = await entryOf(owner, agentId, key);
      const models = summarisingModels(config(), asAgentId(agentId), entry);
      windowTokens = Math.min(...(models.length === 0 ? [undefined] : models).map((model) => contextTokensFor(config(), asAgentId(agentId), model)));
      const branch = await owner(agentId, (store) => readBranch(store, { agentId, key, tipId: snapshotTipId, signal: abort.signal }));
      path = branch.path;
      const plan = planOf(operation, entry, branch, windowTokens);
      if (plan.kind === 'none') return await fail(agentId, operationId, plan.reason);
      const { text, passes } = await summarise({ path, chunks: plan.chunks, previousSummary: plan.previousSummary, windowTokens, signal: abort.signal, ask: askChain(models, operation, (one) => usage.push(one)) });
      if (text === '') throw new SessionError('SUMMARY_FAILED', 'the summary is empty');
      const tokensAfter = plan.keptTokens + estimateTextTokens(text);
      const detailsJson = Buffer.from(JSON.stringify({ ...touchedFiles([...path.filter(({ type }) => type === 'compaction').slice(-1), ...path.slice(plan.from, plan.to).filter(({ type }) => type !== 'compaction')]), passes }));
      const request = InstallCompactionRequest.create({ agentId, operationId, snapshotTipId, cutId: plan.cutId, summary: text, tokensBefore: plan.tokensBefore, tokensAfter, detailsJson, usage });
      return (await owner(agentId, (store) => store.installCompaction(request))).result ?? CompactionResult.create({});
    } catch (error) {
      // A worker that stops leaves the operation open: the next one goes on.
      if (stop.aborted) throw error;
      const why = isLate ? 'timeout' : abort.signal.aborted ? 'cancelled' : reasonOf(error);
      if (why === undefined) throw error;
      logger.warn('a conversation was not summarised', { agentId, reason: why, err: error });
      return await fail(agentId, operationId, `${why}${cutSaid(reason, path, agentId, windowTokens)}`, usage);
    } finally {
      clearTimeout(timer);
    }
  };

  const planOf = (operation: Work, entry: JsonObject, { path, transcriptBytes }: ReadBranch, windowTokens: number): CompactionPlan => {
    const attempt = entry['compactionAttempt'];
    const lastAttemptTipId = isJsonObject(attempt) && typeof attempt['tipId'] === 'string' ? attempt['tipId'] : undefined;
    const request = { path, windowTokens, settings: agentSettings(config(), asAgentId(operation.agentId)).compaction, count: estimateLineTokens, ...(lastAttemptTipId === undefined ? {} : { lastAttemptTipId }) };
    if (operation.reason !== 'auto-threshold') return planCompaction({ ...request, trigger: operation.reason === 'manual' ? 'manual' : 'overflow' });
    const asked = planDueCompaction({ ...request, transcriptBytes });
    return asked.due === undefined ? { kind: 'none', reason: asked.reason, tokensBefore: 0 } : asked.plan;
  };

  /** Nobody summarises: what requests leave out until then, by rule and without a model. */
  const cutSaid = (reason: string, path: readonly TranscriptLine[], agentId: string, windowTokens: number): string => {
    if (reason === 'manual' || path.length === 0) return '';
    const drop = planTurnDrop(path, windowTokens - reserveTokens(agentSettings(config(), asAgentId(agentId)).compaction, windowTokens), estimateLineTokens);
    return drop.droppedLinesCount === 0 ? '' : `: the oldest ${String(drop.droppedLinesCount)} entries are left out of requests instead`;
  };

  /** The first model that answers; what went wrong with the last one is what is told. */
  const askChain = (models: readonly ReturnType<typeof parseModelRef>[], { agentId, instructions }: Work, onUsage: (usage: TokenUsage) => void): AskModel => {
    const { compaction } = agentSettings(config(), asAgentId(agentId));
    const system = systemPrompt(compaction, instructions);
    const emptyMax = compaction.qualityGuard.enabled ? compaction.qualityGuard.maxRetries : 0;
    return async (prompt, maxTokens, signal) => {
      let failure: unknown = new ModelFailure('unconfigured', { provider: '', model: '' });
      for (const ref of models) {
        try {
          const model = openModel(config(), ref, modelLimits(wholeMs(agentId)));
          const request = { system, messages: [{ role: 'user', content: prompt }], maxTokens };
          const once = (): Promise<string> => withModelRetries((limit) => collectAnswer(model, request, { signal: limit }).then(({ text, usage }) => (usage !== undefined && onUsage(tokenUsage(ref, usage)), text)), { signal, limits: retries });
          let text = await once();
          for (let again = 0; text.trim() === '' && again < emptyMax; again += 1) text = await once();
          return text;
        } catch (error) {
          failure = error;
          if (signal.aborted || !(error instanceof ModelFailure) || error.kind === 'overflow') throw error;
        }
      }
      throw failure;
    };
  };

  return {
    async run(agentId, operationId, signal) {
      const standing = attempts.get(operationId);
      if (standing !== undefined) return standing.ended;
      const abort = new AbortController();
      const begin = async (): Promise<CompactionResult | undefined> => {
        const pending = await pendingOf(agentId, operationId);
        return pending === undefined ? undefined : work({ ...pending, agentId }, abort, signal);
      };
      const stopped = new Promise<never>((_resolve, reject) =>
        signal.addEventListener(
          'abort',
          () => {
            reject(new SessionError('SHUTTING_DOWN', 'the worker stops'));
            abort.abort();
          },
          { once: true },
        ),
      );
      const ended = Promise.race([begin(), stopped]).finally(() => attempts.delete(operationId));
      attempts.set(operationId, { ended, abort });
      return ended;
    },
    running: (operationId) => attempts.get(operationId)?.ended,
    abort: (operationId) => attempts.get(operationId)?.abort.abort(),
    isOpen: async (agentId, operationId) => (await pendingOf(agentId, operationId)) !== undefined,
    fail,
  };
}

/** A request may take as long as the whole that it is made for; where that is longer than most, so is the silence. */
export function modelLimits(wholeMs: number): ModelLimits {
  const share = Math.max(1, wholeMs / MODEL_LIMITS.wholeMs);
  return { wholeMs: MODEL_LIMITS.wholeMs * share, silenceMs: MODEL_LIMITS.silenceMs * share };
}

function tokenUsage({ provider, model }: ModelRef, { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: ChatUsage): TokenUsage {
  return TokenUsage.create({ modelProvider: provider, model, inputTokens: tokenCount(inputTokens), outputTokens: tokenCount(outputTokens), cacheReadTokens: tokenCount(cacheReadTokens), cacheWriteTokens: tokenCount(cacheWriteTokens), uncounted: inputTokens === undefined || outputTokens === undefined });
}

/** The entry in parts, as long ones travel. */
async function entryOf(owner: AskOwner, agentId: string, key: string): Promise<JsonObject> {
  const parts: Buffer[] = [];
  for (let bytes = 0, whole = 1; bytes < whole; ) {
    const answer = await owner(agentId, (store) => store.getEntry(GetEntryRequest.create({ agentId, by: { $case: 'key', value: key }, entryOffset: bytes })));
    if (!answer.found || answer.entryJson.length === 0) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${key}`);
    parts.push(Buffer.from(answer.entryJson));
    bytes += answer.entryJson.length;
    whole = answer.entryBytes;
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    // Changed between two parts: its settings are the agent's then.
    return {};
  }
}

/** Undefined: not an end of the operation, but of this attempt at it. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof ModelFailure) return error.kind === 'timeout' ? 'timeout' : `summarizer failed (${error.kind})`;
  if (!(error instanceof SessionError)) return undefined;
  if (error.reason === 'STALE_PLAN' || error.reason === 'SESSION_NOT_FOUND') return 'stale';
  return error.reason === 'SUMMARY_FAILED' || error.reason === 'TOO_LARGE' ? `summarizer failed (${error.message})` : undefined;
}
