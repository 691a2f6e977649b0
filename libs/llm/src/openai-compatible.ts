/** Models behind the chat completions protocol (`api: "openai-completions"`): the provider itself and the many local servers that speak it. */
import type { ChatCompletionChunk, ChatCompletionContentPart, ChatCompletionCreateParamsStreaming, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { isTokenCount, tokenCount } from '@sessions/domain';
import { ANSWER_TOKENS_DEFAULT, ModelFailure, type ChatEvent, type ChatModel, type ChatOptions, type ChatRequest, type ChatUsage, type StopReason } from './chat-model';
import { RequestLimits } from './limits';
import { parseArguments, partsOf } from './message-parts';
import type { ProviderModel } from './provider-model';

const STOP_REASONS: Readonly<Record<string, StopReason>> = { stop: 'stop', length: 'length', tool_calls: 'tool-use', content_filter: 'refused' };

/** Loaded by the first request: a process that asks no model does not pay for it. */
const load = ({ apiKey = 'none', baseUrl }: ProviderModel) =>
  import('openai').then(({ default: Client }) => new Client({ apiKey, baseURL: baseUrl, maxRetries: 0, logLevel: 'off', organization: null, project: null }));

type LoadedClient = ReturnType<typeof load>;

export function createOpenAiModel(settings: ProviderModel): ChatModel {
  let client: LoadedClient | undefined;
  const clientOf = (): LoadedClient => (client ??= load(settings));
  return { provider: settings.provider, model: settings.model, api: 'openai-completions', stream: (request, options = {}) => stream(settings, clientOf, request, options) };
}

async function* stream(settings: ProviderModel, clientOf: () => LoadedClient, request: ChatRequest, { signal }: ChatOptions): AsyncGenerator<ChatEvent> {
  const limits = new RequestLimits(settings.limits, signal);
  try {
    const chunks = await (await clientOf()).chat.completions.create(bodyOf(settings, request), { signal: limits.signal });
    yield* eventsOf(settings, chunks, limits);
  } catch (error) {
    throw limits.failureOf(error, settings);
  } finally {
    limits.end();
  }
}

async function* eventsOf(settings: ProviderModel, chunks: AsyncIterable<ChatCompletionChunk>, limits: RequestLimits): AsyncGenerator<ChatEvent> {
  const calls = new Map<number, { id: string; name: string; text: string }>();
  let finish: string | undefined;
  let usage: ChatUsage | undefined;
  for await (const chunk of chunks) {
    limits.heard();
    if (chunk.usage) usage = usageOf(chunk.usage);
    const [choice] = chunk.choices;
    if (choice === undefined) continue;
    const { content, tool_calls: pieces } = choice.delta;
    const thought = thoughtOf(choice.delta);
    if (thought !== '') yield { type: 'thinking', text: thought };
    if (content) yield { type: 'text', text: content };
    for (const { index, id, function: called } of pieces ?? []) {
      const call = calls.get(index) ?? { id: '', name: '', text: '' };
      calls.set(index, { id: call.id || (id ?? ''), name: call.name || (called?.name ?? ''), text: call.text + (called?.arguments ?? '') });
    }
    finish = choice.finish_reason ?? finish;
  }
  // A connection that closes in the middle ends the stream like a whole one.
  if (finish === undefined) throw new ModelFailure('broken-stream', settings);
  for (const { id, name, text } of calls.values()) yield { type: 'tool-call', id, name, arguments: parseArguments(text) };
  yield { type: 'end', stopReason: STOP_REASONS[finish] ?? 'other', usage };
}

/** Servers that show what a model thinks do so beside the protocol, under one of two names. */
function thoughtOf(delta: object): string {
  const { reasoning_content: content, reasoning } = delta as { readonly reasoning_content?: unknown; readonly reasoning?: unknown };
  if (typeof content === 'string') return content;
  return typeof reasoning === 'string' ? reasoning : '';
}

function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details }: NonNullable<ChatCompletionChunk['usage']>): ChatUsage {
  const cacheReadTokens = tokenCount(prompt_tokens_details?.cached_tokens);
  const inputTokens = isTokenCount(prompt_tokens) ? Math.max(0, prompt_tokens - cacheReadTokens) : undefined;
  return { inputTokens, outputTokens: isTokenCount(completion_tokens) ? completion_tokens : undefined, cacheReadTokens, cacheWriteTokens: 0 };
}

function bodyOf(settings: ProviderModel, { system, messages, tools, maxTokens, thinking }: ChatRequest): ChatCompletionCreateParamsStreaming {
  const instructions: ChatCompletionMessageParam[] = system === undefined ? [] : [{ role: 'system', content: system }];
  return {
    model: settings.model,
    stream: true,
    stream_options: { include_usage: true },
    // The older name: local servers know no other.
    max_tokens: maxTokens ?? settings.maxTokens ?? ANSWER_TOKENS_DEFAULT,
    messages: [...instructions, ...messages.map(toMessage)],
    ...(thinking === undefined ? {} : { reasoning_effort: thinking }),
    ...(tools === undefined || tools.length === 0 ? {} : { tools: tools.map(({ name, description, parameters }) => ({ type: 'function' as const, function: { name, description, parameters: { ...parameters } } })) }),
  };
}

function toMessage(message: ChatRequest['messages'][number]): ChatCompletionMessageParam {
  const { role, text, images, calls, callId } = partsOf(message);
  if (role === 'tool') return { role, tool_call_id: callId ?? '', content: text };
  if (role === 'assistant') {
    const asked = calls.map((call) => ({ id: call.id, type: 'function' as const, function: { name: call.name, arguments: JSON.stringify(call.arguments) } }));
    return { role, content: text === '' && asked.length > 0 ? null : text, ...(asked.length > 0 ? { tool_calls: asked } : {}) };
  }
  if (images.length === 0) return { role, content: text };
  const shown = images.map(({ data, mimeType }): ChatCompletionContentPart => ({ type: 'image_url', image_url: { url: `data:${mimeType};base64,${data}` } }));
  return { role, content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...shown] };
}
