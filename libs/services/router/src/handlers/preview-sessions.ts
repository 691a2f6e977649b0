/** PreviewSessions: the last few texts of up to 200 sessions, in the order they were asked for. */
import { PreviewRequest, PreviewSessionsResponse } from '@sessions/contracts';
import type { PreviewSessionsRequest, SessionPreview } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';

const KEYS_MAX = 200;
/** Items of one session that a store gives at most. */
const ITEMS_MAX = 100;
const CHARS_MIN = 20;

/** @throws VALIDATION for no key, too many, or a bound out of range */
export async function previewSessions(
  deps: HandlerDeps,
  request: PreviewSessionsRequest,
  context: CallContext,
): Promise<PreviewSessionsResponse> {
  const { keys, limit, maxChars } = request;
  if (keys.length < 1 || keys.length > KEYS_MAX) throw new SessionError('VALIDATION', `a preview names 1 to ${KEYS_MAX} keys`);
  if (limit !== undefined && limit < 1) throw new SessionError('VALIDATION', 'limit must be at least 1');
  if (maxChars !== undefined && maxChars < CHARS_MIN) throw new SessionError('VALIDATION', `maxChars must be at least ${CHARS_MIN}`);
  const byAgent = new Map<string, Map<string, number[]>>();
  const previews: SessionPreview[] = keys.map((key) => ({ key, status: 'missing', items: [] }));
  const fail = (places: Iterable<number>, status: string): void => {
    for (const place of places) previews[place] = { key: keys[place] ?? '', status, items: [] };
  };
  for (const [place, key] of keys.entries()) {
    try {
      const address = await resolveAddress(deps, { key }, context);
      const ofAgent = byAgent.get(address.agentId) ?? new Map<string, number[]>();
      byAgent.set(address.agentId, ofAgent.set(address.key, [...(ofAgent.get(address.key) ?? []), place]));
    } catch (error) {
      if (toSessionError(error).reason !== 'SESSION_NOT_FOUND') fail([place], 'error');
    }
  }
  await Promise.all(
    [...byAgent].map(async ([agentId, places]) => {
      if (!(await deps.agents.hasStore(agentId, context))) return;
      try {
        const answer = await deps.stores.read(
          'preview',
          PreviewRequest.create({ agentId, keys: [...places.keys()], maxChars, ...(limit !== undefined && { limit: Math.min(limit, ITEMS_MAX) }) }),
          context,
        );
        for (const preview of answer.previews) {
          for (const place of places.get(preview.key) ?? []) previews[place] = { ...preview, key: keys[place] ?? '' };
        }
      } catch (error) {
        if (context.signal.aborted) throw error;
        deps.logger.warn('previews of a store could not be read', { agentId, err: error });
        fail([...places.values()].flat(), 'error');
      }
    }),
  );
  return PreviewSessionsResponse.create({ atMs: deps.clock.nowMs(), previews });
}
