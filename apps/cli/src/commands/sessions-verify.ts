/** `openclaw sessions verify`: do the files of each store agree? */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { selectStores } from '../offline/select-stores';
import { verifyFiles } from '../offline/verify-files';
import type { StoreReport } from '../offline/verify-files';
import { SessionError } from '@sessions/domain';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';

export interface VerifyFlags extends ScopeFlags {
  readonly repair?: boolean | undefined;
  readonly json?: boolean | undefined;
}

function renderReport({ agentId, path, findings, totals }: StoreReport): string {
  const lines = [
    `Agent: ${agentId}`,
    `Session store: ${path}`,
    `Entries: ${totals.entries}, transcripts: ${totals.transcripts}, messages: ${totals.messages}, bytes: ${totals.bytes}`,
    ...findings.map(({ kind, key, file, detail, repair }) => visibleText(`${kind}: ${key === undefined ? (file ?? path) : keyText(key)}: ${detail}${repair === '' ? '' : ` (--repair: ${repair})`}`)),
    findings.length === 0 ? 'Everything agrees.' : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}.`,
  ];
  return `${lines.join('\n')}\n`;
}

export async function runSessionsVerify(io: CliIo, flags: VerifyFlags): Promise<ExitCode> {
  const { stores } = selectStores(flags, await loadCliContext(io));
  if (flags.repair === true) {
    throw new SessionError('UNSUPPORTED', 'This build cannot repair a store; nothing was changed.', { hint: 'openclaw sessions verify shows what is wrong.' });
  }
  const reports = stores.map(verifyFiles);
  const ok = reports.every(({ findings }) => findings.length === 0);
  io.out(flags.json === true ? `${JSON.stringify({ ok, stores: reports }, null, 2)}\n` : reports.map(renderReport).join('\n'));
  return ok ? EXIT.ok : EXIT.failed;
}
