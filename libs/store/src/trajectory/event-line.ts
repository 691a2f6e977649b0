/** One event of a run as a line of its session's trajectory, without credentials and image data. Pure. */
import { TRAJECTORY_EVENT_BYTES_MAX, boundedTrajectoryData, oversizedTrajectoryData, type JsonObject } from '@sessions/domain';
import { redactJson, type Redaction } from './redact';
import { TRAJECTORY_SCHEMA } from './trajectory-file';

const SCHEMA_VERSION = 1;
/** Places stay: they are in the transcript too, and an export takes them out. */
const CREDENTIALS_ONLY: Redaction = { places: [], secrets: [] };

/** What one attempt at a run noted. */
export interface TrajectoryNote {
  readonly type: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Ordinal within the attempt, from 1. */
  readonly seq: number;
  readonly attempt: number;
  readonly provider?: string | undefined;
  readonly modelId?: string | undefined;
  readonly modelApi?: string | undefined;
  readonly data?: JsonObject | undefined;
}

export interface NotedRun {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly runId: string;
  readonly workspaceDir: string;
}

/** @param sourceSeq ordinal in the file. @returns with its newline, at most TRAJECTORY_EVENT_BYTES_MAX and one. */
export function eventLine(note: TrajectoryNote, run: NotedRun, sourceSeq: number): Buffer {
  const { type, atMs, seq, provider, modelId, modelApi, data } = note;
  const { sessionId, sessionKey, runId, workspaceDir } = run;
  const head = { traceSchema: TRAJECTORY_SCHEMA, schemaVersion: SCHEMA_VERSION, traceId: sessionId, source: 'runtime', type, ts: new Date(atMs).toISOString(), seq, sourceSeq, sessionId, sessionKey, runId, workspaceDir, provider, modelId, modelApi };
  const lineOf = (held: JsonObject | undefined): Buffer => Buffer.from(`${JSON.stringify({ ...head, data: held })}\n`, 'utf8');
  const line = lineOf(data === undefined ? undefined : (redactJson(boundedTrajectoryData(data), CREDENTIALS_ONLY) as JsonObject));
  return line.length <= TRAJECTORY_EVENT_BYTES_MAX ? line : lineOf(oversizedTrajectoryData(line.length));
}
