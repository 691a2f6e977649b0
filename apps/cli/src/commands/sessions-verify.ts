/** `openclaw sessions verify`: does everything that a store consists of agree? */
import { loadCliContext } from '../cli-context';
import { COLUMNS_WITHOUT_TERMINAL, EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { toFailureDocument, toSessionError } from '../failure';
import type { ScopeFlags } from '../flags/list-flags';
import { nativeBindingPath } from '../offline/native-binding';
import { repairOneStore } from '../offline/repair-stores';
import type { RepairedStore } from '../offline/repair-stores';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { renderStoreReport } from '../render/verify-text';
import { visibleText } from '../render/visible-text';
import type { SessionError } from '@sessions/domain';
import { livingOwner, verifyStore } from '@sessions/store';
import type { StoreReport, VerifyProgress } from '@sessions/store';

export interface VerifyFlags extends ScopeFlags {
  readonly repair?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** A store that takes longer says on stderr how far it is, and again after each such time. */
const PROGRESS_EVERY_MS = 1000;

function progressOn(io: CliIo): (progress: VerifyProgress) => void {
  let nextAtMs = io.nowMs() + PROGRESS_EVERY_MS;
  return ({ agentId, phase, doneCount }) => {
    const nowMs = io.nowMs();
    if (nowMs < nextAtMs) return;
    nextAtMs = nowMs + PROGRESS_EVERY_MS;
    io.err(`verifying agent ${agentId}: ${phase}, ${doneCount} checked\n`);
  };
}

/** Never throws for what it finds: an unreadable store is a finding. */
export function verifyOneStore({ agentId, path }: StoreChoice, io: CliIo): Promise<StoreReport> {
  return verifyStore(agentId, path, {
    nowMs: () => io.nowMs(),
    live: isLive(agentId, path),
    nativeBinding: nativeBindingPath(),
    onProgress: progressOn(io),
  });
}

/** An owner record that is none says nothing about a living owner. */
function isLive(agentId: string, path: string): boolean {
  try {
    return livingOwner(agentId, path) !== undefined;
  } catch {
    return false;
  }
}

export async function runSessionsVerify(io: CliIo, flags: VerifyFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const { stores } = selectStores(flags, context);
  const byPath = flags.store !== undefined && flags.store !== '';
  const results: RepairedStore[] = [];
  const refused: { readonly store: StoreChoice; readonly error: SessionError }[] = [];
  for (const store of stores) {
    try {
      const repaired = flags.repair === true ? await repairOneStore(context, store, { nowMs: () => io.nowMs(), byPath }) : undefined;
      results.push(repaired ?? { report: await verifyOneStore(store, io), done: undefined });
    } catch (error) {
      if (stores.length === 1) throw error;
      refused.push({ store, error: toSessionError(error) });
    }
  }
  const ok = refused.length === 0 && results.every(({ report }) => report.ok);
  if (flags.json === true) {
    const document = {
      ok,
      stores: results.map(({ report, done }) => ({ ...report, ...(done !== undefined && { done }) })),
      ...(refused.length > 0 && { refused: refused.map(({ store, error }) => ({ ...store, error: toFailureDocument(error).error })) }),
    };
    io.out(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    io.out(results.map(({ report, done }) => renderStoreReport(report, done, io.columns() ?? COLUMNS_WITHOUT_TERMINAL)).join('\n'));
  }
  for (const { error } of refused) io.err(visibleText(`${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`));
  return ok ? EXIT.ok : EXIT.failed;
}
