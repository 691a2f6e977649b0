/**
 * Entries that somebody removed from `sessions.json` by hand: a line each in
 * `.store/archive-manifest.jsonl`, so that they can be brought back. Append-only, synced.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

const MANIFEST = 'archive-manifest.jsonl';
const FILE_MODE = 0o600;

export function appendRemovedEntries(ownDir: string, entries: readonly { readonly key: string; readonly text: string }[], nowMs: number): void {
  if (entries.length === 0) return;
  const lines = entries.map(({ key, text }) => {
    const entry: unknown = JSON.parse(text);
    const sessionId = typeof entry === 'object' && entry !== null ? (entry as { sessionId?: unknown }).sessionId : undefined;
    const line = { at: nowMs, reason: 'removed-from-outside', key, sessionId: sessionId ?? null, entry, files: [], actor: 'external' };
    return `${JSON.stringify(line)}\n`;
  });
  const fd = fs.openSync(path.join(ownDir, MANIFEST), 'a', FILE_MODE);
  try {
    fs.writeSync(fd, lines.join(''));
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
