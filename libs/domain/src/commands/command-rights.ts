/**
 * Commands that do what only administrators may do by other means: an RPC of their own (reset, patch,
 * compact) takes that right, so the same words in a message must not do without it.
 */
import type { ChatIntent } from './chat-commands';

/** True when the command changes the session beyond a message, a turn or their end. */
export function needsAdministrator(intent: ChatIntent): boolean {
  switch (intent.kind) {
    case 'reset':
    case 'clear':
    case 'compact':
    case 'activation':
    case 'send':
    case 'export-trajectory':
    case 'focus':
    case 'unfocus':
    case 'thread':
      return true;
    case 'model':
      return intent.action !== 'show';
    case 'toggle':
      return intent.value !== undefined;
    case 'status':
    case 'context':
    case 'stop':
    case 'kill':
    case 'subagents':
    case 'usage':
      return false;
  }
}

/**
 * The same of a command inside a message, which holds for one turn. Whoever may ask for a turn says how much
 * it thinks and whether it waits; how much of its work is shown to whom, and where its commands run, is not
 * theirs to say.
 */
export function needsAdministratorInline(intent: ChatIntent): boolean {
  return intent.kind === 'toggle' ? intent.name !== 'think' && intent.name !== 'queue' : needsAdministrator(intent);
}
