/** `openclaw sessions info <key>`: what is stored about one session. */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { findSession } from '../offline/find-session';
import { readSessionFiles } from '../offline/session-files';
import type { FileFacts, SessionFiles } from '../offline/session-files';
import { formatLongAge } from '../render/age';
import { keyText } from '../render/key-text';
import { toCliRow } from '@sessions/domain';
import { visibleText } from '../render/visible-text';
import { formatTokens } from '../render/tokens';

export interface InfoFlags extends ScopeFlags {
  readonly key: string;
  readonly json?: boolean | undefined;
}

const fileLines = (title: string, files: readonly FileFacts[]): string[] => files.map(({ file, bytes }) => `${title}: ${file} (${bytes} bytes)`);

function transcriptLine({ transcript }: SessionFiles): string {
  if (transcript === null) return 'Transcript: none';
  const damage = transcript.malformedLines === 0 ? '' : `, ${transcript.malformedLines} lines that cannot be parsed`;
  const pending = transcript.pendingBytes === 0 ? '' : `, ${transcript.pendingBytes} bytes of it in the journal alone`;
  const torn = transcript.tornTailBytes === 0 ? '' : `, ${transcript.tornTailBytes} bytes of an unfinished line`;
  return `Transcript: ${transcript.file} (${transcript.bytes} bytes, ${transcript.lines} lines, ${transcript.messages} messages${pending}${damage}${torn})`;
}

export async function runSessionsInfo(io: CliIo, flags: InfoFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const found = await findSession(context, flags, flags.key);
  const { store, warning } = found;
  const files = await readSessionFiles(found);
  if (flags.json === true) {
    io.out(`${JSON.stringify({ key: found.key, agentId: store.agentId, path: store.path, entry: found.entry, ...files, ...(warning !== undefined && { warnings: [warning] }) }, null, 2)}\n`);
    return EXIT.ok;
  }
  const named = (title: string, value: string | undefined): string[] => (value === undefined ? [] : [`${title}: ${visibleText(value)}`]);
  const row = found.row === undefined ? undefined : toCliRow(found.row, { config: context.config, agentId: store.agentId, nowMs: io.nowMs() });
  const facts = row === undefined ? ['This entry is kept and not listed.'] : [
    ...named('Session id', row.sessionId),
    ...named('Label', row.label),
    ...named('Name', row.displayName),
    ...named('Channel', row.channel),
    ...named('Status', row.status),
    `Kind: ${row.kind}`,
    `Last active: ${formatLongAge(row.ageMs)}`,
    `Model: ${visibleText([row.modelProvider, row.model ?? 'unknown'].filter((part) => part !== undefined && part !== null).join('/'))}`,
    `Tokens: ${formatTokens(row.totalTokens, row.contextTokens)}`,
  ];
  const lines = [
    `Session: ${keyText(found.key)}`,
    ...facts,
    `Session store: ${store.path}`,
    transcriptLine(files),
    ...fileLines('Beside it', files.sidecars),
    ...fileLines('Archive', files.archives),
  ];
  io.out(`${lines.join('\n')}\n`);
  if (warning !== undefined) io.err(`warning: ${visibleText(warning)}\n`);
  return EXIT.ok;
}
