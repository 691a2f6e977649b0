/**
 * The RouterService: one implementation for gRPC, the bus, the WebSocket and HTTP. A method that
 * is not here answers UNSUPPORTED.
 */
import { RouterServiceService } from '@sessions/contracts';
import { LIST_ANSWER_BYTES, serveService } from '@sessions/bus';
import type { Handlers, Served } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import type { FanOut } from '../fan-out';
import { createSession } from './create-session';
import { describeSession } from './describe-session';
import { getHistory } from './get-history';
import { listAgents } from './list-agents';
import { listSessions } from './list-sessions';
import { patchSession } from './patch-session';
import { previewSessions } from './preview-sessions';
import { resolveSession } from './resolve-session';
import { searchSessions } from './search-sessions';
import { submitMessage } from './submit-message';
import { subscribe } from './subscribe';

export type RouterHandlers = Pick<
  Handlers<typeof RouterServiceService>,
  | 'submitMessage'
  | 'listSessions'
  | 'describeSession'
  | 'resolveSession'
  | 'previewSessions'
  | 'searchSessions'
  | 'getHistory'
  | 'subscribe'
  | 'createSession'
  | 'patchSession'
  | 'listAgents'
>;

/** @param listBytesMax where a list is cut: what one answer may hold on the way it takes */
export function createRouterHandlers(deps: HandlerDeps, fanOut: FanOut, listBytesMax: number): RouterHandlers {
  return {
    submitMessage: (request, context) => submitMessage(deps, request, context),
    listSessions: (request, context) => listSessions(deps, request, context, listBytesMax),
    describeSession: (request, context) => describeSession(deps, request, context),
    resolveSession: (request, context) => resolveSession(deps, request, context),
    previewSessions: (request, context) => previewSessions(deps, request, context),
    searchSessions: (request, context) => searchSessions(deps, request, context),
    getHistory: (request, context) => getHistory(deps, request, context),
    subscribe: (request, context) => subscribe(deps, fanOut, request, context),
    createSession: (request, context) => createSession(deps, request, context),
    patchSession: (request, context) => patchSession(deps, request, context),
    listAgents: (_request, context) => listAgents(deps, context),
  };
}

/** Serves the methods on the bus, shared with the other routers. */
export function serveOnBus(deps: HandlerDeps, fanOut: FanOut): Promise<Served> {
  return serveService(deps.bus, RouterServiceService, createRouterHandlers(deps, fanOut, LIST_ANSWER_BYTES), {
    subjectFor: (method) => deps.subjects.router(method),
    queueGroup: 'router',
  });
}
