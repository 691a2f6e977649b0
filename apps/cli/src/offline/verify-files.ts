/** What the files of a store say about one another. Reads only. */
import type { OfflineStore } from './offline-store';
import { readSessionsFile } from './read-sessions-file';
import { readTranscript } from './transcript-file';
import { SessionError, parseEntry } from '@sessions/domain';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../error-code';

export interface Finding {
  readonly kind: string;
  readonly key?: string;
  readonly file?: string;
  readonly detail: string;
  /** What --repair does about it; empty when it leaves it alone. */
  readonly repair: string;
}

export interface StoreReport {
  readonly agentId: string;
  readonly path: string;
  readonly findings: readonly Finding[];
  readonly totals: { readonly entries: number; readonly transcripts: number; readonly messages: number; readonly bytes: number };
}

const TRANSCRIPT = /\.jsonl$/u;
const SIDECAR = /\.(trajectory|checkpoint\.[^.]+|corrupt-[^.]+)\.jsonl$/u;

function transcriptsIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => TRANSCRIPT.test(name) && !SIDECAR.test(name)).sort();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Never throws for what it finds: an unreadable store is a finding. */
export function verifyFiles({ agentId, path }: Pick<OfflineStore, 'agentId' | 'path'>): StoreReport {
  const directory = dirname(path);
  const findings: Finding[] = [];
  const totals = { entries: 0, transcripts: 0, messages: 0, bytes: 0 };
  let entries: ReturnType<typeof readSessionsFile> = {};
  try {
    entries = readSessionsFile(path) ?? {};
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    findings.push({ kind: 'sessions-file-unreadable', file: path, detail: error.message, repair: 'rebuild it from index, journal and transcripts' });
  }
  const known = new Set<string>();
  for (const [key, entry] of Object.entries(entries)) {
    totals.entries += 1;
    const parsed = parseEntry(entry);
    if (!parsed.listed) {
      findings.push({ kind: 'entry-not-listed', key, detail: `${parsed.why}; the value is kept and not listed`, repair: '' });
      continue;
    }
    const name = parsed.file;
    if (name === null) {
      findings.push({ kind: 'entry-without-transcript-name', key, detail: 'neither session id nor session file can name a transcript', repair: '' });
      continue;
    }
    if (typeof parsed.members['sessionFile'] === 'string' && !parsed.members['sessionFile'].endsWith(name)) {
      findings.push({ kind: 'session-file-outside', key, detail: 'its session file leads out of the sessions directory and is ignored', repair: '' });
    }
    known.add(name);
  }
  for (const file of transcriptsIn(directory)) {
    const transcript = readTranscript(directory, file);
    if (transcript === undefined) continue;
    totals.transcripts += 1;
    totals.bytes += transcript.bytes;
    totals.messages += transcript.seqs.size;
    if (transcript.malformedLines > 0) {
      findings.push({ kind: 'malformed-lines', file, detail: `${transcript.malformedLines} of ${transcript.linesCount} lines cannot be parsed`, repair: '' });
    }
    if (!known.has(file)) findings.push({ kind: 'transcript-without-entry', file, detail: 'no entry names it', repair: '' });
  }
  return { agentId, path, findings, totals };
}
