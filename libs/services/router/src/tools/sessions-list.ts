/** `sessions_list`: rows that the caller may see, newest first; of all others not even a count. */
import path from 'node:path';
import { EntryFilter, GetHistoryRequest, ListEntriesRequest, SessionRow } from '@sessions/contracts';
import type { ListEntriesResponse } from '@sessions/contracts';
import { TOOL_KINDS, contextTokensFor, mainSessionKey, modelFor, parseListArguments, safeHistory, slugAgentId, toToolRow, toolRowKind } from '@sessions/domain';
import type { AgentId, JsonObject, ListArguments, ToolRowKind } from '@sessions/domain';
import { linksOfRow, withShownLinks } from '../auth/shown-links';
import { shownPath } from '../auth/shown-path';
import { readPage } from '../handlers/get-history';
import { messagesOf } from './messages-of';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

const STORE_PAGE_ROWS = 500;
const STORES_AT_ONCE = 8;
/** Sessions whose messages are read at a time. */
const READ_AT_ONCE = 8;
/** Messages of all rows, bytes of JSON; rows behind it have none. */
const MESSAGES_BYTES_MAX = 400 * 1024;
const MINUTE_MS = 60_000;

interface Found {
  readonly row: SessionRow;
  readonly storeDir: string;
}

export async function sessionsList(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const asked = argumentsOf(parseListArguments(raw));
  const { sight } = call.caller;
  const found = (await findRows(call, asked)).sort((a, b) => (b.row.updatedAtMs ?? -1) - (a.row.updatedAtMs ?? -1)).slice(0, asked.limit);
  const hidden = await hiddenLinks(call, found);
  const shown = found.map((one) => shownRow(call, { ...one, row: withShownLinks(one.row, (key) => hidden.has(`${one.row.agentId} ${key}`)) }));
  const sessions = asked.messageLimit > 0 ? await withMessages(call, found, shown, asked.messageLimit) : shown;
  const isRestricted = sight.range !== 'all';
  return {
    details: {
      count: sessions.length,
      sessions,
      ...(isRestricted && { visibility: { mode: sight.range, restricted: true, warning: `Only sessions within visibility "${sight.range}" are listed; there may be others (tools.sessions.visibility).` } }),
    },
  };
}

/** Keys that rows name of sessions which the caller may not know of, each after the agent of its row. */
async function hiddenLinks({ caller: { sight } }: ToolCall, found: readonly Found[]): Promise<ReadonlySet<string>> {
  const links = new Map<string, string[]>();
  for (const { row } of found) links.set(row.agentId, [...(links.get(row.agentId) ?? []), ...linksOfRow(row)]);
  const hidden = await Promise.all([...links].map(async ([agentId, keys]) => [...(await sight.hiddenOf(keys, agentId))].map((key) => `${agentId} ${key}`)));
  return new Set(hidden.flat());
}

/** Newest rows of each store, `limit` of each at most. */
async function findRows(call: ToolCall, asked: ListArguments): Promise<Found[]> {
  const { deps, caller, context } = call;
  const { sight } = caller;
  const wanted = asked.agentId === undefined ? undefined : slugAgentId(asked.agentId);
  const known = (await deps.agents.list(context)).filter(({ agentId, hasStore }) => hasStore && (wanted === undefined || agentId === wanted)).map(({ agentId }) => agentId);
  const whole = known.filter((agentId) => sight.seesAllOf(agentId));
  const tree = sight.range === 'self' || whole.length === known.length ? [] : await sight.tree();
  const lists = known.flatMap((agentId): { readonly agentId: string; readonly keys: string[] }[] => {
    if (whole.includes(agentId)) return [{ agentId, keys: [] }];
    const keys = sight.range === 'self' ? (agentId === caller.agentId ? [caller.row?.key ?? caller.key] : []) : tree.filter((row) => row.agentId === agentId).map(({ key }) => key);
    return keys.length === 0 ? [] : [{ agentId, keys }];
  });
  const found: Found[] = [];
  for (let from = 0; from < lists.length; from += STORES_AT_ONCE) {
    found.push(...(await Promise.all(lists.slice(from, from + STORES_AT_ONCE).map((list) => readRows(call, list, asked)))).flat());
  }
  return found;
}

