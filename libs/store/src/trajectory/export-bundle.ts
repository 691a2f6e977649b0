/**
 * A bundle of everything that one session's active branch and its trajectory say, in the order of time.
 * First the places of all events are gathered and sorted, then each is read, redacted and written: memory
 * grows with the number of events, never with their sizes.
 * Bounds: SOURCE_BYTES_MAX a source, LINE_BYTES_MAX a runtime event (a longer line is none), RUNTIME_EVENTS_MAX, EVENTS_MAX.
 */
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { createReadStream } from 'node:fs';
import { open, stat, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { OfflineTranscript } from '../offline/offline-transcript';
import { transcriptEvents } from './export-events';
import { redactJson, redactText } from './redact';
import { LINE_BYTES_MAX, TRAJECTORY_SCHEMA } from './trajectory-file';
import type { Redaction } from './redact';

export const SOURCE_BYTES_MAX = 2 * 1024 ** 3;
export const RUNTIME_EVENTS_MAX = 200_000;
export const EVENTS_MAX = 250_000;
/** Rows named in a warning. */
const WARNED_ROWS_MAX = 20;
const PROGRESS_EVERY = 10_000;
const NEWLINE = 0x0a;

export interface BundleRequest {
  readonly sessionId: string;
  /** Events under this id are the session's own as well: it was brought in under another one. */
  readonly headerId?: string | undefined;
  readonly sessionKey: string;
  readonly transcript: OfflineTranscript;
  /** Absent: the session has no trajectory. */
  readonly runtimePath: string | undefined;
  readonly directory: string;
  readonly redaction: Redaction;
  readonly nowMs: number;
  readonly onProgress: (events: number) => void;
}

export interface Bundle {
  readonly eventCount: number;
  readonly runtimeEventCount: number;
  readonly transcriptEventCount: number;
  readonly files: readonly string[];
}

interface Place {
  readonly source: 'runtime' | 'transcript';
  readonly atMs: number;
  /** Ordinal in its source. */
  readonly seq: number;
  readonly offset: number;
  readonly bytes: number;
}

/** @throws TOO_LARGE */
export async function writeBundle(request: BundleRequest): Promise<Bundle> {
  const { sessionId, headerId, sessionKey, transcript, runtimePath, directory, redaction, nowMs } = request;
  if (transcript.bytes > SOURCE_BYTES_MAX) throw tooLarge('transcript', transcript.bytes);
  const skipped: number[] = [];
  const runtime = runtimePath === undefined ? [] : await runtimePlaces(runtimePath, new Set([sessionId, headerId]), skipped);
  const { leafId, lines } = await transcript.branch();
  const contents: { path: string; mediaType: string; bytes: number }[] = [];
  const note = async (path: string, mediaType: string): Promise<void> => void contents.push({ path, mediaType, bytes: (await stat(join(directory, path))).size });

  const branch = await open(join(directory, 'session-branch.json'), 'wx', 0o600);
  const placed: Place[] = [];
  try {
    await branch.write(`{"leafId":${JSON.stringify(leafId)},"entries":[`);
    let lastAtMs = 0;
    for (const [index, line] of lines.entries()) {
      const text = await transcript.text(line);
      const [event] = transcriptEvents(text, index + 1);
      // A row without a time stands behind the one before it.
      lastAtMs = event?.atMs ?? lastAtMs;
      if (event !== undefined) placed.push({ source: 'transcript', atMs: lastAtMs, seq: index + 1, ...line });
      await branch.write(`${index === 0 ? '' : ','}\n${JSON.stringify(redactJson(JSON.parse(text) as JsonValue, redaction))}`);
    }
    await branch.write('\n]}\n');
  } finally {
    await branch.close();
  }
  if (runtime.length + placed.length > EVENTS_MAX) throw new SessionError('TOO_LARGE', `An export has at most ${String(EVENTS_MAX)} events.`, { facts: { events: runtime.length + placed.length } });

  const places = [...runtime, ...placed].sort((one, other) => one.atMs - other.atMs || (one.source === other.source ? one.seq - other.seq : one.source === 'runtime' ? -1 : 1));
  const kept = new Kept();
  const events = await open(join(directory, 'events.jsonl'), 'wx', 0o600);
  const source = runtimePath === undefined ? undefined : await open(runtimePath, 'r');
  let seq = 0;
  let transcriptEventCount = 0;
  try {
    for (const place of places) {
      const rows = place.source === 'runtime' ? [runtimeRow(await textAt(source as FileHandle, place), kept)] : transcriptRows(await transcript.text(place), place, { sessionId, sessionKey });
      if (place.source === 'transcript') transcriptEventCount += rows.length;
      for (const row of rows) {
        seq += 1;
        await events.write(`${JSON.stringify(redactJson({ ...row, seq }, redaction))}\n`);
        if (seq % PROGRESS_EVERY === 0) request.onProgress(seq);
      }
    }
  } finally {
    await events.close();
    await source?.close();
  }
  await note('events.jsonl', 'application/x-ndjson');
  await note('session-branch.json', 'application/json');
  for (const [path, value] of kept.files()) {
    const isText = path.endsWith('.txt');
    await writeFile(join(directory, path), isText ? redactText(String(value), redaction) : `${JSON.stringify(redactJson(value, redaction), null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await note(path, isText ? 'text/plain' : 'application/json');
  }
  const manifest = {
    traceSchema: TRAJECTORY_SCHEMA,
    schemaVersion: 1,
    generatedAt: new Date(nowMs).toISOString(),
    traceId: sessionId,
    sessionId,
    sessionKey,
    workspaceDir: '$WORKSPACE_DIR',
    leafId,
    eventCount: seq,
    runtimeEventCount: runtime.length,
    transcriptEventCount,
    sourceFiles: { session: transcript.file, ...(runtimePath === undefined ? {} : { runtime: redactText(runtimePath, redaction) }) },
    ...(skipped.length === 0 ? {} : { warnings: [{ source: 'runtime', code: 'unreadable-rows', count: skipped.length, rows: skipped.slice(0, WARNED_ROWS_MAX), message: 'rows that are no events of the schema were left out' }] }),
    ...(kept.files().length === 0 ? {} : { supplementalFiles: kept.files().map(([path]) => path) }),
    contents,
  };
  await writeFile(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return { eventCount: seq, runtimeEventCount: runtime.length, transcriptEventCount, files: ['manifest.json', ...contents.map(({ path }) => path)] };
}

function tooLarge(what: string, bytes: number): SessionError {
  return new SessionError('TOO_LARGE', `The ${what} has ${String(bytes)} bytes; an export reads at most ${String(SOURCE_BYTES_MAX)}.`, { facts: { bytes, bytesMax: SOURCE_BYTES_MAX } });
}

/** Places of the session's own events; a file may hold those of others. */
async function runtimePlaces(path: string, own: ReadonlySet<unknown>, skipped: number[]): Promise<Place[]> {
  const { size } = await stat(path);
  if (size > SOURCE_BYTES_MAX) throw tooLarge('trajectory', size);
  const places: Place[] = [];
  /** What is held of the line that has begun: nothing of one that is too long already. */
  let held = Buffer.alloc(0);
  let lineBytes = 0;
  let offset = 0;
  let row = 0;
  const take = (line: Buffer): void => {
    row += 1;
    if (lineBytes > 0) {
      const event = lineBytes > LINE_BYTES_MAX ? undefined : parsed(line.toString('utf8'));
      const atMs = event === undefined ? Number.NaN : typeof event['ts'] === 'number' ? event['ts'] : Date.parse(String(event['ts']));
      if (event === undefined || event['traceSchema'] !== TRAJECTORY_SCHEMA || !Number.isFinite(atMs)) skipped.push(row);
      else if (typeof event['sessionId'] === 'string' && own.has(event['sessionId'])) places.push({ source: 'runtime', atMs, seq: row, offset, bytes: lineBytes + 1 });
    }
    if (places.length > RUNTIME_EVENTS_MAX) throw new SessionError('TOO_LARGE', `An export has at most ${String(RUNTIME_EVENTS_MAX)} runtime events.`, { facts: { events: places.length } });
    offset += lineBytes + 1;
    held = Buffer.alloc(0);
    lineBytes = 0;
  };
  const hold = (part: Buffer): void => {
    lineBytes += part.length;
    held = lineBytes > LINE_BYTES_MAX ? Buffer.alloc(0) : Buffer.concat([held, part]);
  };
  for await (const chunk of createReadStream(path, { end: Math.max(0, size - 1) }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      hold(chunk.subarray(start, at));
      take(held);
      start = at + 1;
    }
    hold(chunk.subarray(start));
  }
  return places;
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function textAt(file: FileHandle, { offset, bytes }: Place): Promise<string> {
  const line = Buffer.alloc(bytes - 1);
  const { bytesRead } = await file.read(line, 0, line.length, offset);
  return line.subarray(0, bytesRead).toString('utf8');
}

function runtimeRow(text: string, kept: Kept): JsonObject {
  const row = parsed(text) ?? {};
  kept.take(row);
  return { ...row, sourceSeq: row['sourceSeq'] ?? row['seq'] ?? null };
}

function transcriptRows(text: string, place: Place, who: { readonly sessionId: string; readonly sessionKey: string }): JsonObject[] {
  return transcriptEvents(text, place.seq).map(({ type, atMs, entryId, data }) => ({
    traceSchema: TRAJECTORY_SCHEMA,
    schemaVersion: 1,
    traceId: who.sessionId,
    source: 'transcript',
    type,
    ts: new Date(atMs ?? place.atMs).toISOString(),
    sourceSeq: place.seq,
    ...who,
    ...(entryId === undefined ? {} : { entryId }),
    data,
  }));
}

/** What of the runtime events gets a file of its own. */
class Kept {
  readonly #prompts: JsonValue[] = [];
  readonly #files = new Map<string, JsonValue>();

  take({ type, data }: JsonObject): void {
    if (!isJsonObject(data)) return;
    if (type === 'trace.metadata') this.#files.set('metadata.json', data);
    else if (type === 'trace.artifacts') this.#files.set('artifacts.json', data);
    else if (type === 'prompt.submitted') this.#prompts.push(data);
    else if (type === 'context.compiled') {
      if (typeof data['systemPrompt'] === 'string') this.#files.set('system-prompt.txt', data['systemPrompt']);
      if (Array.isArray(data['tools'])) this.#files.set('tools.json', data['tools']);
    }
  }

  files(): readonly (readonly [string, JsonValue])[] {
    return [...this.#files, ...(this.#prompts.length === 0 ? [] : [['prompts.json', this.#prompts] as const])];
  }
}
