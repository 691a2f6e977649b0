/** The servers' URLs taken apart: where to connect, with whose name; and how to name them without a password. */
import { SessionError } from '@sessions/domain';

export interface ServerAddresses {
  /** `host:port`, as the client takes them. */
  readonly hosts: readonly string[];
  /** Whether a URL asked for TLS. */
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

const DEFAULT_PORT = '4222';

/** @throws CONFIG_INVALID for no server, or a URL that is none; the message shows no credentials */
export function parseServers(servers: readonly string[]): ServerAddresses {
  const urls = servers.map(parseServer);
  if (urls.length === 0) throw new SessionError('CONFIG_INVALID', 'no NATS server is named', { hint: 'set the bus to nats://<host>:4222' });
  const named = urls.find(({ username }) => username !== '');
  const user = decodeURIComponent(named?.username ?? '');
  const pass = decodeURIComponent(named?.password ?? '');
  return {
    hosts: urls.map(({ hostname, port }) => `${hostname}:${port === '' ? DEFAULT_PORT : port}`),
    tls: urls.some(({ protocol }) => protocol === 'tls:'),
    ...(user !== '' && (pass === '' ? { token: user } : { user, pass })),
  };
}

function parseServer(server: string): URL {
  const text = server.includes('://') ? server : `nats://${server}`;
  // `nats:` is no special scheme to URL, so a missing host is checked here.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '' || !['nats:', 'tls:'].includes(url.protocol)) {
    throw new SessionError('CONFIG_INVALID', 'a NATS server is written nats://host:port or tls://host:port', {
      facts: { scheme: url?.protocol ?? null },
    });
  }
  return url;
}
