/**
 * Settings inside a message: they hold for the turn that answers it, once, and the model does not read
 * them. What a single turn does not heed stays text, and so does everything of a sender who may not.
 */
import { RunRequest, type DeliverRequest } from '@sessions/contracts';
import { THINKING_LEVELS, commandVerdict, inlineCommands, type ChatIntent } from '@sessions/domain';
import { isOfPeople, senderOf } from './chat-command';

const QUEUE_MODES: readonly string[] = ['steer', 'followup', 'collect', 'interrupt'];

/** What is left of the text, and the request as the settings change it. */
export function takeInlineToggles(request: DeliverRequest, text: string): { readonly request: DeliverRequest; readonly text: string } {
  const { run } = request;
  if (run === undefined || run.source === 'agent' || !isOfPeople(request)) return { request, text };
  if (commandVerdict({ kind: 'status' }, senderOf(request), 'inline') !== 'run') return { request, text };
  const taken = inlineCommands(text, holdsForATurn);
  // Nothing would be left to answer.
  if (taken.intents.length === 0 || taken.text === '') return { request, text };
  const valueOf = (name: string): string | undefined => taken.intents.flatMap((intent) => (intent.kind === 'toggle' && intent.name === name ? [intent.value?.toLowerCase()] : [])).at(-1);
  const [thinkingLevel, queueMode] = [valueOf('think'), valueOf('queue')];
  return {
    text: taken.text,
    request: { ...request, run: RunRequest.create({ ...run, ...(thinkingLevel === undefined ? {} : { thinkingLevel }), ...(queueMode === undefined ? {} : { queueMode }) }) },
  };
}

function holdsForATurn(intent: ChatIntent): boolean {
  if (intent.kind !== 'toggle' || intent.value === undefined) return false;
  const value = intent.value.toLowerCase();
  if (intent.name === 'think') return (THINKING_LEVELS as readonly string[]).includes(value);
  return intent.name === 'queue' && QUEUE_MODES.includes(value);
}
