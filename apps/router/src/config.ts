/** What the router's process reads, and what its clients must present. */
import { SessionError } from '@sessions/domain';
import { assertLogin, parseBind, readGrpcTls, type AppHelp, type AppParts, type AppBus } from '@sessions/host';
import type { RouterDeps } from '@sessions/router';

export const ABOUT = {
  name: 'router',
  version: '0.1.0',
  summary: 'The router: the edge of the session system. WebSocket, HTTP and gRPC in, the bus behind. Holds no state; run as many as you like behind one address.',
  probePort: 18_791,
  servesClients: true,
  settings: ['gateway.*', 'session.*', 'agents.*', 'bus.subjectPrefix'],
} as const satisfies AppHelp & { version: string };

export type RouterConfig = Pick<RouterDeps, 'listen' | 'grpcListen' | 'grpcTls' | 'auth'>;

/** @throws UNAUTHENTICATED for an open address that nobody has to log in to, CONFIG_INVALID for secrets without a value and TLS files that cannot be used */
export function routerConfig({ app, config }: AppParts<AppBus>): RouterConfig {
  const { gateway } = config();
  const { token, password } = gateway.auth;
  const grpcTls = readGrpcTls(app);
  const host = app.listenHost ?? bindOf(gateway.bind);
  assertLogin(host, gateway.auth, { token, password }, 'Set gateway.auth.token in the configuration, or OPENCLAW_GATEWAY_TOKEN.');
  return {
    listen: { host, port: app.port ?? gateway.port },
    ...(typeof app.grpcPort === 'number' && { grpcListen: { host, port: app.grpcPort } }),
    ...(grpcTls !== undefined && { grpcTls }),
    auth: { ...(token !== undefined && { token }), ...(password !== undefined && { password }) },
  };
}

function bindOf(bind: string): string {
  try {
    return parseBind(bind);
  } catch {
    throw new SessionError('CONFIG_INVALID', 'gateway.bind must be loopback, lan or an IP address');
  }
}
