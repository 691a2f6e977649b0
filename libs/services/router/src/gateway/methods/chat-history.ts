import { DescribeSessionRequest, GetHistoryRequest, SessionRow } from '@sessions/contracts';
import { displayMessage } from '@sessions/domain';
import { readPage } from '../../handlers/get-history';
import { resolveAddress } from '../../handlers/resolve-address';
import { toClientMessage, withCutTexts } from '../messages';
import { numberOf, textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';
import { agentsPayload } from './agents-list';
import { commandRows } from './commands-list';
import { modelRows } from './models-list';

const LIMIT_DEFAULT = 200;

/** `chat.history`: the newest messages of a session with its row; empty for an unknown session. */
export const chatHistory: GatewayMethod = async (deps, call) => ({ payload: await historyOf(deps, call) });

/** `chat.startup`: the same, with the agents and the models that a client begins with. */
export const chatStartup: GatewayMethod = async (deps, call) => {
  const [history, agentsList] = await Promise.all([historyOf(deps, call), agentsPayload(deps, call.context)]);
  return { payload: { ...history, agentsList, metadata: { models: modelRows(deps.config()) } } };
};

/** `chat.metadata`: models and commands that a client may offer. */
export const chatMetadata: GatewayMethod = (deps) => Promise.resolve({ payload: { models: modelRows(deps.config()), commands: commandRows(deps.config()) } });

async function historyOf(deps: GatewayDeps, { params, context }: MethodCall): Promise<Record<string, unknown>> {
  const sessionKey = textOf(params, 'sessionKey') ?? '';
  const agentId = textOf(params, 'agentId');
  const { key, agentId: ownAgentId } = await resolveAddress(deps, { key: sessionKey, agentId }, context);
  const { encodedRow } = await deps.handlers.describeSession(DescribeSessionRequest.create({ key, agentId }), context);
  const defaults = deps.rows.defaults();
  if (encodedRow === undefined) {
    const sessionInfo = deps.rows.toJson(SessionRow.create({ key, agentId: ownAgentId }), {});
    return { sessionKey, messages: [], defaults, sessionInfo, thinkingLevel: sessionInfo['thinkingDefault'] };
  }
  const row = SessionRow.decode(encodedRow);
  const sessionInfo = deps.rows.toJson(row, {});
  const limit = numberOf(params, 'limit') ?? LIMIT_DEFAULT;
  const page = await readPage(deps, GetHistoryRequest.create({ key: row.key, agentId: row.agentId, limit, includeTools: true }), context);
  const maxChars = numberOf(params, 'maxChars');
  const messages = page.records
    .map(toClientMessage)
    .filter((message) => message !== undefined)
    .map((message) => displayMessage(message))
    .filter((message) => message !== undefined)
    .map((message) => (maxChars === undefined ? message : withCutTexts(message, maxChars)));
  return {
    sessionKey,
    ...(page.sessionId !== undefined && { sessionId: page.sessionId }),
    messages,
    defaults,
    sessionInfo,
    thinkingLevel: row.thinkingLevel ?? sessionInfo['thinkingDefault'],
    ...(row.verboseLevel !== undefined && { verboseLevel: row.verboseLevel }),
  };
}
