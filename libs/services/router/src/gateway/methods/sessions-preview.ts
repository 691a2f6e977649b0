import { PreviewSessionsRequest } from '@sessions/contracts';
import { numberOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.preview`: the last texts of several sessions, in the order asked for. */
export const sessionsPreview: GatewayMethod = async (deps, { params, context }) => {
  const { atMs, previews } = await deps.handlers.previewSessions(
    PreviewSessionsRequest.create({
      keys: params.keys as string[],
      limit: numberOf(params, 'limit'),
      maxChars: numberOf(params, 'maxChars'),
    }),
    context,
  );
  return { payload: { ts: atMs, previews } };
};
