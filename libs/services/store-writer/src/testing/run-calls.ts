/** Messages with runs, and their turns, as specs of runs ask them of an owner. */
import { BeginTurnRequest, DeliverRequest, FinishTurnRequest, GetRunRequest, ReplyRoute, RunRequest } from '@sessions/contracts';
import { telegram, type Bench } from './writer-bench';

export const WITH_MODEL = { agents: { defaults: { model: 'demo/echo' } } };
export const ROUTE = ReplyRoute.create({ channel: 'telegram', to: '123' });
/** A message of a channel that asks for a run of its own. */
export const turnOf = (text: string, runId: string, run: Partial<RunRequest> = {}, more: Partial<DeliverRequest> = {}): DeliverRequest =>
  DeliverRequest.create({ ...telegram(text, { messageId: `m-${runId}` }), run: RunRequest.create({ runId, deliver: true, replyRoute: ROUTE, source: 'channel', ...run }), ...more });
export const begin = (made: Bench, runId: string, attempt = 1, runnerId = 'runner/a', takeSteered = false) => made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId, attempt, takeSteered }));
export const finish = (made: Bench, runId: string, more: Partial<FinishTurnRequest> = {}) => made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, outcome: 'ok', text: `answer to ${runId}`, attempt: 1, ...more }));
export const runOf = async (made: Bench, runId: string) => (await made.client.getRun(GetRunRequest.create({ agentId: 'main', runId }))).run;
