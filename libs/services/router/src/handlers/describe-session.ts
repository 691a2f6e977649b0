/** DescribeSession: one row and its entry; empty for a key without a row. */
import { DescribeSessionResponse, EntryFilter, GetEntryRequest, ListEntriesRequest } from '@sessions/contracts';
import type { DescribeSessionRequest, GetEntryResponse } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';
import type { Address } from './resolve-address';

/** @throws SESSION_NOT_FOUND for a session id that no row has */
export async function describeSession(
  deps: HandlerDeps,
  request: DescribeSessionRequest,
  context: CallContext,
): Promise<DescribeSessionResponse> {
  const address = await resolveAddress(deps, request, context);
  const found = await readEntry(deps, address, context);
  if (found === undefined) return DescribeSessionResponse.create({});
  const { entryJson } = found;
  if (!request.includeDerivedTitles && !request.includeLastMessage) {
    return DescribeSessionResponse.create({ encodedRow: found.encodedRow, entryJson });
  }
  const titled = await deps.stores.read(
    'listEntries',
    ListEntriesRequest.create({
      agentId: address.agentId,
      filter: EntryFilter.create({ keys: [found.key], includeGlobal: true, includeUnknown: true, includeCronRuns: true }),
      limit: 1,
      includeDerivedTitles: request.includeDerivedTitles,
      includeLastMessage: request.includeLastMessage,
    }),
    context,
  );
  return DescribeSessionResponse.create({ encodedRow: titled.encodedRows[0] ?? found.encodedRow, entryJson });
}

/**
 * The whole entry under a key, put together from its parts; undefined when there is none.
 * @param what `withoutChildren`: the row as it is stored, without the keys of its children
 */
export async function readEntry(deps: HandlerDeps, address: Address, context: CallContext, what: { readonly withoutChildren?: boolean } = {}): Promise<GetEntryResponse | undefined> {
  if (!(await deps.agents.hasStore(address.agentId, context))) return undefined;
  const by = { $case: 'key' as const, value: address.key };
  const parts: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const part = await deps.stores.read(
      'getEntry',
      GetEntryRequest.create({ agentId: address.agentId, by, ...what, ...(bytes > 0 && { entryOffset: bytes }) }),
      context,
    );
    if (!part.found) return undefined;
    parts.push(part.entryJson);
    bytes += part.entryJson.length;
    if (bytes >= part.entryBytes || part.entryJson.length === 0) return { ...part, entryJson: Buffer.concat(parts) };
  }
}
