/**
 * `openclaw sessions cleanup`: a dry run reads the files; a run that applies goes to the gateway where
 * one listens, else it works on the files under the store's lock.
 */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { COLUMNS_WITHOUT_TERMINAL, EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { toFailureDocument, toSessionError } from '../failure';
import type { ScopeFlags } from '../flags/list-flags';
import { askGateway } from '../gateway/ask-gateway';
import { refuseBesideOwner, withLocalOwner } from '../offline/local-owner';
import { planCleanup } from '../offline/plan-cleanup';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { whileWorking } from '../progress';
import { cleanupDocument, renderApplied, renderDryRun } from '../render/cleanup-text';
import { visibleText } from '../render/visible-text';
import { MaintenanceServiceCleanupRequest } from '@sessions/contracts';
import { SessionError, isJsonObject, isReason } from '@sessions/domain';
import type { JsonObject, PlanTable } from '@sessions/domain';
import type { CleanupChoice } from '@sessions/maintenance-scheduler';

export interface CleanupFlags extends ScopeFlags {
  readonly dryRun?: boolean | undefined;
  readonly enforce?: boolean | undefined;
  readonly fixMissing?: boolean | undefined;
  readonly fixDmScope?: boolean | undefined;
  readonly activeKey?: string | undefined;
  readonly json?: boolean | undefined;
}

interface Cleaned {
  readonly document: JsonObject;
  /** Of a dry run. */
  readonly table?: PlanTable;
}

interface Refused {
  readonly store: Pick<StoreChoice, 'agentId' | 'path'>;
  readonly error: SessionError;
}

export async function runSessionsCleanup(io: CliIo, flags: CleanupFlags): Promise<ExitCode> {
  // An empty variable of a script: whoever names a key wants it spared.
  if (flags.activeKey !== undefined && flags.activeKey.trim() === '') throw new SessionError('VALIDATION', '--active-key must name a session key; it is empty.', { facts: { option: '--active-key' }, hint: 'Leave it out to protect no further session.' });
  const context = loadCliContext(io);
  const { stores } = selectStores(flags, context);
  const dryRun = flags.dryRun === true;
  const choice: CleanupChoice = { dryRun, enforce: flags.enforce === true, fixMissing: flags.fixMissing === true, fixDmScope: flags.fixDmScope === true, activeKey: flags.activeKey };
  const throughGateway = dryRun || isGiven(flags.store) ? undefined : await whileWorking(io, 'cleaning up through the gateway', () => askGateway(context, 'sessions.cleanup', gatewayParams(flags, stores)));
  const { cleaned, refused } = throughGateway === undefined ? await cleanFiles(io, context, { stores, choice, byPath: isGiven(flags.store), command: commandOf(flags) }) : ofGateway(throughGateway);
  if (throughGateway !== undefined) for (const { document } of cleaned) warn(io, textsOf(document['warnings']));
  if (flags.json === true) printJson(io, flags, { mode: choice.enforce ? 'enforce' : context.config.session.maintenance.mode, dryRun }, { cleaned, refused });
  else printText(io, cleaned, stores.length > 1);
  for (const { error } of refused) io.err(visibleText(`${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`));
  return refused.length === 0 ? EXIT.ok : EXIT.failed;
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';

function gatewayParams(flags: CleanupFlags, stores: readonly StoreChoice[]): JsonObject {
  return {
    ...(flags.allAgents === true ? { allAgents: true } : { agent: stores[0]?.agentId ?? 'main' }),
    ...(flags.enforce === true && { enforce: true }),
    ...(flags.fixMissing === true && { fixMissing: true }),
    ...(flags.fixDmScope === true && { fixDmScope: true }),
    ...(flags.activeKey !== undefined && { activeKey: flags.activeKey }),
  };
}

/** The same command without the choice of a file. */
function commandOf({ enforce, fixMissing, fixDmScope, agent }: CleanupFlags): string {
  const words = [agent === undefined ? '' : `--agent ${agent}`, enforce === true ? '--enforce' : '', fixMissing === true ? '--fix-missing' : '', fixDmScope === true ? '--fix-dm-scope' : ''];
  return ['openclaw sessions cleanup', ...words.filter((word) => word !== '')].join(' ');
}

interface FilesJob {
  readonly stores: readonly StoreChoice[];
  readonly choice: CleanupChoice;
  readonly byPath: boolean;
  readonly command: string;
}

/** @throws the refusal of the store when it is the only one */
async function cleanFiles(io: CliIo, context: CliContext, { stores, choice, byPath, command }: FilesJob): Promise<{ cleaned: Cleaned[]; refused: Refused[] }> {
  const cleaned: Cleaned[] = [];
  const refused: Refused[] = [];
  for (const store of stores) {
    try {
      cleaned.push(await whileWorking(io, `cleaning up agent ${store.agentId}`, async () => {
        // Under `warn` nothing acts but the flags: then nobody has to own the store, which would leave files of ours.
        const changesNothing = choice.dryRun || (context.config.session.maintenance.mode === 'warn' && !choice.enforce && !choice.fixMissing && !choice.fixDmScope);
        if (changesNothing) {
          const { report, table } = await planCleanup(context.config, store, choice, io.nowMs());
          warn(io, report.warnings);
          return { document: cleanupDocument(report), ...(choice.dryRun && { table }) };
        }
        refuseBesideOwner(store, byPath ? 'a store named by --store is cleaned up by nobody else' : 'no gateway answers', command);
        return { document: await applyLocally(io, context, store, choice) };
      }));
    } catch (error) {
      if (stores.length === 1) throw error;
      refused.push({ store, error: toSessionError(error) });
    }
  }
  return { cleaned, refused };
}

/** @throws what the store refuses with */
function applyLocally(io: CliIo, context: CliContext, store: StoreChoice, { enforce, fixMissing, fixDmScope, activeKey }: CleanupChoice): Promise<JsonObject> {
  return withLocalOwner(context, store, () => io.nowMs(), async ({ maintenance, mutation }) => {
    const request = MaintenanceServiceCleanupRequest.create({ flags: { agentIds: [store.agentId], allAgents: false, enforce, fixMissing, fixDmScope, activeKey }, dryRun: false });
    const [report] = (await maintenance.cleanup(request, mutation())).reports;
    if (report === undefined) throw new SessionError('INTERNAL', `No report of the store of agent ${store.agentId}.`);
    if (report.errorReason !== undefined) throw refusalOf(report.errorReason, report.errorMessage, store.path);
    warn(io, report.warnings);
    return cleanupDocument(report);
  });
}

function refusalOf(reason: string, message: string | undefined, path: string): SessionError {
  return new SessionError(isReason(reason) ? reason : 'INTERNAL', `The session store ${path} was not cleaned up: ${message ?? reason}`, { facts: { path }, hint: 'Nothing was changed. Look with: openclaw sessions verify' });
}

function warn(io: CliIo, warnings: readonly string[]): void {
  for (const warning of warnings) io.err(visibleText(`${warning}\n`));
}

const textsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

/** The gateway's answer has the form of `--json`. */
function ofGateway(payload: JsonObject): { cleaned: Cleaned[]; refused: Refused[] } {
  const stores: readonly unknown[] = Array.isArray(payload['stores']) ? payload['stores'] : [payload];
  const documents = stores.filter((store): store is JsonObject => isJsonObject(store));
  const failed = documents.filter((document) => isJsonObject(document['error']));
  return {
    cleaned: documents.filter((document) => !failed.includes(document)).map((document) => ({ document })),
    refused: failed.map((document) => {
      const { reason, message } = document['error'] as JsonObject;
      const path = String(document['storePath'] ?? '');
      return { store: { agentId: document['agentId'] as StoreChoice['agentId'], path }, error: refusalOf(String(reason), typeof message === 'string' ? message : undefined, path) };
    }),
  };
}

function printJson(io: CliIo, { allAgents }: CleanupFlags, head: { mode: string; dryRun: boolean }, { cleaned, refused }: { cleaned: readonly Cleaned[]; refused: readonly Refused[] }): void {
  const [first] = cleaned;
  const failures = refused.map(({ store, error }) => ({ ...store, error: toFailureDocument(error).error }));
  const document = allAgents === true || first === undefined ? { allAgents: true, ...head, stores: [...cleaned.map((one) => one.document), ...failures] } : first.document;
  io.out(`${JSON.stringify(document, null, 2)}\n`);
}

function printText(io: CliIo, cleaned: readonly Cleaned[], withAgent: boolean): void {
  const widthMax = io.columns() ?? COLUMNS_WITHOUT_TERMINAL;
  io.out(cleaned.map(({ document, table }) => (table === undefined ? renderApplied(document, withAgent) : renderDryRun(document, table, { withAgent, widthMax }))).join('\n'));
}
