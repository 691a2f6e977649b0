/** Notes before a compaction, where they are due. Nothing of it changes how the turn ended, and nobody is told of it. */
import { TurnDone, TurnLimits, type FinishTurnRequest } from '@sessions/contracts';
import { newLineId } from '../runtime/record-lines';
import type { Executions } from './executions';
import { FLUSH_MS_MAX, flushDue, flushFields, flushLine, flushTools, type Flush } from './flush-memory';
import type { BegunTurn, TurnDeps } from './turn-deps';

/** @returns what the end of the run changes in the entry */
export async function runFlush(deps: TurnDeps, turn: BegunTurn, executions: Executions): Promise<FinishTurnRequest['fields']> {
  const { bus, config, logger } = deps;
  const { entry } = turn;
  const { agentId } = turn.job;
  const { sessionKey, settings } = turn.begun;
  const facts = { config: config(), agentId, sessionKey, entry, usage: executions.usage.all(), transcriptBytes: executions.branchBytes, source: settings?.run?.source ?? '' };
  const flush = flushDue(facts, bus.clock.nowMs());
  if (flush === undefined) return [];
  const done = executions.hasFlushed ? TurnDone.create({ outcome: 'ok' }) : await execute(deps, turn, executions, flush);
  const failure = done.outcome === 'ok' ? undefined : (done.errorReason ?? done.outcome);
  if (failure !== undefined) logger.warn('an agent did not save its notes before a compaction', { agentId, reason: failure });
  return flushFields(entry, bus.clock.nowMs(), failure);
}

async function execute({ bus, config }: TurnDeps, { begun }: BegunTurn, executions: Executions, { prompt, systemPrompt, model }: Flush): Promise<TurnDone> {
  const messageId = newLineId();
  await executions.append(Buffer.from(flushLine(messageId, prompt, bus.clock.nowMs()), 'utf8'));
  const chosen = model === undefined ? {} : { modelProvider: model.provider, model: model.model };
  const tools = flushTools(config(), begun.settings?.run?.deniedTools ?? []);
  const toolsJson = tools.map((tool) => Buffer.from(JSON.stringify(tool), 'utf8'));
  const own = { messageId, toolsJson, limits: TurnLimits.create({ timeoutMs: FLUSH_MS_MAX }), ...(systemPrompt === undefined ? {} : { systemPrompt }), ...chosen };
  const end = await executions.runSilently(own);
  return end.kind === 'done' ? end.done : TurnDone.create({ outcome: 'error', errorReason: 'runtime' });
}
