/** What the events of a turn say of it, in the words of the original's trajectories. Pure. */
import type { ExecuteTurnRequest, TokenUsage, TurnDone } from '@sessions/contracts';
import { blocksOf, isJsonObject, toolCallsOf, type JsonObject, type JsonValue } from '@sessions/domain';
import type { ReadBranch } from '../read-branch';
import { failureOf } from './run-end';
import type { BegunTurn } from './turn-deps';

/** Why nothing is submitted: an earlier attempt at the run wrote its answer. */
export const ALREADY_ANSWERED = 'already_answered';

export interface ModelOfTurn {
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
}

/** `session.started`. */
export function startedData({ job, begun, entry }: BegunTurn): JsonObject {
  const run = begun.settings?.run;
  const channel = run?.replyRoute?.channel;
  return { trigger: run?.source ?? '', agentId: job.agentId, attempt: job.attempt, ...members({ sessionFile: entry['sessionFile'], messageProvider: channel, messageChannel: channel }) };
}

/** `trace.metadata`: what the run was given. Configuration and command line stay out. */
export function metadataData({ job, begun }: BegunTurn, request: Pick<ExecuteTurnRequest, 'thinkingLevel' | 'toolsJson' | 'limits'>, { provider, model }: ModelOfTurn, nowMs: number): JsonObject {
  const run = begun.settings?.run;
  const channel = run?.replyRoute?.channel;
  return {
    capturedAt: new Date(nowMs).toISOString(),
    harness: { type: 'openclaw', runtime: { node: process.version }, os: { platform: process.platform, arch: process.arch } },
    model: members({ provider, name: model, thinkLevel: request.thinkingLevel }),
    config: { runtime: members({ timeoutMs: request.limits?.timeoutMs, trigger: run?.source, disableTools: request.toolsJson.length === 0 }) },
    metadata: members({ sessionKey: begun.sessionKey, agentId: job.agentId, messageProvider: channel, messageChannel: channel }),
  };
}

/** `context.compiled`: what the runtime is given beside the conversation, which the transcript has up to `transcriptLeafId`. */
export function compiledData(request: Pick<ExecuteTurnRequest, 'systemPrompt' | 'toolsJson' | 'attachments' | 'messageId'>, branch: ReadBranch): JsonObject {
  const tools = request.toolsJson.map((json): JsonValue => JSON.parse(Buffer.from(json).toString('utf8')) as JsonValue);
  return members({ systemPrompt: request.systemPrompt, prompt: promptOf(request.messageId, branch), tools, messageCount: branch.lines.length, imagesCount: request.attachments.length, transcriptLeafId: branch.tipId });
}

/** `prompt.submitted`. */
export function submittedData(request: Pick<ExecuteTurnRequest, 'systemPrompt' | 'attachments' | 'messageId'>, branch: ReadBranch): JsonObject {
  return members({ prompt: promptOf(request.messageId, branch), systemPrompt: request.systemPrompt, imagesCount: request.attachments.length });
}

function promptOf(messageId: string, { lines }: ReadBranch): string {
  return textOf(lines.find(({ line }) => line.id === messageId)?.line.message);
}

/** `model.completed` of an answer that is in the transcript; its words are there. */
export function answeredData(message: JsonObject): JsonObject {
  const { stopReason, usage, errorMessage } = message;
  return members({ aborted: stopReason === 'aborted', stopReason, promptError: errorMessage, usage, toolCalls: toolCallsOf(message).length });
}

/** `model.completed` of a model that gave no answer. */
export function unansweredData(done: TurnDone): JsonObject {
  return members({ status: done.outcome, aborted: done.outcome === 'aborted', timedOut: done.outcome === 'timeout', promptError: failureOf(done), promptErrorSource: done.errorReason });
}

/** `trace.artifacts`: how the run ended and what it used. */
export function artifactsData(done: TurnDone, usage: readonly TokenUsage[], nowMs: number): JsonObject {
  return members({
    capturedAt: new Date(nowMs).toISOString(),
    finalStatus: statusOf(done),
    aborted: done.outcome === 'aborted',
    timedOut: done.outcome === 'timeout',
    promptError: failureOf(done),
    promptErrorSource: done.errorReason,
    usage: usageSum(usage),
    assistantTexts: done.text === undefined || done.text === '' ? [] : [done.text],
  });
}

/** `session.ended`. */
export function endedData(done: TurnDone): JsonObject {
  return members({ status: statusOf(done), aborted: done.outcome === 'aborted', timedOut: done.outcome === 'timeout', promptError: failureOf(done) });
}

/** `session.ended` of an attempt that was left: the run is another's by now, or nobody's. */
export const LEFT: JsonObject = { status: 'interrupted', aborted: false, timedOut: false };

function statusOf({ outcome }: TurnDone): string {
  return outcome === 'ok' ? 'success' : outcome === 'aborted' || outcome === 'timeout' ? 'interrupted' : 'error';
}

function usageSum(usage: readonly TokenUsage[]): JsonObject {
  const sum = (of: (one: TokenUsage) => number): number => usage.reduce((all, one) => all + of(one), 0);
  const [input, output, cacheRead, cacheWrite] = [sum((one) => one.inputTokens), sum((one) => one.outputTokens), sum((one) => one.cacheReadTokens), sum((one) => one.cacheWriteTokens)];
  return { input, output, cacheRead, cacheWrite, total: input + output + cacheRead + cacheWrite };
}

function textOf(message: JsonObject | undefined): string {
  if (message === undefined) return '';
  return blocksOf(message).flatMap((block) => (isJsonObject(block) && block['type'] === 'text' && typeof block['text'] === 'string' ? [block['text']] : [])).join('');
}

/** Without what is not there. */
function members(all: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(all).filter((member): member is [string, JsonValue] => member[1] !== undefined));
}
