import type { AskedRun } from './decide-deliver';

/** Methods that say of themselves that a message was sent, as the original's do. */
const SENDING: ReadonlySet<string> = new Set(['sessions.send', 'sessions.create', 'agent']);

/** Of a message by which a client asks for a turn of a session that it names: lists hear of it at once. */
export function sentReason({ run }: { readonly run?: Pick<AskedRun, 'request' | 'interrupts'> }): 'send' | 'steer' | undefined {
  if (run === undefined || !SENDING.has(run.request.source ?? '')) return undefined;
  return run.interrupts ? 'steer' : 'send';
}
