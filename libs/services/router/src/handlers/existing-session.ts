/** The row that a request to an existing session means. */
import { SessionRow } from '@sessions/contracts';
import { SessionError, evaluateSendPolicy } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { readEntry } from './describe-session';
import { resolveAddress } from './resolve-address';
import type { Address, AddressRequest } from './resolve-address';

export interface ExistingSession extends Address {
  readonly row: SessionRow;
  readonly entry: JsonObject;
}

/** @param text the sentence for a key or id that nobody has: from the key as it was sent, and as it is written */
export async function existingSession(
  deps: HandlerDeps,
  request: AddressRequest,
  context: CallContext,
  text: (asked: string, key: string) => string = (key) => `No session found: ${key}`,
): Promise<ExistingSession> {
  const asked = request.key ?? '';
  const unknown = (key = asked): SessionError => new SessionError('SESSION_NOT_FOUND', text(asked, key));
  const address = await resolveAddress(deps, request, context).catch((error: unknown) => {
    throw error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND' ? unknown() : error;
  });
  const found = await readEntry(deps, address, context, { withoutChildren: true });
  if (found?.encodedRow === undefined) throw unknown(address.key);
  const entry = JSON.parse(found.entryJson.toString('utf8')) as JsonObject;
  return { agentId: address.agentId, key: found.key, row: SessionRow.decode(found.encodedRow), entry };
}

/**
 * @param row absent for a session that is yet to be made
 * @throws SEND_DENIED where override, rules or default say so
 */
export function assertMaySend(deps: Pick<HandlerDeps, 'config'>, { key, row }: { readonly key: string; readonly row?: SessionRow | undefined }): void {
  const override = row?.sendPolicy === 'allow' || row?.sendPolicy === 'deny' ? row.sendPolicy : undefined;
  const verdict = evaluateSendPolicy(deps.config().session.sendPolicy, {
    key,
    ...(override !== undefined && { override }),
    ...(row?.channel !== undefined && { channel: row.channel }),
    ...(row?.chatType !== undefined && { chatType: row.chatType }),
  });
  if (verdict === 'deny') throw new SessionError('SEND_DENIED', 'send blocked by session policy');
}

/** The session when there is one. */
export function findSession(deps: HandlerDeps, request: AddressRequest, context: CallContext): Promise<ExistingSession | undefined> {
  return existingSession(deps, request, context).catch((error: unknown) => {
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return undefined;
    throw error;
  });
}
