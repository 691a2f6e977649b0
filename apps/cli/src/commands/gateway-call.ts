/** `openclaw gateway call <method>`: one call, its answer on stdout. */
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseTimeoutMs } from '../flags/list-flags';
import { credentialHint } from '../gateway/credential-hint';
import { CALL_TIMEOUT_MS, connectGateway } from '../gateway/gateway-client';
import { GatewayRequestError, GatewayTransportError, toGatewayFailure } from '../gateway/gateway-errors';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import { PLAINTEXT_VARIABLE } from '../gateway/plaintext-host';
import type { GatewayFlags, GatewaySettings, GatewayTarget } from '../gateway/gateway-target';
import { leastScopes } from '../gateway/method-scopes';
import { VERSION } from '../version';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';

export interface GatewayCallFlags extends GatewayFlags {
  readonly method: string;
  readonly params?: string | undefined;
  readonly timeout?: string | undefined;
  readonly expectFinal?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** @throws VALIDATION unless it is a JSON object */
export function parseParams(given: string | undefined): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(given ?? '{}');
  } catch (cause) {
    throw new SessionError('VALIDATION', '--params is not valid JSON.', { facts: { option: '--params' }, hint: `Quote it for the shell: --params '{"limit":5}'`, cause });
  }
  if (isJsonObject(value)) return value;
  throw new SessionError('VALIDATION', '--params must be a JSON object.', { facts: { option: '--params' } });
}

/** What is known of the gateway that commands talk to. */
export function gatewaySettings({ config, environment }: CliContext): GatewaySettings {
  const { port, auth, mode, remote } = config.gateway;
  const { gatewayUrl: url, gatewayToken, gatewayPassword, configPath } = environment;
  return {
    port,
    token: auth.token,
    password: auth.password,
    ...(mode === 'remote' && { remote }),
    environment: { url, token: gatewayToken, password: gatewayPassword },
    allowsPlaintext: environment.variables[PLAINTEXT_VARIABLE] === '1',
    configPath,
  };
}

function describe(error: GatewayRequestError | GatewayTransportError, target: GatewayTarget, configPath: string): string {
  if (error instanceof GatewayRequestError) return `Gateway call failed: ${error.message} (${error.code})\n`;
  const lines = [`Gateway call failed: ${error.message}`, `Gateway target: ${target.url}`, `Source: ${target.urlSource}`, `Config: ${configPath}`];
  const hint = credentialHint(error, configPath) ?? 'Is a gateway running? Start one with: openclaw gateway run';
  return `${[...lines, hint].join('\n')}\n`;
}

export async function runGatewayCall(io: CliIo, flags: GatewayCallFlags): Promise<ExitCode> {
  const params = parseParams(flags.params);
  const timeoutMs = parseTimeoutMs(flags.timeout, CALL_TIMEOUT_MS);
  const context = loadCliContext(io);
  const target = resolveGatewayTarget(flags, gatewaySettings(context));
  try {
    const client = await connectGateway({ target, scopes: leastScopes(flags.method), timeoutMs, clientVersion: VERSION });
    try {
      const payload = await client.call(flags.method, params, { expectFinal: flags.expectFinal === true });
      io.out(`${JSON.stringify(payload ?? null, null, 2)}\n`);
      return EXIT.ok;
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof GatewayRequestError) && !(error instanceof GatewayTransportError)) throw error;
    if (flags.json === true) io.out(`${JSON.stringify(toGatewayFailure(error), null, 2)}\n`);
    io.err(describe(error, target, context.environment.configPath));
    return EXIT.failed;
  }
}
