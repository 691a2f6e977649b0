/** How a turn ended, as its owner and everybody else is told. Pure. */
import { FinishTurnRequest, type TokenUsage, type TurnDone, type TurnJob } from '@sessions/contracts';
import { TEXT_BYTES_MAX } from '@sessions/domain';

export function finishRequest({ agentId, runId, attempt }: TurnJob, done: TurnDone, { usage, fields }: { readonly usage: TokenUsage[]; readonly fields: FinishTurnRequest['fields'] }): FinishTurnRequest {
  const { outcome, text, stopReason } = done;
  return FinishTurnRequest.create({ agentId, runId, attempt, outcome, usage, text: text === undefined ? undefined : cutToBytes(text, TEXT_BYTES_MAX), stopReason, errorMessage: failureOf(done), fields });
}

/** Undefined: nothing failed. */
export function failureOf({ outcome, errorMessage }: TurnDone): string | undefined {
  if (outcome === 'ok' || outcome === 'aborted') return undefined;
  return errorMessage ?? (outcome === 'timeout' ? 'the turn took too long' : 'the turn failed');
}

/** What is sent on of an answer: its beginning. The transcript has the whole. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length <= bytesMax ? text : bytes.subarray(0, bytesMax).toString('utf8').replace(/\uFFFD+$/u, '');
}
