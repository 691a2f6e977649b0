/**
 * The export of one session: a bundle in a new directory inside its workspace. Reads the store beside
 * whoever owns it, writes nothing outside `.openclaw/trajectory-exports`, and leaves nothing behind when
 * it fails.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SessionError, isJsonObject } from '@sessions/domain';
import { openOfflineTranscript } from '../offline/offline-transcript';
import type { ReaderOptions } from '../offline/store-reader';
import { openContainedOutput } from './contained-output';
import { writeBundle, type Bundle } from './export-bundle';
import { createRedaction } from './redact';
import { trajectoryPath } from './trajectory-file';

/** Below a workspace. */
export const EXPORT_FOLDERS = ['.openclaw', 'trajectory-exports'];
const ID_SHOWN = 8;
const STAMP_LENGTH = 19;

export interface TrajectoryExport {
  readonly store: ReaderOptions;
  /** Transcript's name inside the store's directory; null: there is none. */
  readonly file: string | null;
  readonly sessionId: string;
  /** What the session was called where its first events were told; absent: the same. */
  readonly headerId?: string | undefined;
  readonly sessionKey: string;
  /** Absolute; the root that holds the export. */
  readonly workspace: string;
  /** It is the agent's own, and made where it is missing. */
  readonly makesWorkspace?: boolean;
  /** Relative name; undefined: made of the id and the time. */
  readonly name: string | undefined;
  readonly places: { readonly stateDir: string; readonly homeDir: string };
  /** Configured credentials: none of them leaves. */
  readonly secrets: readonly (string | undefined)[];
  readonly nowMs: number;
  readonly onProgress?: (events: number) => void;
  /** Of an export that may have been broken off and is made again under the same tag: what it finished is its result. */
  readonly resumes?: { readonly tag: string; readonly sinceMs: number };
}

export interface ExportedTrajectory {
  readonly bundle: Bundle;
  /** Absolute. */
  readonly outputDir: string;
  /** Below the workspace. */
  readonly displayPath: string;
}

/** Default name of an export. */
export function exportName(sessionId: string, nowMs: number): string {
  return `openclaw-trajectory-${sessionId.slice(0, ID_SHOWN)}-${new Date(nowMs).toISOString().slice(0, STAMP_LENGTH).replaceAll(':', '-')}`;
}

/** @throws VALIDATION, SESSION_NOT_FOUND, TOO_LARGE; nothing is left behind then */
export async function exportTrajectory(asked: TrajectoryExport): Promise<ExportedTrajectory> {
  const { store, file, sessionId, headerId, sessionKey, workspace, makesWorkspace, places, secrets, nowMs, onProgress, resumes } = asked;
  const name = asked.name ?? exportName(sessionId, nowMs);
  const displayPath = join(...EXPORT_FOLDERS, name);
  const done = resumes === undefined ? undefined : finishedBundle(join(workspace, displayPath), sessionId, resumes.sinceMs);
  if (done !== undefined) return { bundle: done, outputDir: join(workspace, displayPath), displayPath };
  const transcript = file === null ? undefined : await openOfflineTranscript(store, file);
  if (transcript === undefined) throw new SessionError('SESSION_NOT_FOUND', 'The session has no transcript to export.');
  try {
    const output = openContainedOutput(workspace, EXPORT_FOLDERS, name, { draftTag: resumes?.tag, makesWorkspace });
    try {
      const bundle = await writeBundle({
        sessionId,
        headerId,
        sessionKey,
        transcript,
        runtimePath: trajectoryPath({ directory: dirname(store.sessionsFile), sessionId, file }),
        directory: output.draft,
        redaction: createRedaction({ workspace, ...places }, secrets),
        nowMs,
        onProgress: onProgress ?? (() => undefined),
      });
      output.finish();
      return { bundle, outputDir: output.path, displayPath };
    } catch (error) {
      output.abandon();
      throw error;
    }
  } finally {
    await transcript.close();
  }
}

/** A bundle of this session that was finished since; undefined: there is none. */
function finishedBundle(directory: string, sessionId: string, sinceMs: number): Bundle | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
    if (!isJsonObject(manifest) || manifest['sessionId'] !== sessionId || !(Date.parse(String(manifest['generatedAt'])) >= sinceMs)) return undefined;
    const { eventCount, runtimeEventCount, transcriptEventCount, contents } = manifest as unknown as Bundle & { readonly contents: readonly { readonly path: string }[] };
    return { eventCount, runtimeEventCount, transcriptEventCount, files: ['manifest.json', ...contents.map(({ path }) => path)] };
  } catch {
    return undefined;
  }
}
