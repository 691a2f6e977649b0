/** Preview: the last few texts of each session that was named. */
import { PreviewResponse, type PreviewItem, type PreviewRequest, type SessionPreview } from '@sessions/contracts';
import { SessionError, parseTranscriptLine, previewOf } from '@sessions/domain';
import type { AgentStore } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { entryOfKey } from './stored-session';

const KEYS_MAX = 200;
const ITEMS_MAX = 100;
const ITEMS_DEFAULT = 12;
const CHARS_MIN = 20;
const CHARS_DEFAULT = 240;

/** @throws VALIDATION for a number of keys, a limit or a length out of range */
export function preview(agent: OwnedAgent, request: PreviewRequest): Promise<PreviewResponse> {
  const { keys, limit = ITEMS_DEFAULT, maxChars = CHARS_DEFAULT } = request;
  if (keys.length < 1 || keys.length > KEYS_MAX) throw new SessionError('VALIDATION', `a preview names 1 to ${String(KEYS_MAX)} keys`);
  if (limit < 1) throw new SessionError('VALIDATION', 'limit must be at least 1');
  if (maxChars < CHARS_MIN) throw new SessionError('VALIDATION', `max_chars must be at least ${String(CHARS_MIN)}`);
  return agent.read(
    async (store, open) => {
      const previews: SessionPreview[] = [];
      for (const key of keys) previews.push(await previewOfKey(store, key, Math.min(limit, ITEMS_MAX), maxChars));
      return PreviewResponse.create({ epoch: store.epoch, storeSeq: open.seq, previews });
    },
    () => PreviewResponse.create({ previews: keys.map((key) => ({ key, status: 'missing', items: [] })) }),
  );
}

async function previewOfKey(store: AgentStore, key: string, limit: number, maxChars: number): Promise<SessionPreview> {
  try {
    const entry = await entryOfKey(store, key);
    if (entry === undefined) return { key, status: 'missing', items: [] };
    const page = await store.history({ key: entry.key, limit });
    const items = (page?.records ?? []).flatMap(({ line, messageSeq, role }): PreviewItem[] => {
      const parsed = parseTranscriptLine(line, messageSeq);
      const text = parsed.ok && parsed.message !== undefined ? previewOf(parsed.message, maxChars) : undefined;
      return text === undefined ? [] : [{ role, text }];
    });
    return { key, status: items.length === 0 ? 'empty' : 'ok', items };
  } catch (error) {
    // One transcript that cannot be read costs its own preview, not the others.
    if (error instanceof SessionError && error.reason === 'DAMAGED') return { key, status: 'error', items: [] };
    throw error;
  }
}
