/** What a name in a sessions directory says about the file; pure. */
import { isSessionId, sessionOfSuccessor } from '@sessions/domain';
import { isTempFileName } from '../files/layout';

export type ArtifactKind =
  | 'transcript'
  | 'trajectory'
  | 'trajectory-pointer'
  | 'compaction-checkpoint'
  | 'archive'
  | 'corrupt-copy'
  | 'lock'
  | 'temp'
  | 'backup'
  | 'unknown';

export interface ArtifactName {
  readonly kind: ArtifactKind;
  /** Of a transcript and its sidecars; without the topic of a topic transcript. */
  readonly sessionId?: string;
}

const ARCHIVE = /\.(?:reset|deleted|bak)\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?Z$/;
const CORRUPT = /\.corrupt-\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?Z-[0-9a-f]{8}\.jsonl$/;
const BACKUP = /\.bak\.\d+$/;
const CHECKPOINT = /^(.+)\.checkpoint\.[0-9a-f-]{36}\.jsonl$/i;
const SIDECARS: readonly (readonly [suffix: string, kind: ArtifactKind])[] = [
  ['.trajectory-path.json', 'trajectory-pointer'],
  ['.trajectory.jsonl', 'trajectory'],
  ['.jsonl', 'transcript'],
];
const TOPIC = /-topic-.+$/;

/** @param name of a file directly in the sessions directory. */
export function readArtifactName(name: string): ArtifactName {
  if (name.endsWith('.lock')) return { kind: 'lock' };
  if (isTempFileName(name)) return { kind: 'temp' };
  if (ARCHIVE.test(name)) return { kind: 'archive' };
  if (CORRUPT.test(name)) return { kind: 'corrupt-copy' };
  if (BACKUP.test(name)) return { kind: 'backup' };
  const checkpoint = CHECKPOINT.exec(name)?.[1];
  if (checkpoint !== undefined) return named('compaction-checkpoint', checkpoint);
  for (const [suffix, kind] of SIDECARS) {
    if (name.endsWith(suffix)) return named(kind, name.slice(0, -suffix.length));
  }
  return { kind: 'unknown' };
}

function named(kind: ArtifactKind, base: string): ArtifactName {
  const sessionId = sessionOfSuccessor(base) ?? base.replace(TOPIC, '');
  return isSessionId(sessionId) ? { kind, sessionId } : { kind: 'unknown' };
}
