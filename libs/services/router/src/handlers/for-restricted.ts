/** Answers of the RouterService as a user meets them who is restricted to some agents: without the paths of the machine, and without keys of sessions of other agents. */
import type { CallContext } from '@sessions/bus';
import { isRestricted } from '../auth/scopes';
import { encodedForRestricted, shownEntry } from '../auth/shown-entry';
import { shownPath } from '../auth/shown-path';
import type { HandlerDeps } from '../deps';
import type { RouterHandlers } from './router-service';

export function forRestricted({ stateDir }: Pick<HandlerDeps, 'stateDir'>, handlers: RouterHandlers): RouterHandlers {
  /** How a path is told, an entry, a row. */
  interface Shown {
    <T extends string | undefined>(path: T): T;
    entry(entryJson: Buffer): Buffer;
    row(encoded: Buffer): Buffer;
  }
  const shownTo = (scopes: readonly string[]): Shown => {
    const path = <T extends string | undefined>(one: T): T => shownPath(one, scopes, stateDir);
    return Object.assign(path, { entry: (entryJson: Buffer) => shownEntry(entryJson, scopes, path), row: (encoded: Buffer) => encodedForRestricted(encoded, scopes) });
  };
  /** The same handler; the answer's paths are shown as `change` says. */
  const changed = <Request, Answer>(handler: (request: Request, context: CallContext) => Promise<Answer>, change: (answer: Answer, shown: Shown) => Answer) =>
    async (request: Request, context: CallContext): Promise<Answer> => {
      const answer = await handler(request, context);
      return isRestricted(context.scopes) ? change(answer, shownTo(context.scopes)) : answer;
    };
  const ofStores = <R extends { readonly storePath: string }>(reports: readonly R[], shown: Shown): R[] => reports.map((report) => ({ ...report, storePath: shown(report.storePath) }));
  return {
    ...handlers,
    listSessions: changed(handlers.listSessions, (answer, shown) => ({ ...answer, encodedRows: answer.encodedRows.map(shown.row), path: shown(answer.path), stores: answer.stores.map((store) => ({ ...store, path: shown(store.path) })) })),
    describeSession: changed(handlers.describeSession, (answer, shown) => ({
      ...answer,
      encodedRow: answer.encodedRow === undefined ? undefined : shown.row(answer.encodedRow),
      entryJson: answer.entryJson === undefined ? undefined : shown.entry(answer.entryJson),
    })),
    createSession: changed(handlers.createSession, (answer, shown) => ({ ...answer, entryJson: shown.entry(answer.entryJson) })),
    listAgents: changed(handlers.listAgents, (answer, shown) => ({ agents: answer.agents.map((agent) => ({ ...agent, storePath: shown(agent.storePath) })) })),
    listSessionFiles: changed(handlers.listSessionFiles, (answer, shown) => ({ ...answer, root: shown(answer.root) })),
    getSessionFile: changed(handlers.getSessionFile, (answer, shown) => ({ ...answer, root: shown(answer.root) })),
    patchSession: changed(handlers.patchSession, (answer, shown) => ({ ...answer, path: shown(answer.path), entryJson: shown.entry(answer.entryJson) })),
    resetSession: changed(handlers.resetSession, (answer, shown) => ({ ...answer, entryJson: shown.entry(answer.entryJson), archived: answer.archived.map(shown) })),
    deleteSession: changed(handlers.deleteSession, (answer, shown) => ({ ...answer, archived: answer.archived.map(shown) })),
    restoreSession: changed(handlers.restoreSession, (answer, shown) => ({ ...answer, entryJson: shown.entry(answer.entryJson), restored: answer.restored.map(shown), archived: answer.archived.map(shown) })),
    compactSession: changed(handlers.compactSession, (answer, shown) => ({ ...answer, result: answer.result === undefined ? undefined : { ...answer.result, archivedPath: shown(answer.result.archivedPath) } })),
    eraseSession: changed(handlers.eraseSession, (answer, shown) => ({ reports: ofStores(answer.reports, shown) })),
    cleanup: changed(handlers.cleanup, (answer, shown) => ({ reports: ofStores(answer.reports, shown) })),
  };
}
