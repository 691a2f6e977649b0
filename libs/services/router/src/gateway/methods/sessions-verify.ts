/**
 * `sessions.verify`: what the owners of stores find in them, in the form of `sessions verify --json`;
 * with `repair` after they have mended what can be mended without losing anything.
 */
import { RepairRequest, VerifyRequest } from '@sessions/contracts';
import type { Finding, RepairDeed, VerifyTotals } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { STREAM_DEADLINE_MS, toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../../deps';
import { shownPath } from '../../auth/shown-path';
import { agentsToRead } from '../../handlers/resolve-address';
import { toFrameError } from '../gateway-frames';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

interface Look {
  readonly findings: readonly Finding[];
  readonly totals: VerifyTotals;
  /** What a repair did; undefined when none was asked for. */
  readonly deeds: readonly RepairDeed[] | undefined;
}

/**
 * One agent, or all that have a store, one after the other.
 * @throws the refusal of the store when it is the only one; of several it stands in `refused`
 */
export const sessionsVerify: GatewayMethod = async (deps, { params, context }) => {
  const agents = await agentsToRead(deps, { agentId: textOf(params, 'agentId'), all: true, discover: true }, context);
  const stores: ReturnType<typeof toReport>[] = [];
  const refused: object[] = [];
  for (const { agentId, storePath } of agents) {
    // A look at a large store outlasts other requests.
    const patient = { ...context, deadlineAtMs: deps.bus.clock.nowMs() + STREAM_DEADLINE_MS };
    try {
      const look = flagOf(params, 'repair') ? await repair(deps, agentId, flagOf(params, 'deep'), patient) : await verify(deps, agentId, flagOf(params, 'deep'), patient);
      stores.push(toReport(agentId, look, (path) => shownPath(path, context.scopes, deps.stateDir)));
    } catch (thrown) {
      if (agents.length === 1) throw thrown;
      const { code, message, details } = toFrameError(toSessionError(thrown));
      refused.push({ agentId, path: shownPath(storePath, context.scopes, deps.stateDir), error: { code, message, details } });
    }
  }
  return { payload: { ok: refused.length === 0 && stores.every(({ ok }) => ok), stores, ...(refused.length > 0 && { refused }) } };
};

async function verify(deps: HandlerDeps, agentId: string, deep: boolean, context: CallContext): Promise<Look> {
  const findings: Finding[] = [];
  let totals: VerifyTotals | undefined;
  for await (const { item } of deps.stores.verify(VerifyRequest.create({ agentId, deep }), context)) {
    if (item?.$case === 'finding') findings.push(item.value);
    else totals = item?.value;
  }
  return { findings, totals: given(totals, agentId), deeds: undefined };
}

async function repair(deps: HandlerDeps, agentId: string, deep: boolean, context: CallContext): Promise<Look> {
  const request = RepairRequest.create({ agentId, deep });
  const { remaining, totals, deeds } = await deps.stores.mutate('repair', request, context, { part: agentId, budgetMs: STREAM_DEADLINE_MS });
  return { findings: remaining, totals: given(totals, agentId), deeds };
}

function given(totals: VerifyTotals | undefined, agentId: string): VerifyTotals {
  if (totals !== undefined) return totals;
  throw new SessionError('INTERNAL', `the owner of the store of agent ${agentId} gave no totals`, { facts: { agentId } });
}

function toReport(agentId: string, { findings, totals, deeds }: Look, shown: (path: string) => string) {
  const { ok, path, entries, sessionsFileBytes, transcripts, bytes, lines, messages, malformedLines, archives, archiveBytes, orphans, findingsOmitted } = totals;
  return {
    agentId,
    path: shown(path),
    ok,
    findings: findings.map(({ kind, key, path: file, detail, repair: remedy }) => ({
      kind,
      ...(key !== undefined && { key }),
      ...(file !== undefined && { file }),
      detail,
      repair: remedy,
    })),
    totals: { entries, sessionsFileBytes, transcripts, transcriptBytes: bytes, lines, messages, malformedLines, archives, archiveBytes, orphans, findingsOmitted },
    ...(deeds !== undefined && {
      done: deeds.map(({ deed, file, key }) => ({ do: deed, ...(file !== undefined && { file }), ...(key !== undefined && { key }) })),
    }),
  };
}
