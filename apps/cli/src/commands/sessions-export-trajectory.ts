/** `openclaw sessions export-trajectory`: a bundle of one session's branch and trajectory inside its workspace, without a gateway. */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { findSession } from '../offline/find-session';
import type { FoundSession } from '../offline/find-session';
import { readerOptions } from '../offline/read-store';
import { keyText } from '../render/key-text';
import { visibleText } from '../render/visible-text';
import { SessionError, configuredSecrets, expandHome, headerIdOf, isJsonObject, workspaceFor } from '@sessions/domain';
import { exportTrajectory } from '@sessions/store';
import type { Bundle } from '@sessions/store';
import { resolve } from 'node:path';

const REQUEST_CHARS_MAX = 64 * 1024;

export interface ExportFlags {
  readonly sessionKey?: string | undefined;
  readonly workspace?: string | undefined;
  readonly output?: string | undefined;
  readonly agent?: string | undefined;
  readonly store?: string | undefined;
  readonly requestJsonBase64?: string | undefined;
  readonly json?: boolean | undefined;
}

/** @throws VALIDATION, SESSION_NOT_FOUND, TOO_LARGE; nothing is left behind then */
export async function runExportTrajectory(io: CliIo, given: ExportFlags): Promise<ExitCode> {
  const flags = { ...given, ...requestOf(given.requestJsonBase64) };
  const { sessionKey } = flags;
  if (sessionKey === undefined || sessionKey === '') throw new SessionError('VALIDATION', '--session-key is required.', { facts: { option: '--session-key' } });
  const context = loadCliContext(io);
  const found = await findSession(context, flags, sessionKey);
  const id = found.entry['sessionId'] ?? found.entry['uuid'];
  if (found.file === null || typeof id !== 'string') throw noTranscript(found.key);
  const exported = await exportTrajectory({
    store: readerOptions(found.store),
    file: found.file,
    sessionId: id,
    headerId: headerIdOf(found.entry, id),
    sessionKey: found.key,
    workspace: workspaceOf(context, found, flags.workspace),
    // A typed name that is wrong is no wish for a directory.
    makesWorkspace: given.workspace === undefined,
    name: flags.output,
    places: context.places,
    secrets: configuredSecrets(context.config),
    nowMs: io.nowMs(),
    onProgress: (events) => {
      if (flags.json !== true && io.columns() !== undefined) io.err(`${String(events)} events\n`);
    },
  }).catch((error: unknown) => {
    throw error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND' ? noTranscript(found.key) : error;
  });
  report(io, flags.json === true, { ...exported, sessionId: id, sessionKey: found.key });
  return EXIT.ok;
}

const noTranscript = (key: string): SessionError => new SessionError('SESSION_NOT_FOUND', `Session ${keyText(key)} has no transcript to export.`);

function report(io: CliIo, json: boolean, { bundle, ...where }: { readonly bundle: Bundle; readonly sessionId: string; readonly sessionKey: string; readonly outputDir: string; readonly displayPath: string }): void {
  if (json) return io.out(`${JSON.stringify({ ok: true, outputDir: where.outputDir, displayPath: where.displayPath, sessionId: where.sessionId, sessionKey: where.sessionKey, ...bundle }, null, 2)}\n`);
  const lines = [
    `Exported session ${keyText(where.sessionKey)} (${where.sessionId})`,
    `Directory: ${where.outputDir}`,
    `Events: ${String(bundle.eventCount)} (${String(bundle.runtimeEventCount)} of the runtime, ${String(bundle.transcriptEventCount)} of the transcript)`,
    `Files: ${bundle.files.join(', ')}`,
    'The bundle holds prompts and tool results; known credentials and places are redacted. Look before you share it.',
  ];
  io.out(lines.map((line) => `${visibleText(line)}\n`).join(''));
}

function workspaceOf({ config, places, cwd }: CliContext, { store }: FoundSession, given: string | undefined): string {
  return resolve(cwd, given === undefined ? workspaceFor(config, store.agentId, places) : expandHome(given, places.homeDir));
}

/** What the chat command hands over, instead of flags. @throws VALIDATION */
function requestOf(encoded: string | undefined): Partial<ExportFlags> {
  if (encoded === undefined) return {};
  let value: unknown;
  try {
    if (encoded.length <= REQUEST_CHARS_MAX) value = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (!isJsonObject(value)) throw new SessionError('VALIDATION', '--request-json-base64 must be a JSON object in base64url.', { facts: { option: '--request-json-base64' } });
  const request = value;
  return Object.fromEntries(['sessionKey', 'output', 'store', 'agent', 'workspace'].flatMap((name) => (typeof request[name] === 'string' ? [[name, request[name]]] : [])));
}
