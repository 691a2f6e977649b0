/**
 * A request as a provider gets it, held to the provider's own rules and to nothing of ours: each call has
 * its whole arguments and an id of its own, its result follows at once, and there is no other result.
 */
import type { AskedModel } from '@sessions/llm/testing';

export interface ReadPrompt {
  /** Numbers of the calls, in order. */
  readonly calls: readonly number[];
  /** Calls whose result says that there is none. */
  readonly interrupted: readonly number[];
  /** Texts of the user, in order. */
  readonly said: readonly string[];
  /** What a provider would refuse; empty when it is valid. */
  readonly problems: readonly string[];
}

/** One block, as both protocols have it. */
type Step = { readonly kind: 'said'; readonly text: string } | { readonly kind: 'calls'; readonly calls: readonly { readonly id: string; readonly argumentsJson: string }[] } | { readonly kind: 'result'; readonly id: string; readonly text: string } | { readonly kind: 'other'; readonly what: string };

export function readPrompt({ api, body }: Pick<AskedModel, 'api' | 'body'>): ReadPrompt {
  const messages = body['messages'] as readonly Record<string, unknown>[];
  const steps = messages.flatMap(api === 'openai-completions' ? openAiSteps : anthropicSteps);
  const problems: string[] = [];
  const calls: number[] = [];
  const interrupted: number[] = [];
  const ids = new Set<string>();
  let awaited = new Map<string, number>();
  for (const [at, step] of steps.entries()) {
    const place = `block ${String(at)}`;
    if (step.kind === 'other') problems.push(`${place}: ${step.what}`);
    if (step.kind === 'result') {
      const number = awaited.get(step.id);
      if (number === undefined) problems.push(`${place}: a result of no call before it: ${step.id}`);
      else if (/has no result/u.test(step.text)) interrupted.push(number);
      else if (!step.text.includes(`"number":${String(number)}`)) problems.push(`${place}: the result of another call: ${step.text}`);
      awaited.delete(step.id);
      continue;
    }
    if (awaited.size > 0) problems.push(`${place}: no result for ${[...awaited.keys()].join(', ')}`);
    awaited = new Map();
    if (step.kind !== 'calls') continue;
    for (const { id, argumentsJson } of step.calls) {
      if (id === '' || ids.has(id)) problems.push(`${place}: a call without an id of its own: "${id}"`);
      ids.add(id);
      const number = numberOf(argumentsJson);
      if (number === undefined) problems.push(`${place}: half a call: ${argumentsJson}`);
      else calls.push(number);
      awaited.set(id, number ?? -1);
    }
  }
  if (awaited.size > 0) problems.push(`the end: no result for ${[...awaited.keys()].join(', ')}`);
  return { calls, interrupted, said: steps.flatMap((step) => (step.kind === 'said' ? [step.text] : [])), problems };
}

function openAiSteps(message: Record<string, unknown>): Step[] {
  const text = typeof message['content'] === 'string' ? message['content'] : textOf(message['content']);
  if (message['role'] === 'system') return [];
  if (message['role'] === 'user') return [{ kind: 'said', text }];
  if (message['role'] === 'tool') return [{ kind: 'result', id: String(message['tool_call_id']), text }];
  if (message['role'] !== 'assistant') return [{ kind: 'other', what: `the role ${String(message['role'])}` }];
  const calls = (message['tool_calls'] ?? []) as readonly { id?: string; type?: string; function?: { name?: string; arguments?: string } }[];
  if (calls.length === 0 && text === '') return [{ kind: 'other', what: 'an answer with nothing in it' }];
  return calls.length === 0 ? [] : [{ kind: 'calls', calls: calls.map((call) => ({ id: call.type === 'function' && call.function?.name !== undefined ? (call.id ?? '') : '', argumentsJson: call.function?.arguments ?? '' })) }];
}

function anthropicSteps({ role, content }: Record<string, unknown>): Step[] {
  const blocks = (typeof content === 'string' ? [{ type: 'text', text: content }] : content) as readonly Record<string, unknown>[];
  const calls = blocks.filter(({ type }) => type === 'tool_use').map(({ id, input }) => ({ id: typeof id === 'string' ? id : '', argumentsJson: JSON.stringify(input) }));
  if (role === 'assistant') return calls.length === 0 ? [] : [{ kind: 'calls', calls }];
  if (calls.length > 0) return [{ kind: 'other', what: 'a call of the user' }];
  return blocks.map((block): Step => {
    if (block['type'] === 'tool_result') return { kind: 'result', id: String(block['tool_use_id']), text: textOf(block['content']) };
    return block['type'] === 'text' ? { kind: 'said', text: String(block['text']) } : { kind: 'other', what: `a block ${String(block['type'])}` };
  });
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? (content as readonly Record<string, unknown>[]).map(({ text }) => (typeof text === 'string' ? text : '')).join('') : '';
}

function numberOf(argumentsJson: string): number | undefined {
  try {
    const { number } = JSON.parse(argumentsJson) as { number?: unknown };
    return typeof number === 'number' ? number : undefined;
  } catch {
    return undefined;
  }
}
