/**
 * `openclaw sessions erase <key|peer>`: one session or one person leaves everything that the stores
 * keep, archives included; nothing brings it back. Shows first what it would take, and asks; where
 * nobody can be asked it wants --yes.
 */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { toFailureDocument, toSessionError } from '../failure';
import type { ScopeFlags } from '../flags/list-flags';
import { askGateway } from '../gateway/ask-gateway';
import { refuseBesideOwner, withLocalOwner } from '../offline/local-owner';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { whileWorking } from '../progress';
import { NOT_ERASED, eraseReport, renderErased } from '../render/erase-text';
import type { EraseDocument } from '../render/erase-text';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { EraseRequest } from '@sessions/contracts';
import { SessionError, configuredAgents, isJsonObject, looksLikeKey, normaliseSessionKey, parseSessionKey, toRequestKey } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';

export interface EraseFlags extends ScopeFlags {
  /** A session key, or a peer. */
  readonly subject: string;
  /** The word is a peer, whatever it looks like. */
  readonly peer?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

type Subject = { readonly key: string } | { readonly peer: string };

interface Erasure {
  readonly subject: Subject;
  readonly stores: readonly StoreChoice[];
  readonly byPath: boolean;
  readonly agentId: string | undefined;
  /** The same command without `--store`. */
  readonly command: string;
}

/** @throws VALIDATION, SESSION_LOCKED, STORE_UNREADABLE */
export async function runSessionsErase(io: CliIo, flags: EraseFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const erasure = erasureOf(flags, context);
  const shown = await ask(io, context, erasure, true);
  if (flags.dryRun === true || !shown.some(({ found }) => found)) return answer(io, flags, flags.dryRun === true ? shown : await ask(io, context, erasure, false), flags.dryRun === true);
  if (flags.yes !== true) {
    io.err(renderErased(shown, true, flags.subject));
    if (io.confirm === undefined) throw new SessionError('VALIDATION', 'Nothing was changed: an erasure cannot be undone, so it has to be confirmed.', { hint: `Look with --dry-run, then confirm with: ${erasure.command}${isGiven(flags.store) ? ` --store ${flags.store}` : ''} --yes` });
    if (!(await io.confirm(`Erase ${keyText(flags.subject)} for good? Nothing brings it back.`))) {
      io.err('Nothing was changed.\n');
      return EXIT.failed;
    }
  }
  return answer(io, flags, await ask(io, context, erasure, false), false);
}

const isGiven = (text: string | undefined): text is string => text !== undefined && text !== '';

/** What else was said on the command line, for a command to copy; without the choice of a file. */
function givenFlags({ agent, allAgents, dryRun, yes, json }: EraseFlags): string {
  const words = [isGiven(agent) ? `--agent ${agent}` : '', allAgents === true ? '--all-agents' : '', dryRun === true ? '--dry-run' : '', yes === true ? '--yes' : '', json === true ? '--json' : ''];
  return words.filter((word) => word !== '').map((word) => ` ${word}`).join('');
}

function erasureOf(flags: EraseFlags, context: CliContext): Erasure {
  const word = flags.subject.trim();
  if (word === '') throw new SessionError('VALIDATION', 'Name a session key or a peer.');
  const byPath = isGiven(flags.store);
  const command = `openclaw sessions erase ${word}${flags.peer === true ? ' --peer' : ''}${givenFlags(flags)}`;
  if (flags.peer === true || !looksLikeKey(word)) {
    // Whoever is to be gone is to be gone everywhere.
    const isEverywhere = !byPath && !isGiven(flags.agent);
    return { subject: { peer: word }, stores: selectStores(isEverywhere ? { allAgents: true } : flags, context).stores, byPath, agentId: isGiven(flags.agent) ? flags.agent : undefined, command };
  }
  const named = parseSessionKey(word).agentId;
  const isKnown = named !== undefined && configuredAgents(context.config).ids.some((id) => id === named);
  const { stores } = selectStores(byPath || isGiven(flags.agent) || !isKnown ? flags : { agent: named }, context);
  const [store] = stores;
  if (store === undefined) throw new SessionError('INTERNAL', 'a selection has at least one store');
  const { agentId } = store;
  const { scope, mainKey } = context.config.session;
  const { key } = toRequestKey({ key: word, defaultAgentId: agentId, scope, mainKey });
  // In its own letters: a store may have another's session in small ones.
  const spelled = named === undefined ? `agent:${agentId}:${word}` : word;
  return { subject: { key: normaliseSessionKey(spelled) === key ? spelled : key }, stores, byPath, agentId, command };
}

/** The gateway where one listens, else each store under its lock. */
async function ask(io: CliIo, context: CliContext, { subject, stores, byPath, agentId, command }: Erasure, dryRun: boolean): Promise<EraseDocument[]> {
  return whileWorking(io, dryRun ? 'looking for what an erasure would take' : 'erasing', async () => {
    const payload = byPath ? undefined : await askGateway(context, 'sessions.erase', { ...subject, ...(agentId !== undefined && { agentId }), ...(dryRun ? { dryRun: true } : { confirm: true }) });
    if (payload !== undefined) return documentsIn(payload);
    const documents: EraseDocument[] = [];
    for (const store of stores) {
      try {
        refuseBesideOwner(store, byPath ? 'a store named by --store is changed by nobody else' : 'no gateway answers', command);
        documents.push(await eraseLocally(io, context, store, subject, dryRun));
      } catch (error) {
        if (stores.length === 1) throw error;
        documents.push(refusedDocument(store, toSessionError(error)));
      }
    }
    return documents;
  });
}

function eraseLocally(io: CliIo, context: CliContext, store: StoreChoice, subject: Subject, dryRun: boolean): Promise<EraseDocument> {
  return withLocalOwner(context, store, () => io.nowMs(), async (owner) => {
    const { report } = await owner.store.erase(EraseRequest.create({ agentId: store.agentId, ...subject, dryRun }), { timeoutMs: owner.mutation().timeoutMs });
    if (report === undefined) throw new SessionError('INTERNAL', `No report of the store of agent ${store.agentId}.`);
    return eraseReport(report);
  });
}

/** The gateway's answer has the form of `--json`. */
function documentsIn(payload: JsonObject): EraseDocument[] {
  const { stores } = payload;
  const documents = Array.isArray(stores) ? (stores as readonly unknown[]).filter((store): store is JsonObject => isJsonObject(store)) : [];
  return documents as unknown as EraseDocument[];
}

function refusedDocument({ agentId, path }: StoreChoice, error: SessionError): EraseDocument {
  const { reason } = error;
  return { agentId, storePath: path, ok: false, found: false, keys: [], sharedKeys: [], otherSpellings: [], copies: [], left: [], places: [], receipt: null, error: { reason, message: toFailureDocument(error).error.message } };
}

/** @returns 1 where something is left, a store could not be asked, or nobody of that name was ever there. */
function answer(io: CliIo, flags: EraseFlags, stores: readonly EraseDocument[], dryRun: boolean): ExitCode {
  const isKnown = stores.some(({ found, receipt }) => found || receipt !== null);
  if (!isKnown && stores.every(({ ok }) => ok)) throw new SessionError('SESSION_NOT_FOUND', `Nothing is stored about ${keyText(flags.subject)}.`);
  const ok = stores.every((store) => store.ok);
  if (flags.json === true) io.out(`${JSON.stringify({ ok, dryRun, stores, notErased: NOT_ERASED }, null, 2)}\n`);
  else io.out(renderErased(stores, dryRun, flags.subject));
  for (const { error } of stores) if (error !== undefined) io.err(visibleText(`${error.message}\n`));
  return ok ? EXIT.ok : EXIT.failed;
}
