/** `sessions_yield`: ends the turn; what the session waits for arrives as its next message. */
import { FieldChange, PatchEntryRequest } from '@sessions/contracts';
import { parseYieldArguments } from '@sessions/domain';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

export async function sessionsYield({ deps, caller, runId, context }: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const { message } = argumentsOf(parseYieldArguments(raw));
  // Its owner binds the answer to come to the message of this run, once the run has ended.
  if (runId !== undefined && caller.row !== undefined) {
    const change = FieldChange.create({ name: 'yieldingRun', valueJson: Buffer.from(JSON.stringify(runId)) });
    await deps.stores.mutate('patchEntry', PatchEntryRequest.create({ agentId: caller.agentId, key: caller.key, changes: [change], touch: false, create: false }), context, { part: 'yield' });
  }
  return { details: { status: 'yielded', ...(message !== undefined && { message }) }, endsTurn: true };
}
