/** Which gateway a command talks to and with which credentials: flags, configuration, environment. */
import { SessionError } from '@sessions/domain';

export interface GatewayFlags {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

/** What the configuration and the environment say about the local gateway. */
export interface GatewaySettings {
  readonly port: number;
  readonly token?: string | undefined;
  readonly password?: string | undefined;
  /** File that the settings come from, for messages. */
  readonly configPath: string;
}

export interface GatewayTarget {
  readonly url: string;
  readonly urlSource: 'cli --url' | 'local loopback';
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

/**
 * Credentials are never sent to an address that they were not configured for: with --url they have
 * to be given beside it.
 * @throws VALIDATION for a bad address or missing credentials
 */
export function resolveGatewayTarget(flags: GatewayFlags, settings: GatewaySettings): GatewayTarget {
  const token = given(flags.token);
  const password = given(flags.password);
  const url = given(flags.url);
  if (url === undefined) {
    const fromFlags = token !== undefined || password !== undefined;
    return {
      url: `ws://127.0.0.1:${settings.port}`,
      urlSource: 'local loopback',
      token: fromFlags ? token : given(settings.token),
      password: fromFlags ? password : given(settings.password),
    };
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:')) {
    throw new SessionError('VALIDATION', `--url must be a ws:// or wss:// address, for example --url ws://127.0.0.1:18789.`, { facts: { option: '--url' } });
  }
  if (token === undefined && password === undefined) {
    throw new SessionError('VALIDATION', '--url needs explicit credentials: configured ones belong to the local gateway.', {
      facts: { option: '--url' },
      hint: 'Pass --token or --password beside --url.',
    });
  }
  return { url, urlSource: 'cli --url', token, password };
}
