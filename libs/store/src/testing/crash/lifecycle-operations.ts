/** Resets, deletions, truncations and restores of a crash test: held files, and decisions over them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { SessionError, type JsonValue } from '@sessions/domain';
import type { AgentStore } from '../../agent-store';
import { parseManifestLine } from '../../archive/manifest';
import type { HeldFiles } from '../../archive/held-files';
import type { StoreLayout } from '../../files/layout';
import { readLineFacts } from '../../transcript/line-facts';
import { scanTranscript } from '../../transcript/scan-transcript';
import type { Decision, Effect, MutationOutcome, MutationView, StagedTranscript } from '../../types';
import type { SeededRandom } from '../seeded-random';
import { headerLine, type Operation } from './history';
import { sessionIdOf } from './outcomes';

/** The entry may get another transcript while its files are being held. */
const TRIES_MAX = 20;

class OtherFile extends Error {}

export function isLifecycle({ kind }: Operation): boolean {
  return kind === 'reset' || kind === 'delete' || kind === 'truncate' || kind === 'restore';
}

/** An archive that may be there, and the key that it belongs to. */
export function pickArchive(layout: StoreLayout, random: SeededRandom): { readonly file: string; readonly key: string } | undefined {
  if (!fs.existsSync(layout.manifestFile)) return undefined;
  const lines = fs.readFileSync(layout.manifestFile, 'utf8').split('\n').flatMap((text) => parseManifestLine(text) ?? []);
  const archives = lines.flatMap(({ key, files }) => files.flatMap(({ to }) => (key !== null && !to.includes('.bak.') ? [{ file: to, key }] : [])));
  const there = archives.filter(({ file }) => fs.existsSync(path.join(layout.dir, file)));
  return there.length === 0 ? undefined : random.pick(there);
}

export async function performLifecycle(store: AgentStore, operation: Operation, request: { readonly idempotencyKey: string; readonly contentHash: string }): Promise<MutationOutcome<JsonValue>> {
  for (let attempt = 1; ; attempt += 1) {
    const entry = await store.entry({ key: operation.key });
    const file = entry?.file ?? undefined;
    const { kind, archive } = operation;
    const asked = [
      ...(file === undefined ? [] : [{ file, kind: kind === 'delete' ? ('deleted' as const) : kind === 'truncate' ? ('bak' as const) : ('reset' as const) }]),
      ...(archive === undefined ? [] : [{ file: archive }, ...(file === `${sessionIdOf(archive)}.jsonl` ? [] : [{ file: `${sessionIdOf(archive)}.jsonl` }])]),
    ];
    try {
      return await store.withHeld(asked, async (held) => {
        const staged = kind === 'truncate' && file !== undefined ? await stageLast(held, file, operation.keep ?? 1) : undefined;
        return store.mutate({ ...request, held, decide: (view) => decide(operation, { view, held, file, staged }) });
      });
    } catch (error) {
      if (!(error instanceof OtherFile) || attempt >= TRIES_MAX) throw error;
    }
  }
}

interface Situation {
  readonly view: MutationView;
  readonly held: HeldFiles;
  /** Transcript of the entry as it was when the files were asked for. */
  readonly file: string | undefined;
  readonly staged: StagedTranscript | undefined;
}

function decide(operation: Operation, { view, held, file, staged }: Situation): Decision<JsonValue> {
  const { key, id, kind, atMs, archive, newSessionId } = operation;
  const text = view.entry(key)?.text;
  const sessionId = text === undefined ? undefined : (JSON.parse(text) as { sessionId: string }).sessionId;
  if ((sessionId === undefined ? undefined : `${sessionId}.jsonl`) !== file) throw new OtherFile();
  const record = (about: string | null): Effect => ({ kind: 'recordArchive', reason: kind, key, sessionId: about, ...(text === undefined ? {} : { entryText: text }), actor: 'test' });
  const aside: Effect[] = file !== undefined && held.get(file).found !== undefined ? [{ kind: 'setAside', file }, record(sessionId ?? null)] : [];
  if (kind === 'restore') {
    if (archive === undefined || held.get(archive).found === undefined || file === `${sessionIdOf(archive)}.jsonl`) throw new SessionError('VALIDATION', 'the archive is not there');
    const restored = sessionIdOf(archive);
    const back: Effect[] = [{ kind: 'bringBack', archive, file: `${restored}.jsonl` }, ...(aside.length === 0 ? [record(restored)] : [])];
    return { effects: [...aside, ...back, { kind: 'putEntry', key, set: { sessionId: restored, updatedAt: atMs, lastSend: id } }], result: { id } };
  }
  if (text === undefined) throw new SessionError('SESSION_NOT_FOUND', `no session ${key}`);
  if (kind === 'delete') return { effects: [...aside, { kind: 'removeEntry', key }], result: { id } };
  if (kind === 'truncate') {
    const replaced: Effect[] = staged === undefined || file === undefined ? [] : [{ kind: 'replaceTranscript', file, staged }, record(sessionId ?? null)];
    return { effects: [...replaced, { kind: 'putEntry', key, set: { updatedAt: atMs } }], result: { id } };
  }
  const fresh: Effect = { kind: 'append', file: `${newSessionId}.jsonl`, lines: [headerLine(operation)], messages: 0, exchanges: 0, leafId: null };
  view.transcript(fresh.file);
  return { effects: [...aside, { kind: 'putEntry', key, set: { sessionId: newSessionId, updatedAt: atMs, lastSend: id } }, fresh], result: { id } };
}

/** The header and the last messages, the first of them a root. */
async function stageLast(held: HeldFiles, file: string, keep: number): Promise<StagedTranscript | undefined> {
  if (held.get(file).found === undefined) return undefined;
  return held.read(file, async (source) => {
    const lines: { offset: number; bytes: number }[] = [];
    await scanTranscript(source, { onLine: ({ offset, bytes }) => void lines.push({ offset, bytes }) });
    const [first, ...messages] = lines;
    if (first === undefined || messages.length <= keep) return undefined;
    const [root, ...rest] = messages.slice(-keep);
    if (root === undefined) return undefined;
    const text = Buffer.alloc(root.bytes - 1);
    await source.read(text, 0, text.length, root.offset);
    const rewritten = `${JSON.stringify({ ...readLineFacts(text)?.record, parentId: null })}\n`;
    return held.stage([{ source, ...first }, { text: rewritten }, ...rest.map((line) => ({ source, ...line }))]);
  });
}
