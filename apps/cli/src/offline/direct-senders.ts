/** Who has written direct messages, as the rows of a store tell: for the warning that strangers share a session. */
import type { CliContext } from '../cli-context';
import { readRows } from './read-rows';
import { selectStores } from './select-stores';
import { SessionRow } from '@sessions/contracts';
import { SEVERAL_SENDERS_MEMBER, SessionError, dmScopeWarning, isJsonObject } from '@sessions/domain';
import type { DmScopeWarning } from '@sessions/domain';

/** Rows of a store, newest first, in which senders are looked for. */
export const SENDER_ROWS_MAX = 1000;
/** Stores that are looked at when a gateway starts. */
const STORES_AT_START_MAX = 20;
/** Stands for whoever wrote before the last one: an entry does not keep who that was. */
const ANOTHER = '(another)';

/** `origin.from` of the direct message that last touched the session, and whether others came before it. */
export function directSenders(row: SessionRow): readonly string[] {
  const origin = parsed(row.originJson);
  const sender = isJsonObject(origin) && origin['chatType'] === 'direct' && typeof origin['from'] === 'string' ? [origin['from']] : [];
  const extra = parsed(row.extraJson);
  return isJsonObject(extra) && extra[SEVERAL_SENDERS_MEMBER] === true ? [...sender, ANOTHER] : sender;
}

/** For the start of a gateway: looks only as far as it must, and passes over stores that cannot be read. */
export async function sharedSessionWarning(context: CliContext): Promise<DmScopeWarning | undefined> {
  const { session } = context.config;
  if (session.dmScope !== 'main' || session.scope === 'global') return undefined;
  const senders: string[] = [];
  for (const { agentId, path } of selectStores({ allAgents: true }, context).stores.slice(0, STORES_AT_START_MAX)) {
    try {
      const { rows } = await readRows({ agentId, path }, { activeSinceMs: null, limit: SENDER_ROWS_MAX, decode: (encoded) => SessionRow.decode(encoded) });
      senders.push(...rows.flatMap(directSenders));
    } catch (error) {
      // Its owner says what is wrong with it.
      if (!(error instanceof SessionError)) throw error;
    }
    const warning = dmScopeWarning(session, senders);
    if (warning !== undefined) return warning;
  }
  return undefined;
}

function parsed(bytes: Uint8Array | undefined): unknown {
  return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString('utf8'));
}
