/**
 * For spec files: a model that says what the test told it, as a real HTTP server on loopback that
 * speaks both providers' streaming protocols. Late, silent, broken and refusing models are scripts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server understood it. */
export interface AskedModel {
  readonly api: 'openai-completions' | 'anthropic-messages';
  readonly model: string;
  /** Texts of all messages, instructions included, joined by line feeds. */
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
  /** From 1. */
  readonly number: number;
}

export interface ScriptedAnswer {
  /** Pieces of the answer, in order. */
  readonly chunks?: readonly string[];
  /** Said before the answer, as thoughts. */
  readonly thinking?: string;
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly arguments: unknown }[];
  /** Without `output`: a server that does not say how much came out. */
  readonly usage?: { readonly input: number; readonly output?: number };
  /** As the provider's protocol has it. */
  readonly stopReason?: string;
  /** Before the first byte, milliseconds. */
  readonly delayMs?: number;
  readonly chunkDelayMs?: number;
  /** Nothing is answered before this resolves. */
  readonly after?: Promise<unknown>;
  /** A failure instead of an answer. */
  readonly status?: number;
  readonly errorText?: string;
  readonly retryAfterSeconds?: number;
  /** Never answers: at all, or after the chunks. */
  readonly hangs?: 'before' | 'after-chunks';
  /** The connection is cut after the chunks. */
  readonly breaks?: boolean;
}

export interface ModelServer {
  /** For `models.providers.<id>.baseUrl`. */
  readonly baseUrl: string;
  readonly asked: readonly AskedModel[];
  /** What every further request is answered with. */
  answer: (asked: AskedModel) => ScriptedAnswer;
  /** Lets go of what was asked so far: for a test of so many requests that they do not fit into memory. */
  forget(): void;
  /** Requests whose client is still there. */
  readonly open: number;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;

export async function startModelServer(answer: ModelServer['answer'] = () => ({ chunks: ['a summary'] })): Promise<ModelServer> {
  const asked: AskedModel[] = [];
  const responses = new Set<ServerResponse>();
  let forgottenCount = 0;
  const server = createServer((request, response) => {
    responses.add(response);
    response.on('close', () => responses.delete(response));
    void serve(request, response).catch(() => response.destroy());
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = JSON.parse(await textOf(request)) as Record<string, unknown>;
    const api = request.url?.endsWith('/messages') === true ? 'anthropic-messages' : 'openai-completions';
    const one: AskedModel = { api, model: String(body['model']), text: textsOf([body['system'], body['messages']]).join('\n'), body, headers: request.headers, number: forgottenCount + asked.length + 1 };
    asked.push(one);
    await respond(response, api, made.answer(one), one.model);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const made: ModelServer = {
    baseUrl: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    asked,
    answer,
    forget: () => void (forgottenCount += asked.splice(0).length),
    get open() {
      return responses.size;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return made;
}

async function respond(response: ServerResponse, api: AskedModel['api'], script: ScriptedAnswer, model: string): Promise<void> {
  if (script.hangs === 'before') return;
  await script.after;
  if (script.delayMs !== undefined) await pause(script.delayMs, response);
  if (response.destroyed) return;
  if (script.status !== undefined) {
    const error = { type: 'scripted', message: script.errorText ?? 'scripted failure' };
    response.writeHead(script.status, { 'content-type': 'application/json', ...(script.retryAfterSeconds === undefined ? {} : { 'retry-after': String(script.retryAfterSeconds) }) });
    response.end(JSON.stringify({ type: 'error', error }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const { before, pieces, after } = api === 'openai-completions' ? openAiEvents(script, model) : anthropicEvents(script, model);
  response.write(before.join(''));
  for (const piece of pieces) {
    if (script.chunkDelayMs !== undefined) await pause(script.chunkDelayMs, response);
    if (response.destroyed) return;
    response.write(piece);
  }
  if (script.hangs === 'after-chunks') return;
  if (script.breaks === true) return void setImmediate(() => response.destroy());
  response.end(after.join(''));
}

interface Events {
  readonly before: readonly string[];
  readonly pieces: readonly string[];
  readonly after: readonly string[];
}

function openAiEvents({ chunks = [], thinking, toolCalls = [], usage, stopReason }: ScriptedAnswer, model: string): Events {
  const event = (choices: unknown[], more: object = {}): string => `data: ${JSON.stringify({ id: 'scripted', object: 'chat.completion.chunk', created: 0, model, choices, ...more })}\n\n`;
  const delta = (value: object, finish: string | null = null): string => event([{ index: 0, delta: value, finish_reason: finish }]);
  const calls = toolCalls.map(({ id, name, arguments: given }, index) => delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: JSON.stringify(given) } }] }));
  const ended = delta({}, stopReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'));
  const spent = usage === undefined ? [] : [event([], { usage: { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + (usage.output ?? 0) } })];
  return { before: [delta({ role: 'assistant', content: '' })], pieces: [...(thinking === undefined ? [] : [delta({ reasoning_content: thinking })]), ...chunks.map((content) => delta({ content })), ...calls], after: [ended, ...spent, 'data: [DONE]\n\n'] };
}

function anthropicEvents({ chunks = [], thinking, toolCalls = [], usage, stopReason }: ScriptedAnswer, model: string): Events {
  const event = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const message = { id: 'scripted', type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: usage?.input ?? 0, output_tokens: 0 } };
  const thoughts = thinking === undefined ? [] : [
    event('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }),
    event('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking } }),
    event('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'signed' } }),
    event('content_block_stop', { index: 0 }),
  ];
  const calls = toolCalls.map(({ id, name, arguments: given }, at) => {
    const index = at + 2;
    return event('content_block_start', { index, content_block: { type: 'tool_use', id, name, input: {} } }) + event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: JSON.stringify(given) } }) + event('content_block_stop', { index });
  });
  return {
    before: [event('message_start', { message }), ...thoughts, event('content_block_start', { index: 1, content_block: { type: 'text', text: '' } })],
    pieces: [...chunks.map((text) => event('content_block_delta', { index: 1, delta: { type: 'text_delta', text } })), event('content_block_stop', { index: 1 }), ...calls],
    after: [
      event('message_delta', { delta: { stop_reason: stopReason ?? (toolCalls.length > 0 ? 'tool_use' : 'end_turn'), stop_sequence: null }, usage: { output_tokens: usage === undefined ? 0 : usage.output } }),
      event('message_stop', {}),
    ],
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the request is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => (name === 'content' || name === 'text' ? textsOf(member) : []));
}

function pause(ms: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      response.off('close', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    response.on('close', end);
  });
}
