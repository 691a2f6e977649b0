/** Which gateway a command talks to and with which credentials: flags, configuration, environment. */
import { SessionError } from '@sessions/domain';
import { PLAINTEXT_VARIABLE, mayBePlaintext } from './plaintext-host';

export interface GatewayFlags {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

export interface GatewayCredentials {
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

/** What the configuration and the environment say about the gateway, and the credentials of the local one. */
export interface GatewaySettings extends GatewayCredentials {
  readonly port: number;
  /** Under `gateway.mode` `remote`: `gateway.remote`. */
  readonly remote?: (GatewayCredentials & { readonly url?: string | undefined }) | undefined;
  /** OPENCLAW_GATEWAY_URL, and the credentials that the environment has. */
  readonly environment?: (GatewayCredentials & { readonly url?: string | undefined }) | undefined;
  /** OPENCLAW_ALLOW_INSECURE_PRIVATE_WS is 1: names may be spoken to without TLS. */
  readonly allowsPlaintext?: boolean;
  /** File that the settings come from, for messages. */
  readonly configPath: string;
}

export interface GatewayTarget {
  readonly url: string;
  readonly urlSource: 'cli --url' | 'env OPENCLAW_GATEWAY_URL' | 'config gateway.remote.url' | 'local loopback';
  readonly token?: string | undefined;
  readonly password?: string | undefined;
}

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);

/**
 * --url, else OPENCLAW_GATEWAY_URL, else `gateway.remote.url` under mode `remote`, else this machine's.
 * Credentials are never sent to an address that they were not configured for: with --url they have
 * to be given beside it, with OPENCLAW_GATEWAY_URL they are those of the environment, and those of
 * `gateway.auth` go to this machine's gateway alone.
 * @throws VALIDATION for a bad address, a plain one beyond this machine and private networks, or missing credentials
 */
export function resolveGatewayTarget(flags: GatewayFlags, settings: GatewaySettings): GatewayTarget {
  const own = credentialsOf(flags);
  const url = given(flags.url);
  const { environment = {}, remote } = settings;
  if (url !== undefined) {
    if (own === undefined) {
      throw new SessionError('VALIDATION', '--url needs explicit credentials: configured ones belong to the local gateway.', {
        facts: { option: '--url' },
        hint: 'Pass --token or --password beside --url.',
      });
    }
    return { url: addressOf(url, '--url', 'cli --url', settings), urlSource: 'cli --url', ...own };
  }
  if (environment.url !== undefined) {
    const credentials = own ?? credentialsOf(environment);
    if (credentials === undefined) {
      throw new SessionError('VALIDATION', 'OPENCLAW_GATEWAY_URL needs explicit credentials: configured ones belong to the local gateway.', {
        facts: { variable: 'OPENCLAW_GATEWAY_URL' },
        hint: 'Set OPENCLAW_GATEWAY_TOKEN or OPENCLAW_GATEWAY_PASSWORD beside it, or pass --token or --password.',
      });
    }
    return { url: addressOf(environment.url, 'OPENCLAW_GATEWAY_URL', 'env OPENCLAW_GATEWAY_URL', settings), urlSource: 'env OPENCLAW_GATEWAY_URL', ...credentials };
  }
  if (remote === undefined) return localTarget(settings, own);
  if (remote.url === undefined) {
    throw new SessionError('VALIDATION', 'gateway remote mode misconfigured: gateway.remote.url missing', {
      facts: { option: 'gateway.remote.url' },
      hint: `Set gateway.remote.url in ${settings.configPath}, or gateway.mode to "local".`,
    });
  }
  const credentials = own ?? credentialsOf({ token: given(remote.token) ?? environment.token, password: environment.password ?? given(remote.password) });
  return { url: addressOf(remote.url, 'gateway.remote.url', 'config gateway.remote.url', settings), urlSource: 'config gateway.remote.url', token: undefined, password: undefined, ...credentials };
}

/** The gateway of this machine, whatever others are configured: for work on this machine's files. */
export function localTarget(settings: GatewaySettings, own?: GatewayCredentials): GatewayTarget {
  const { token, password } = own ?? settings;
  return { url: `ws://127.0.0.1:${settings.port}`, urlSource: 'local loopback', token: given(token), password: given(password) };
}

function credentialsOf(from: GatewayCredentials): GatewayCredentials | undefined {
  const token = given(from.token);
  const password = given(from.password);
  return token === undefined && password === undefined ? undefined : { token, password };
}

function addressOf(text: string, option: string, source: GatewayTarget['urlSource'], { allowsPlaintext = false, configPath }: GatewaySettings): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed?.protocol !== 'ws:' && parsed?.protocol !== 'wss:') {
    throw new SessionError('VALIDATION', `${option} must be a ws:// or wss:// address, for example ws://127.0.0.1:18789.`, { facts: { option } });
  }
  if (parsed.protocol === 'wss:' || mayBePlaintext(parsed.hostname, allowsPlaintext)) return text;
  const url = `ws://${parsed.host}${parsed.pathname === '/' ? '' : parsed.pathname}`;
  throw new SessionError('VALIDATION', `SECURITY ERROR: Gateway URL "${url}" uses plaintext ws:// to a non-loopback address: credentials and conversations could be read on the way.`, {
    facts: { option, source },
    hint: [
      `Source: ${source}`,
      `Config: ${configPath}`,
      'Use a wss:// address, or an SSH tunnel to the gateway\'s own loopback address: ssh -N -L 18789:127.0.0.1:18789 user@gateway-host',
      ...(allowsPlaintext ? [] : [`On a private network that you trust, for a host by its name: ${PLAINTEXT_VARIABLE}=1`]),
    ].join('\n'),
  });
}
