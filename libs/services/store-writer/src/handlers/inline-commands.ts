/**
 * Commands inside a message, which the model does not read: settings hold for the turn that answers it,
 * once, and `/status` is answered beside it. What a single turn does not heed stays text, and so does
 * everything of a sender who may not.
 */
import { RunRequest, type DeliverRequest } from '@sessions/contracts';
import { THINKING_LEVELS, commandVerdict, inlineCommands, type ChatIntent } from '@sessions/domain';
import { isOfPeople, senderOf } from './chat-command';

const QUEUE_MODES: readonly string[] = ['steer', 'followup', 'collect', 'interrupt'];

export interface Taken {
  /** As the settings change it. */
  readonly request: DeliverRequest;
  /** What is left of it. */
  readonly text: string;
  readonly asksStatus: boolean;
}

export function takeInlineCommands(request: DeliverRequest, text: string): Taken {
  const { run } = request;
  const nothing = { request, text, asksStatus: false };
  if (run === undefined || run.source === 'agent' || !isOfPeople(request)) return nothing;
  if (commandVerdict({ kind: 'status' }, senderOf(request), 'inline') !== 'run') return nothing;
  const taken = inlineCommands(text, (intent) => (intent.kind === 'status' ? hearsReplies(request) : holdsForATurn(intent)));
  // Nothing would be left to answer.
  if (taken.intents.length === 0 || taken.text === '') return nothing;
  const valueOf = (name: string): string | undefined => taken.intents.flatMap((intent) => (intent.kind === 'toggle' && intent.name === name ? [intent.value?.toLowerCase()] : [])).at(-1);
  const [thinkingLevel, queueMode] = [valueOf('think'), valueOf('queue')];
  return {
    text: taken.text,
    asksStatus: taken.intents.some(({ kind }) => kind === 'status'),
    request: { ...request, run: RunRequest.create({ ...run, ...(thinkingLevel === undefined ? {} : { thinkingLevel }), ...(queueMode === undefined ? {} : { queueMode }) }) },
  };
}

/** The other methods of operators answer with a run alone. */
function hearsReplies({ route, run }: DeliverRequest): boolean {
  return route?.originKind === 'channel' || run?.source === 'chat.send' || run?.source === 'sessions.create';
}

function holdsForATurn(intent: ChatIntent): boolean {
  if (intent.kind !== 'toggle' || intent.value === undefined) return false;
  const value = intent.value.toLowerCase();
  if (intent.name === 'think') return (THINKING_LEVELS as readonly string[]).includes(value);
  return intent.name === 'queue' && QUEUE_MODES.includes(value);
}
