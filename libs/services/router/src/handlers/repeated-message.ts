/** Messages that were said before: under the same key, or in the same words to a turn that is at work on them. */
import { GetHistoryRequest, ListPendingRequest } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { findRun } from './find-run';
import { readPage } from './get-history';
import type { Address } from './resolve-address';

/** Messages of the session that are looked through for the one that an active run answers. */
const LOOKED_AT_MAX = 200;

/** What a client is told whose idempotency key was seen before: its run goes on, or is over. */
export async function repeatStatus(deps: HandlerDeps, runId: string, agentId: string, context: CallContext): Promise<'in_flight' | 'ok'> {
  const found = await findRun(deps, { runId, agentId }, context);
  return found === undefined || found.run.state === 'ended' ? 'ok' : 'in_flight';
}

/** The active run that answers a message of exactly this text; undefined: none does. */
export async function activeRunOfText(deps: HandlerDeps, { agentId, key }: Address, text: string, context: CallContext): Promise<string | undefined> {
  const { turns } = await deps.stores.read('listPending', ListPendingRequest.create({ agentId, kinds: ['turn'], key, limit: LOOKED_AT_MAX }), context);
  // The first of its key, whether a runner has begun it or not.
  const active = turns.find(({ run }) => run?.position === undefined && run?.messageId !== undefined)?.run;
  if (active === undefined) return undefined;
  const { records } = await readPage(deps, GetHistoryRequest.create({ key, agentId, limit: LOOKED_AT_MAX, includeTools: true }), context);
  const record = records.find(({ recordId }) => recordId === active.messageId);
  return record !== undefined && textOfLine(record.lineJson) === text.trim() ? active.runId : undefined;
}

function textOfLine(lineJson: Uint8Array): string | undefined {
  const line = JSON.parse(Buffer.from(lineJson).toString('utf8')) as JsonValue;
  const message = isJsonObject(line) ? line.message : undefined;
  const content = isJsonObject(message) ? message.content : undefined;
  if (typeof content === 'string') return content.trim();
  // Beside an image it is another message than without.
  const [block, more] = Array.isArray(content) ? content : [];
  return isJsonObject(block) && more === undefined && typeof block.text === 'string' ? block.text.trim() : undefined;
}