/** @param keys only these; empty: all of the store */
async function readRows({ deps, context }: ToolCall, { agentId, keys }: { readonly agentId: string; readonly keys: string[] }, asked: ListArguments): Promise<Found[]> {
  const { mainKey, scope } = deps.config().session;
  const filter = EntryFilter.create({ keys, includeGlobal: scope === 'global', label: asked.label, search: asked.search, activeWithinMs: asked.activeMinutes === undefined ? undefined : asked.activeMinutes * MINUTE_MS });
  const found: Found[] = [];
  for (let offset: number | undefined = 0; offset !== undefined && found.length < asked.limit; ) {
    const page: ListEntriesResponse = await deps.stores.read(
      'listEntries',
      ListEntriesRequest.create({ agentId, filter, sort: 'updated_desc', limit: STORE_PAGE_ROWS, offset, includeDerivedTitles: asked.includeDerivedTitles, includeLastMessage: asked.includeLastMessage }),
      context,
    );
    for (const bytes of page.encodedRows) {
      const row = SessionRow.decode(bytes);
      // Previews and titles may come with a row that nobody asked them of.
      if (!asked.includeDerivedTitles) row.derivedTitle = undefined;
      if (!asked.includeLastMessage) row.lastMessagePreview = undefined;
      if (isWanted(asked.kinds, row.key, mainKey)) found.push({ row, storeDir: path.dirname(shownPath(page.path, context.scopes, deps.stateDir)) });
    }
    offset = page.encodedRows.length === 0 ? undefined : page.nextOffset;
  }
  return found.slice(0, asked.limit);
}

const isWanted = (kinds: readonly ToolRowKind[], key: string, mainKey: string): boolean => kinds.length === TOOL_KINDS.length || kinds.includes(toolRowKind(key, mainKey));

function shownRow({ deps, caller }: ToolCall, { row, storeDir }: Found): JsonObject {
  const config = deps.config();
  const agentId = row.agentId as AgentId;
  const own = modelFor(config, agentId);
  return toToolRow(row, {
    mainKey: config.session.mainKey,
    isOwnMain: row.agentId === caller.agentId && row.key === mainSessionKey(caller.agentId, config.session.scope),
    storeDir,
    defaultModel: own === undefined ? undefined : [own.provider, own.model].filter((part) => part !== undefined).join('/'),
    defaultContextTokens: contextTokensFor(config, agentId),
  });
}

/** Tool results are never among them. A row whose messages cannot be read, or find no room, is without `messages`. */
async function withMessages({ deps, context }: ToolCall, found: readonly Found[], shown: readonly JsonObject[], limit: number): Promise<readonly JsonObject[]> {
  const rows = [...shown];
  const { rawHistory } = deps.config().tools.sessions;
  let bytesLeft = MESSAGES_BYTES_MAX;
  for (let from = 0; from < found.length && bytesLeft > 0; from += READ_AT_ONCE) {
    const some = found.slice(from, from + READ_AT_ONCE);
    const pages = await Promise.all(some.map(({ row: { key, agentId } }) => readPage(deps, GetHistoryRequest.create({ key, agentId, limit, includeTools: false }), { ...context, caller: 'service:router/tools' }).catch(() => undefined)));
    for (const [place, page] of pages.entries()) {
      // One that cannot be read has no messages that could be shown, which is not the same as an empty one.
      if (page === undefined) continue;
      const { messages, bytes } = safeHistory(messagesOf(page.records), { isRaw: rawHistory, includeTools: false });
      bytesLeft -= bytes;
      if (bytesLeft < 0) break;
      rows[from + place] = { ...rows[from + place], messages };
    }
  }
  return rows;
}
