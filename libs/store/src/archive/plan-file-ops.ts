/** From a decision's file effects to what the journal keeps. Pure: bytes, hashes and free names come with the held files. */
import { formatManifestLine, type ManifestLine } from './manifest';
import { assertArchiveFile } from './archive-files';
import type { FileOp } from '../journal/codec';
import type { Effect, FileEffect, HeldFile, HeldView } from '../types';

const FILE_EFFECTS: ReadonlySet<Effect['kind']> = new Set(['setAside', 'bringBack', 'replaceTranscript', 'removeArchive', 'recordArchive']);

export function isFileEffect(effect: Effect): effect is FileEffect {
  return FILE_EFFECTS.has(effect.kind);
}

/** @throws Error for files that are not held or not there, ARCHIVE names that are none (VALIDATION): mistakes of the decision. */
export function planFileOps(effects: readonly FileEffect[], held: HeldView | undefined, nowMs: number): FileOp[] {
  if (effects.length === 0) return [];
  if (held === undefined) throw new Error('file effects need held files');
  const ops = effects.flatMap((effect) => opOf(effect, held));
  return [...ops, ...effects.flatMap((effect) => (effect.kind === 'recordArchive' ? [{ op: 'manifest' as const, line: manifestLine(effect, ops, effects, nowMs) }] : []))];
}

function opOf(effect: FileEffect, held: HeldView): FileOp[] {
  if (effect.kind === 'setAside') {
    const { file, asideAs, ...bytes } = present(held, effect.file);
    return [{ op: 'aside', file, to: asideAs, ...bytes }];
  }
  if (effect.kind === 'bringBack') {
    assertArchiveFile(effect.archive);
    held.get(effect.file);
    const { bytes, sha256 } = present(held, effect.archive);
    return [{ op: 'back', archive: effect.archive, file: effect.file, bytes, sha256 }];
  }
  if (effect.kind === 'replaceTranscript') {
    const { file, found, asideAs } = held.get(effect.file);
    if (found === undefined) return [{ op: 'replace', file, staged: effect.staged.name, bytes: 0, sha256: '' }];
    return [{ op: 'replace', file, staged: effect.staged.name, keptAs: asideAs, bytes: found.bytes, sha256: found.sha256 }];
  }
  if (effect.kind === 'removeArchive') {
    assertArchiveFile(effect.archive);
    return [{ op: 'unlink', archive: effect.archive, bytes: present(held, effect.archive).bytes }];
  }
  return [];
}

function present(held: HeldView, file: string): { file: string; asideAs: string; bytes: number; sha256: string } {
  const { found, asideAs }: HeldFile = held.get(file);
  if (found === undefined) throw new Error(`${file} is not there`);
  return { file, asideAs, bytes: found.bytes, sha256: found.sha256 };
}

function manifestLine(effect: Extract<FileEffect, { kind: 'recordArchive' }>, ops: readonly FileOp[], effects: readonly FileEffect[], nowMs: number): string {
  const { reason, key, sessionId, entryText, actor, runId } = effect;
  const files = ops.flatMap((op) => {
    if (op.op === 'aside') return [{ from: op.file, to: op.to, bytes: op.bytes, sha256: op.sha256 }];
    return op.op === 'replace' && op.keptAs !== undefined ? [{ from: op.file, to: op.keptAs, bytes: op.bytes, sha256: op.sha256 }] : [];
  });
  const gone = ops.flatMap((op) => (op.op === 'back' || op.op === 'unlink' ? [op.archive] : []));
  const replaced = effects.find((other) => other.kind === 'replaceTranscript');
  const line: Omit<ManifestLine, 'entry'> = {
    at: nowMs,
    reason,
    key,
    sessionId,
    files,
    actor,
    ...(runId === undefined ? {} : { runId }),
    ...(replaced === undefined ? {} : { kept: { bytes: replaced.staged.bytes, lines: replaced.staged.lines } }),
    ...(gone.length === 0 ? {} : { gone }),
  };
  return formatManifestLine(line, entryText);
}
