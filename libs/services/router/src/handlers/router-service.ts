/**
 * The RouterService: one implementation for gRPC, the bus, the WebSocket and HTTP. What a service
 * behind does not serve is answered as that service answers it (UNSUPPORTED).
 */
import { RouterServiceService } from '@sessions/contracts';
import { LIST_ANSWER_BYTES, serveService } from '@sessions/bus';
import type { Handlers, Served } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import type { FanOut } from '../fan-out';
import { abortRun, killSession } from './abort-run';
import { cleanup } from './cleanup';
import { compactSession } from './compact-session';
import { createSession } from './create-session';
import { deleteSession } from './delete-session';
import { ackDelivery, streamDeliveries } from './deliveries';
import { describeSession } from './describe-session';
import { eraseSession } from './erase-session';
import { forAgents } from './for-agents';
import { forRestricted } from './for-restricted';
import { getHistory } from './get-history';
import { getUsage } from './get-usage';
import { invokeTool } from './invoke-tool';
import { listAgents } from './list-agents';
import { listSessions } from './list-sessions';
import { patchSession } from './patch-session';
import { previewSessions } from './preview-sessions';
import { resetSession } from './reset-session';
import { resolveSession } from './resolve-session';
import { restoreSession } from './restore-session';
import { searchSessions } from './search-sessions';
import { getSessionFile, listSessionFiles } from './session-files';
import { sendMessage, steerSession } from './send-message';
import { submitMessage } from './submit-message';
import { subscribe } from './subscribe';
import { waitRun } from './wait-run';

export type RouterHandlers = Handlers<typeof RouterServiceService>;

/** @param listBytesMax where a list is cut: what one answer may hold on the way it takes */
export function createRouterHandlers(deps: HandlerDeps, fanOut: FanOut, listBytesMax: number): RouterHandlers {
  const handlers: RouterHandlers = {
    submitMessage: (request, context) => submitMessage(deps, request, context),
    streamDeliveries: (request, context) => streamDeliveries(deps, fanOut, request, context),
    ackDelivery: (request, context) => ackDelivery(deps, request, context),
    listSessions: (request, context) => listSessions(deps, request, context, listBytesMax),
    describeSession: (request, context) => describeSession(deps, request, context),
    resolveSession: (request, context) => resolveSession(deps, request, context),
    previewSessions: (request, context) => previewSessions(deps, request, context),
    getUsage: (request, context) => getUsage(deps, request, context),
    searchSessions: (request, context) => searchSessions(deps, request, context),
    listSessionFiles: (request, context) => listSessionFiles(deps, request, context),
    getSessionFile: (request, context) => getSessionFile(deps, request, context),
    getHistory: (request, context) => getHistory(deps, request, context),
    subscribe: (request, context) => subscribe(deps, fanOut, request, context),
    createSession: (request, context) => createSession(deps, request, context),
    sendMessage: (request, context) => sendMessage(deps, request, context),
    steerSession: (request, context) => steerSession(deps, request, context),
    abortRun: (request, context) => abortRun(deps, request, context),
    patchSession: (request, context) => patchSession(deps, request, context),
    resetSession: (request, context) => resetSession(deps, request, context),
    deleteSession: (request, context) => deleteSession(deps, request, context),
    restoreSession: (request, context) => restoreSession(deps, request, context),
    eraseSession: (request, context) => eraseSession(deps, request, context),
    compactSession: (request, context) => compactSession(deps, request, context),
    killSession: (request, context) => killSession(deps, request, context),
    cleanup: (request, context) => cleanup(deps, request, context),
    waitRun: (request, context) => waitRun(deps, request, context),
    invokeTool: (request, context) => invokeTool(deps, request, context),
    listAgents: (_request, context) => listAgents(deps, context),
  };
  return forAgents(deps, forRestricted(deps, handlers));
}

/** Serves the methods on the bus, shared with the other routers. */
export function serveOnBus(deps: HandlerDeps, fanOut: FanOut): Promise<Served> {
  return serveService(deps.bus, RouterServiceService, createRouterHandlers(deps, fanOut, LIST_ANSWER_BYTES), {
    subjectFor: (method) => deps.subjects.router(method),
    queueGroup: 'router',
  });
}
