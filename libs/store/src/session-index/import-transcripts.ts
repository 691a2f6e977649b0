/**
 * Entries from nothing but the transcripts, for a store whose `sessions.json` and index are both
 * gone: each header line gives the session id, its beginning and, in files this system made, the
 * session key. Other files get a key that names their session id, so no conversation is out of reach.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { KEY_LOST_MEMBER, formatEntry, isJsonObject, isSessionId, type JsonValue } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import type { IndexWriter } from './index-writer';

/** A header line is read up to this length. */
const HEADER_BYTES_MAX = 64 * 1024;
const SUFFIX = '.jsonl';

/** @returns how many entries were made of transcripts that name no key; those are marked, and no limit takes them. */
export function importTranscripts(writer: IndexWriter, dir: string, agentId: string): number {
  return writer.transaction(() => {
    let keysLost = 0;
    for (const name of transcriptNames(dir)) {
      const found = readHeader(path.join(dir, name));
      if (found === undefined) continue;
      const sessionId = found.sessionId ?? name.slice(0, -SUFFIX.length);
      if (!isSessionId(sessionId)) continue;
      const key = found.sessionKey ?? `agent:${agentId}:explicit:${sessionId.toLowerCase()}`;
      if (writer.entryText(key) !== undefined && !isNewer(writer, key, found.modifiedAtMs)) continue;
      const entry: Record<string, JsonValue> = { sessionId, sessionFile: name, updatedAt: found.modifiedAtMs };
      if (found.startedAtMs !== undefined) entry['sessionStartedAt'] = found.startedAtMs;
      if (found.sessionKey === undefined) {
        entry[KEY_LOST_MEMBER] = true;
        keysLost += 1;
      }
      writer.putEntry(key, formatEntry(entry), 'file');
    }
    return keysLost;
  });
}

/** True when the directory holds transcripts that entries could be made from. */
export function hasTranscripts(dir: string): boolean {
  return transcriptNames(dir).length > 0;
}

function transcriptNames(dir: string): string[] {
  const names = fs.readdirSync(dir).filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'));
  return names.filter((name) => !name.endsWith('.trajectory.jsonl') && !/\.(?:checkpoint|corrupt)[.-]/.test(name)).sort();
}

function isNewer(writer: IndexWriter, key: string, modifiedAtMs: number): boolean {
  const current = JSON.parse(writer.entryText(key) ?? '{}') as { updatedAt?: number };
  return modifiedAtMs > (current.updatedAt ?? 0);
}

interface FoundHeader {
  readonly sessionId?: string;
  readonly sessionKey?: string;
  readonly startedAtMs?: number;
  readonly modifiedAtMs: number;
}

function readHeader(file: string): FoundHeader | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ELOOP', 'ENOENT', 'EACCES', 'ENXIO')) return undefined;
    throw error;
  }
  try {
    const stats = fs.fstatSync(fd);
    if (!stats.isFile()) return undefined;
    const modifiedAtMs = Math.floor(stats.mtimeMs);
    const buffer = Buffer.alloc(Math.min(HEADER_BYTES_MAX, stats.size));
    const count = fs.readSync(fd, buffer, 0, buffer.length, 0);
    const end = buffer.subarray(0, count).indexOf(0x0a);
    return { modifiedAtMs, ...parseHeader(buffer.toString('utf8', 0, end < 0 ? count : end)) };
  } finally {
    fs.closeSync(fd);
  }
}

function parseHeader(line: string): Omit<FoundHeader, 'modifiedAtMs'> {
  let header: unknown;
  try {
    header = JSON.parse(line);
  } catch {
    return {};
  }
  if (!isJsonObject(header) || header['type'] !== 'session') return {};
  const { id, sessionKey, timestamp } = header;
  const startedAtMs = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  return {
    ...(typeof id === 'string' ? { sessionId: id } : {}),
    ...(typeof sessionKey === 'string' ? { sessionKey } : {}),
    ...(Number.isFinite(startedAtMs) ? { startedAtMs } : {}),
  };
}
