/** What a client is told when it is let in. */
import { mainSessionKey } from '@sessions/domain';
import { defaultAgentFor } from './auth/default-agent';
import { SCOPE, holdsScope, isRestricted } from './auth/scopes';
import { BUFFERED_BYTES_MAX, FRAME_BYTES_MAX, TICK_INTERVAL_MS } from './gateway/connection-bounds';
import type { Connection } from './gateway/connection';
import type { GatewayDeps } from './gateway/method';
import { presenceOf } from './gateway/methods/system-presence';
import { ANNOUNCED_EVENTS, ANNOUNCED_METHODS } from './gateway/methods';

/** `hello-ok`. Nothing in it waits for a store, so a store that is away keeps nobody out. */
export function helloPayload(deps: GatewayDeps, connection: Connection): Record<string, unknown> {
  const config = deps.config();
  const defaultAgentId = defaultAgentFor(config, connection);
  const { scope, mainKey } = config.session;
  const isAdmin = holdsScope(connection.scopes, SCOPE.admin) && !isRestricted(connection.scopes);
  return {
    type: 'hello-ok',
    protocol: connection.protocol,
    server: { version: deps.version, connId: connection.connId },
    features: { methods: ANNOUNCED_METHODS, events: ANNOUNCED_EVENTS },
    snapshot: {
      presence: presenceOf(deps, connection.scopes),
      health: {},
      stateVersion: { presence: 0, health: 0 },
      uptimeMs: deps.uptimeMs(),
      sessionDefaults: { defaultAgentId, mainKey, mainSessionKey: mainSessionKey(defaultAgentId, scope), scope },
      ...(isAdmin && { configPath: deps.configPath, stateDir: deps.stateDir, authMode: deps.authMode }),
    },
    auth: {
      role: connection.role,
      scopes: connection.scopes,
      ...(connection.deviceToken !== undefined && { deviceToken: connection.deviceToken.token, issuedAtMs: connection.deviceToken.issuedAtMs }),
    },
    policy: { maxPayload: FRAME_BYTES_MAX, maxBufferedBytes: BUFFERED_BYTES_MAX, tickIntervalMs: TICK_INTERVAL_MS },
  };
}
