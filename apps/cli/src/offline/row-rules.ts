/**
 * From a stored entry to the row that a listing shows: field names, order and fallbacks are those
 * that scripts know (compatibility page, measured); absent members are omitted.
 */
import type { ListedRow } from '../render/list-document';
import type { StoredEntry } from './offline-store';
import { cliRowKind, contextTokensFor, isAgentId, isJsonObject, isSessionId, modelFor, parseModelRef } from '@sessions/domain';
import type { AgentId, JsonObject, JsonValue, SessionConfig } from '@sessions/domain';

export interface CliRow extends ListedRow {
  readonly totalTokensFresh: boolean;
  readonly modelProvider: string | null;
  readonly providerOverride?: string;
  readonly modelOverride?: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly acpRuntime: boolean;
  readonly agentRuntime: { readonly id: string; readonly source: 'implicit' };
  readonly label?: string;
  readonly displayName?: string;
  readonly channel?: string;
  readonly status?: string;
}

export interface RowContext {
  readonly config: SessionConfig;
  /** Agent of keys that name none. */
  readonly agentId: AgentId;
  readonly nowMs: number;
}

/** Longest session id that a row shows, in UTF-16 units (measured). */
const SESSION_ID_LENGTH_MAX = 255;
/** Providers that are programs: their models are shown under the agent's own provider (measured). */
const PROGRAM_PROVIDERS: ReadonlySet<string> = new Set(['claude-cli', 'codex-cli', 'google-gemini-cli']);

const text = (value: JsonValue | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const count = (value: JsonValue | undefined): number | undefined => (typeof value === 'number' && value >= 0 ? value : undefined);

const isUnsafeId = (id: string): boolean => id === '' || id.length > SESSION_ID_LENGTH_MAX || /[/\\\0]/u.test(id) || id === '..' || id === '.';

/** Dates of the smaller format, as milliseconds. */
function instant(value: JsonValue | undefined): number | undefined {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(at) && at >= 0 ? at : undefined;
}

/** A value of the smaller format under the names of the native one; its own members stay. */
function fromSimple(entry: JsonObject, uuid: string): JsonObject {
  const state = isJsonObject(entry['state']) ? entry['state'] : {};
  const model = text(state['model']);
  const override = text(state['modelOverride']);
  const chosen = override === undefined ? undefined : parseModelRef(override);
  const activeAt = instant(entry['lastActive']);
  return {
    ...entry,
    sessionId: uuid,
    ...(activeAt !== undefined && { updatedAt: activeAt }),
    ...(model !== undefined && { model }),
    ...(chosen !== undefined && { modelOverride: chosen.model, providerOverride: chosen.provider }),
    ...(typeof state['activationMode'] === 'string' && { groupActivation: state['activationMode'] }),
  };
}

/** The entry under its native names; undefined for values that are kept in the file but never listed. */
export function listedEntry(value: JsonValue | undefined): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined;
  const { sessionId, uuid } = value;
  if (sessionId === undefined && typeof uuid === 'string') return isUnsafeId(uuid) ? undefined : fromSimple(value, uuid);
  return typeof sessionId === 'string' && !isUnsafeId(sessionId) ? value : undefined;
}

/** Null when absent; anything but a non-negative number counts as 0. */
export function listedUpdatedAt({ updatedAt }: JsonObject): number | null {
  if (updatedAt === undefined) return null;
  return typeof updatedAt === 'number' && updatedAt >= 0 ? updatedAt : 0;
}

/** An id that cannot name a transcript is shown only when the entry says where its transcript is. */
function shownSessionId(entry: JsonObject): string | undefined {
  const id = text(entry['sessionId']);
  return id !== undefined && (isSessionId(id) || text(entry['sessionFile']) !== undefined) ? id : undefined;
}

interface ShownModel {
  readonly provider: string | null;
  readonly model: string | null;
}

function shownModel(entry: JsonObject, configured: ReturnType<typeof modelFor>): ShownModel {
  const fallback = configured?.provider ?? null;
  const named = (name: string, provider: string | undefined): ShownModel => {
    if (provider !== undefined) return { provider: PROGRAM_PROVIDERS.has(provider) ? fallback : provider, model: name };
    const split = parseModelRef(name);
    return { provider: split.provider ?? fallback, model: split.model };
  };
  const override = text(entry['modelOverride']);
  if (override !== undefined) return named(override, text(entry['providerOverride']));
  const used = text(entry['model']);
  if (used !== undefined) return named(used, text(entry['modelProvider']));
  return { provider: fallback, model: configured?.model ?? null };
}

/** Members that a row repeats when they are of their type. */
function repeated(entry: JsonObject): Partial<CliRow> {
  const strings = (names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.flatMap((name) => (typeof entry[name] === 'string' ? [[name, entry[name]]] : [])));
  return {
    ...(typeof entry['systemSent'] === 'boolean' && { systemSent: entry['systemSent'] }),
    ...(typeof entry['abortedLastRun'] === 'boolean' && { abortedLastRun: entry['abortedLastRun'] }),
    ...strings(['thinkingLevel', 'verboseLevel', 'traceLevel', 'reasoningLevel', 'elevatedLevel', 'responseUsage', 'groupActivation']),
    ...(typeof entry['inputTokens'] === 'number' && { inputTokens: entry['inputTokens'] }),
    ...(typeof entry['outputTokens'] === 'number' && { outputTokens: entry['outputTokens'] }),
  };
}

export function toRow({ key, entry, messageCount }: StoredEntry, { config, agentId: storeAgentId, nowMs }: RowContext): CliRow {
  const named = /^agent:([^:]+):./u.exec(key)?.[1];
  const agentId = named !== undefined && isAgentId(named) ? named : storeAgentId;
  const updatedAt = listedUpdatedAt(entry);
  const shown = shownModel(entry, modelFor(config, agentId));
  const totalTokens = count(entry['totalTokens']) ?? null;
  const sessionId = shownSessionId(entry);
  const spawnedBy = text(entry['spawnedBy']);
  const chatType = text(entry['chatType']);
  const providerOverride = text(entry['providerOverride']);
  const modelOverride = text(entry['modelOverride']);
  const status = text(entry['status']);
  const label = text(entry['label']);
  const displayName = text(entry['displayName']);
  const channel = text(entry['channel']) ?? text(entry['provider']);
  return {
    key,
    updatedAt,
    ageMs: updatedAt === null || updatedAt === 0 ? null : nowMs - updatedAt,
    ...(sessionId !== undefined && { sessionId }),
    ...repeated(entry),
    totalTokens,
    totalTokensFresh: totalTokens !== null && entry['totalTokensFresh'] !== false,
    model: shown.model,
    modelProvider: shown.provider,
    ...(providerOverride !== undefined && { providerOverride }),
    ...(modelOverride !== undefined && { modelOverride }),
    contextTokens: count(entry['contextTokens']) ?? contextTokensFor(config, agentId),
    agentId,
    acpRuntime: false,
    agentRuntime: { id: shown.provider === 'openai' ? 'codex' : 'auto', source: 'implicit' },
    kind: cliRowKind(key, { ...(spawnedBy !== undefined && { spawnedBy }), ...(chatType !== undefined && { chatType }) }),
    ...(messageCount !== undefined && { messageCount }),
    ...(label !== undefined && { label }),
    ...(displayName !== undefined && { displayName }),
    ...(channel !== undefined && { channel }),
    ...(status !== undefined && { status }),
  };
}
