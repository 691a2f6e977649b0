import { PatchSessionRequest } from '@sessions/contracts';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

const NOT_FIELDS: ReadonlySet<string> = new Set(['key', 'agentId', 'expectedUpdatedAt', 'expectedSessionId']);

/** `sessions.patch`: fields set or, with null, cleared; the row is made when it is missing. */
export const sessionsPatch: GatewayMethod = async (deps, { params, context }) => {
  const fields = Object.fromEntries(Object.entries(params).filter(([name]) => !NOT_FIELDS.has(name)));
  const { key, path, entryJson, resolvedJson } = await deps.handlers.patchSession(
    PatchSessionRequest.create({
      key: textOf(params, 'key'),
      agentId: textOf(params, 'agentId'),
      patchJson: Buffer.from(JSON.stringify(fields)),
      expectedUpdatedAtMs: numberOf(params, 'expectedUpdatedAt'),
      expectedSessionId: textOf(params, 'expectedSessionId'),
    }),
    context,
  );
  return {
    payload: {
      ok: true,
      path,
      key,
      entry: JSON.parse(entryJson.toString('utf8')) as unknown,
      resolved: JSON.parse(resolvedJson.toString('utf8')) as unknown,
    },
  };
};
