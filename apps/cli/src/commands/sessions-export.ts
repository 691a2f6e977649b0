/** `openclaw sessions export [key]`: one session, or all of an agent, as a portable archive. Reads only; needs no gateway. */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import type { ScopeFlags } from '../flags/list-flags';
import { exportArchive } from '../offline/export-archive';
import type { ExportReport } from '../offline/export-archive';
import { findSession } from '../offline/find-session';
import { writeNewFile } from '../offline/new-file';
import { readerOptions, readStore } from '../offline/read-store';
import { selectStores } from '../offline/select-stores';
import type { StoreChoice } from '../offline/select-stores';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { SessionError, fileStamp } from '@sessions/domain';
import { openStoreReader } from '@sessions/store';
import type { ReadEntry } from '@sessions/store';
import { resolve } from 'node:path';

/** Keys that are named one by one. */
const NAMED_MAX = 10;
const PROGRESS_MS = 1000;

export interface ExportArchiveFlags extends ScopeFlags {
  /** Absent: every session of the agent. */
  readonly key?: string | undefined;
  readonly output?: string | undefined;
  readonly json?: boolean | undefined;
}

/** @throws SESSION_NOT_FOUND, VALIDATION, TOO_LARGE, DAMAGED, STORE_UNREADABLE; no archive is left then */
export async function runSessionsExport(io: CliIo, flags: ExportArchiveFlags): Promise<ExitCode> {
  const context = loadCliContext(io);
  const nowMs = io.nowMs();
  const { store, entries, close, name } = await chosen(flags, context);
  try {
    const output = resolve(io.cwd, flags.output ?? `openclaw-sessions-${name}-${fileStamp(nowMs)}.tar`);
    let toldAtMs = performance.now();
    const report = await writeNewFile(output, (file) =>
      exportArchive({
        store,
        entries,
        file,
        nowMs,
        onProgress: (sessions, bytes) => {
          if (performance.now() - toldAtMs < PROGRESS_MS) return;
          toldAtMs = performance.now();
          io.err(`exporting agent ${store.agentId}: ${String(sessions)} sessions, ${String(bytes)} bytes\n`);
        },
      }),
    );
    if (flags.json === true) io.out(`${JSON.stringify({ ok: true, agentId: store.agentId, output, ...report }, null, 2)}\n`);
    else io.out(textOf(output, report));
    return EXIT.ok;
  } finally {
    close();
  }
}

interface Chosen {
  readonly store: StoreChoice;
  /** From the first, each time. */
  readonly entries: () => Iterable<ReadEntry>;
  readonly close: () => void;
  /** For the archive's name. */
  readonly name: string;
}

async function chosen(flags: ExportArchiveFlags, context: ReturnType<typeof loadCliContext>): Promise<Chosen> {
  if (flags.key !== undefined && flags.key !== '') {
    const { store, key, entry } = await findSession(context, flags, flags.key);
    const found = await readStore(store, (reader) => reader.firstExisting([key]));
    if (found === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${flags.key}`);
    const id = entry['sessionId'] ?? entry['uuid'];
    return { store, entries: () => [found], close: () => undefined, name: typeof id === 'string' ? id.slice(0, 8) : 'session' };
  }
  const [store] = selectStores(flags, context).stores;
  if (store === undefined) throw new SessionError('INTERNAL', 'a selection has at least one store');
  // What is told in the error of a store that cannot be read is the same for every command.
  await readStore(store, () => undefined);
  const reader = await openStoreReader(readerOptions(store));
  if (reader.source === 'none') {
    reader.close();
    throw new SessionError('SESSION_NOT_FOUND', `Agent ${store.agentId} has no sessions to export.`);
  }
  return { store, entries: () => reader.entries(), close: () => reader.close(), name: store.agentId };
}

const transcriptsOf = (count: number): string => `${String(count)} ${count === 1 ? 'transcript' : 'transcripts'}`;

function textOf(output: string, { sessions, lines, bytes, sha256, leftOutBytes, withoutTranscript, earlierTranscripts, earlierLeftOut }: ExportReport): string {
  const named = withoutTranscript.slice(0, NAMED_MAX).map(keyText).join(', ');
  const out = [
    `Exported ${String(sessions)} ${sessions === 1 ? 'session' : 'sessions'}, ${String(lines)} lines of transcript.`,
    `Archive: ${visibleText(output)} (${String(bytes)} bytes)`,
    `Hash over all hashes: ${sha256}`,
    ...(leftOutBytes === 0 ? [] : [`Left out: ${String(leftOutBytes)} bytes of unfinished lines.`]),
    ...(withoutTranscript.length === 0 ? [] : [`Without a transcript: ${String(withoutTranscript.length)} (${named}${withoutTranscript.length > NAMED_MAX ? ', …' : ''})`]),
    ...(earlierTranscripts === 0 ? [] : [`With ${transcriptsOf(earlierTranscripts)} from before compactions.`]),
    ...(earlierLeftOut === 0 ? [] : [`Not in it: ${transcriptsOf(earlierLeftOut)} from before compactions, which ${earlierLeftOut === 1 ? 'is' : 'are'} missing or beyond what an archive carries. What was said there goes on as a summary; keep this store.`]),
    'What it holds is unredacted. Bring it in elsewhere with: openclaw sessions import <archive>',
  ];
  return out.map((line) => `${line}\n`).join('');
}
