/** `/export-trajectory` in a chat: recorded as waiting for an operator's word, and said so to who asked, privately. Nothing is written. */
import type { DeliverRequest, DeliverResponse } from '@sessions/contracts';
import type { MutationView } from '@sessions/store';
import { decideRequestExport, type ExportAsked } from '../decisions/decide-approval';
import type { DeliverAnswer } from '../decisions/decide-deliver';
import { newApprovalId, type PrivateRoute } from '../decisions/open-approval';
import type { Planned } from '../decisions/planned';
import type { SpoolView } from '../decisions/spool-view';
import { workspaceOf } from '../workspace/agent-workspace';
import { answerOf, type Asked } from './keep-message';

type Answered = (planned: Planned<DeliverAnswer>, view: MutationView, spool: SpoolView) => Planned<DeliverAnswer>;

/** @param answered gives the answer to the channel that it is for */
export function exportFromChat({ agent, key, request }: Asked, delivery: DeliverRequest, output: string | undefined, answered: Answered): Promise<DeliverResponse> {
  const asked = { agentId: agent.agentId, key, output, approvalId: newApprovalId(agent.agentId), workspace: workspaceOf(agent), ...audienceOf(delivery), config: agent.deps.config() };
  return agent.mutateSpooled<DeliverAnswer, DeliverResponse>((spool) => ({ ...request, plan: (view) => answered(decideRequestExport({ ...asked, spool }, view), view, spool) }), answerOf);
}

/** In a group others read along: what there is to say goes to the sender's own direct chat, over the same login. */
function audienceOf({ route, message }: DeliverRequest): Pick<ExportAsked, 'audience' | 'route'> {
  const reply = route?.replyRoute;
  if (route?.originKind !== 'channel' || reply === undefined) return { audience: 'here', route: undefined };
  const { channel, accountId, threadId, to } = reply;
  const login = { channel, ...(accountId === undefined ? {} : { accountId }) };
  if (route.chatType === undefined || route.chatType === 'direct') return { audience: 'here', route: { ...login, to, ...(threadId === undefined ? {} : { threadId }) } };
  const sender = message?.sender?.id;
  const direct: PrivateRoute | undefined = sender === undefined || sender === '' ? undefined : { ...login, to: sender };
  return { audience: direct === undefined ? 'nowhere' : 'private', route: direct };
}
