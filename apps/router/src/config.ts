/** What the router's process reads, and what its clients must present. */
import { readFileSync } from 'node:fs';
import { SessionError } from '@sessions/domain';
import { assertLogin, parseBind, type AppHelp, type AppParts, type AppBus } from '@sessions/host';
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
  const host = app.listenHost ?? bindOf(gateway.bind);
  assertLogin(host, gateway.auth, { token, password }, 'Set gateway.auth.token in the configuration, or OPENCLAW_GATEWAY_TOKEN.');
  return {
    listen: { host, port: app.port ?? gateway.port },
    ...(typeof app.grpcPort === 'number' && { grpcListen: { host, port: app.grpcPort } }),
    ...grpcTlsOf(app),
    auth: { ...(token !== undefined && { token }), ...(password !== undefined && { password }) },
  };
}

function grpcTlsOf({ grpcCertFile, grpcKeyFile, grpcClientCaFile }: AppParts<AppBus>['app']): Pick<RouterDeps, 'grpcTls'> {
  if (grpcCertFile === undefined && grpcKeyFile === undefined && grpcClientCaFile === undefined) return {};
  if (grpcCertFile === undefined || grpcKeyFile === undefined) {
    throw new SessionError('CONFIG_INVALID', 'TLS of the gRPC door needs SESS_GRPC_TLS_CERT and SESS_GRPC_TLS_KEY');
  }
  const cert = read('SESS_GRPC_TLS_CERT', grpcCertFile);
  const key = read('SESS_GRPC_TLS_KEY', grpcKeyFile);
  return { grpcTls: { cert, key, ...(grpcClientCaFile !== undefined && { clientCa: read('SESS_GRPC_TLS_CLIENT_CA', grpcClientCaFile) }) } };
}

function read(variable: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SessionError('CONFIG_INVALID', `${variable}: the file cannot be read`, { cause });
  }
}

function bindOf(bind: string): string {
  try {
    return parseBind(bind);
  } catch {
    throw new SessionError('CONFIG_INVALID', 'gateway.bind must be loopback, lan or an IP address');
  }
}
