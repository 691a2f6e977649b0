/** Answers of the RouterService as a user meets them who is restricted to some agents: without the paths of the machine. */
import type { CallContext } from '@sessions/bus';
import { isRestricted } from '../auth/scopes';
import { encodedWithoutPlaces, shownEntry } from '../auth/shown-entry';
import { shownPath } from '../auth/shown-path';
import type { HandlerDeps } from '../deps';
import type { RouterHandlers } from './router-service';

export function forRestricted({ stateDir }: Pick<HandlerDeps, 'stateDir'>, handlers: RouterHandlers): RouterHandlers {
  type Shown = <T extends string | undefined>(path: T) => T;
  /** The same handler; the answer's paths are shown as `change` says. */
  const changed = <Request, Answer>(handler: (request: Request, context: CallContext) => Promise<Answer>, change: (answer: Answer, shown: Shown) => Answer) =>
    async (request: Request, context: CallContext): Promise<Answer> => {
      const answer = await handler(request, context);
      return isRestricted(context.scopes) ? change(answer, (path) => shownPath(path, context.scopes, stateDir)) : answer;
    };
  const ofStores = <R extends { readonly storePath: string }>(reports: readonly R[], shown: Shown): R[] => reports.map((report) => ({ ...report, storePath: shown(report.storePath) }));
  return {
    ...handlers,
    listSessions: changed(handlers.listSessions, (answer, shown) => ({ ...answer, encodedRows: answer.encodedRows.map(encodedWithoutPlaces), path: shown(answer.path), stores: answer.stores.map((store) => ({ ...store, path: shown(store.path) })) })),
    describeSession: changed(handlers.describeSession, (answer, shown) => ({
      ...answer,
      encodedRow: answer.encodedRow === undefined ? undefined : encodedWithoutPlaces(answer.encodedRow),
      entryJson: answer.entryJson === undefined ? undefined : shownEntry(answer.entryJson, shown),
    })),
    createSession: changed(handlers.createSession, (answer, shown) => ({ ...answer, entryJson: shownEntry(answer.entryJson, shown) })),
    listAgents: changed(handlers.listAgents, (answer, shown) => ({ agents: answer.agents.map((agent) => ({ ...agent, storePath: shown(agent.storePath) })) })),
    listSessionFiles: changed(handlers.listSessionFiles, (answer, shown) => ({ ...answer, root: shown(answer.root) })),
    getSessionFile: changed(handlers.getSessionFile, (answer, shown) => ({ ...answer, root: shown(answer.root) })),
    patchSession: changed(handlers.patchSession, (answer, shown) => ({ ...answer, path: shown(answer.path), entryJson: shownEntry(answer.entryJson, shown) })),
    resetSession: changed(handlers.resetSession, (answer, shown) => ({ ...answer, entryJson: shownEntry(answer.entryJson, shown), archived: answer.archived.map(shown) })),
    deleteSession: changed(handlers.deleteSession, (answer, shown) => ({ ...answer, archived: answer.archived.map(shown) })),
    restoreSession: changed(handlers.restoreSession, (answer, shown) => ({ ...answer, entryJson: shownEntry(answer.entryJson, shown), restored: answer.restored.map(shown), archived: answer.archived.map(shown) })),
    compactSession: changed(handlers.compactSession, (answer, shown) => ({ ...answer, result: answer.result === undefined ? undefined : { ...answer.result, archivedPath: shown(answer.result.archivedPath) } })),
    eraseSession: changed(handlers.eraseSession, (answer, shown) => ({ reports: ofStores(answer.reports, shown) })),
    cleanup: changed(handlers.cleanup, (answer, shown) => ({ reports: ofStores(answer.reports, shown) })),
  };
}
