import type { AskedRun } from './decide-deliver';

/** Of a message by which a client asks for a turn of a session that it names: lists hear of it at once. */
export function sentReason({ run }: { readonly run?: Pick<AskedRun, 'request' | 'interrupts'> }): 'send' | 'steer' | undefined {
  if (run?.request.source !== 'sessions.send' && run?.request.source !== 'agent') return undefined;
  return run.interrupts ? 'steer' : 'send';
}
