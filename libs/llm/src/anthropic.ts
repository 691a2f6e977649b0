/** Models behind the messages protocol (`api: "anthropic-messages"`). */
import type { ContentBlockParam, ImageBlockParam, MessageCreateParamsStreaming, MessageParam, RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages';
import { isTokenCount, tokenCount } from '@sessions/domain';
import { ANSWER_TOKENS_DEFAULT, ModelFailure, THINKING_TOKENS, type ChatEvent, type ChatModel, type ChatOptions, type ChatRequest, type ChatUsage, type StopReason } from './chat-model';
import { RequestLimits } from './limits';
import { parseArguments, partsOf, thoughtsOf } from './message-parts';
import type { ProviderModel } from './provider-model';

const STOP_REASONS: Readonly<Record<string, StopReason>> = { end_turn: 'stop', stop_sequence: 'stop', max_tokens: 'length', tool_use: 'tool-use', refusal: 'refused' };

/** Loaded by the first request: a process that asks no model does not pay for it. */
const load = ({ apiKey = 'none', baseUrl }: ProviderModel) =>
  // The SDK writes the version itself; configured addresses often end in it.
  import('@anthropic-ai/sdk').then(({ default: Client }) => new Client({ apiKey, authToken: null, baseURL: baseUrl.replace(/\/v1\/?$/u, ''), maxRetries: 0, logLevel: 'off' }));

type LoadedClient = ReturnType<typeof load>;

export function createAnthropicModel(settings: ProviderModel): ChatModel {
  let client: LoadedClient | undefined;
  const clientOf = (): LoadedClient => (client ??= load(settings));
  return { provider: settings.provider, model: settings.model, api: 'anthropic-messages', stream: (request, options = {}) => stream(settings, clientOf, request, options) };
}

async function* stream(settings: ProviderModel, clientOf: () => LoadedClient, request: ChatRequest, { signal }: ChatOptions): AsyncGenerator<ChatEvent> {
  const limits = new RequestLimits(settings.limits, signal);
  try {
    const events = await (await clientOf()).messages.create(bodyOf(settings, request), { signal: limits.signal });
    yield* eventsOf(settings, events, limits);
  } catch (error) {
    throw limits.failureOf(error, settings);
  } finally {
    limits.end();
  }
}

async function* eventsOf(settings: ProviderModel, events: AsyncIterable<RawMessageStreamEvent>, limits: RequestLimits): AsyncGenerator<ChatEvent> {
  const usage: { -readonly [Name in keyof ChatUsage]: ChatUsage[Name] } = { inputTokens: undefined, outputTokens: undefined, cacheReadTokens: 0, cacheWriteTokens: 0 };
  let call: { id: string; name: string; text: string } | undefined;
  let stopReason: string | undefined;
  for await (const event of events) {
    limits.heard();
    if (event.type === 'message_start') {
      const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = event.message.usage;
      Object.assign(usage, { inputTokens: isTokenCount(input_tokens) ? input_tokens : undefined, cacheReadTokens: tokenCount(cache_read_input_tokens), cacheWriteTokens: tokenCount(cache_creation_input_tokens) });
    } else if (event.type === 'content_block_start' && event.content_block.type === 'tool_use') {
      call = { id: event.content_block.id, name: event.content_block.name, text: '' };
    } else if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      yield { type: 'text', text: event.delta.text };
    } else if (event.type === 'content_block_delta' && event.delta.type === 'thinking_delta') {
      yield { type: 'thinking', text: event.delta.thinking };
    } else if (event.type === 'content_block_delta' && event.delta.type === 'signature_delta') {
      yield { type: 'thinking', text: '', signature: event.delta.signature };
    } else if (event.type === 'content_block_delta' && event.delta.type === 'input_json_delta' && call !== undefined) {
      call.text += event.delta.partial_json;
    } else if (event.type === 'content_block_stop' && call !== undefined) {
      yield { type: 'tool-call', id: call.id, name: call.name, arguments: parseArguments(call.text) };
      call = undefined;
    } else if (event.type === 'message_delta') {
      stopReason = event.delta.stop_reason ?? stopReason;
      if (isTokenCount(event.usage.output_tokens)) usage.outputTokens = event.usage.output_tokens;
    } else if (event.type === 'message_stop') {
      yield { type: 'end', stopReason: STOP_REASONS[stopReason ?? ''] ?? 'other', usage: { ...usage } };
      return;
    }
  }
  throw new ModelFailure('broken-stream', settings);
}

function bodyOf(settings: ProviderModel, { system, messages, tools, maxTokens, thinking }: ChatRequest): MessageCreateParamsStreaming {
  const answerTokens = maxTokens ?? settings.maxTokens ?? ANSWER_TOKENS_DEFAULT;
  const budget = thinking === undefined ? undefined : THINKING_TOKENS[thinking];
  return {
    model: settings.model,
    stream: true,
    // What it thinks counts as answer there.
    max_tokens: answerTokens + (budget ?? 0),
    messages: toMessages(messages, settings),
    ...(budget === undefined ? {} : { thinking: { type: 'enabled' as const, budget_tokens: budget } }),
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined || tools.length === 0 ? {} : { tools: tools.map(({ name, description, parameters }) => ({ name, description, input_schema: { ...parameters, type: 'object' as const } })) }),
  };
}

/** Neighbours of one side become one message: the protocol wants the sides to take turns, and all results of a turn together. */
function toMessages(messages: ChatRequest['messages'], settings: ProviderModel): MessageParam[] {
  const turns: { role: 'user' | 'assistant'; content: ContentBlockParam[] }[] = [];
  for (const message of messages) {
    const parts = partsOf(message);
    const role = parts.role === 'assistant' ? 'assistant' : 'user';
    const text: ContentBlockParam[] = parts.text === '' ? [] : [{ type: 'text', text: parts.text }];
    const images = parts.images.map(({ data, mimeType }): ImageBlockParam => ({ type: 'image', source: { type: 'base64', data, media_type: mimeType as 'image/png' } }));
    const thoughts = thoughtsOf(message, settings).map((thought): ContentBlockParam => ({ type: 'thinking', ...thought }));
    const blocks: ContentBlockParam[] =
      parts.role === 'tool'
        ? [{ type: 'tool_result', tool_use_id: parts.callId ?? '', is_error: parts.isError, content: parts.text }]
        : [...thoughts, ...text, ...images, ...parts.calls.map((call) => ({ type: 'tool_use' as const, id: call.id, name: call.name, input: call.arguments }))];
    const last = turns.at(-1);
    if (blocks.length === 0) continue;
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  }
  return turns;
}
