/**
 * Asks the gateway of this configuration, where one listens. Nobody listening on this machine is no
 * failure: then a command works on the files. A gateway that answers with an error has answered.
 */
import type { CliContext } from '../cli-context';
import { gatewaySettings } from '../commands/gateway-call';
import { VERSION } from '../version';
import { connectGateway } from './gateway-client';
import { credentialHint } from './credential-hint';
import { GatewayRequestError, GatewayTransportError } from './gateway-errors';
import { resolveGatewayTarget } from './gateway-target';
import { leastScopes } from './method-scopes';
import { SessionError, isJsonObject, isReason } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';

/** A clean-up reads whole stores. */
const TIMEOUT_MS = 600_000;
/** Close codes of a connection that came about and was refused. */
const REFUSED_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1013]);

/** Calls over one connection. */
export type CallGateway = (method: string, params: JsonObject) => Promise<JsonObject>;

/** @returns undefined when nobody listens. @throws what the gateway answers, as a refusal of its reason */
export function askGateway(context: CliContext, method: string, params: JsonObject): Promise<JsonObject | undefined> {
  return withGateway(context, [method], (call) => call(method, params));
}

/**
 * @param methods all that `work` calls
 * @returns undefined when nobody listens: then `work` is not begun
 */
export async function withGateway<T>(context: CliContext, methods: readonly string[], work: (call: CallGateway) => Promise<T>): Promise<T | undefined> {
  let isConnected = false;
  const target = resolveGatewayTarget({}, gatewaySettings(context));
  let last = methods[0] ?? '';
  try {
    const client = await connectGateway({ target, scopes: [...new Set(methods.flatMap(leastScopes))], timeoutMs: TIMEOUT_MS, clientVersion: VERSION });
    isConnected = true;
    try {
      return await work(async (method, params) => {
        last = method;
        const payload = await client.call(method, params);
        if (isJsonObject(payload)) return payload;
        throw new SessionError('INTERNAL', `The gateway's answer to ${method} is no object.`);
      });
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof GatewayRequestError) throw asRefusal(error);
    if (!(error instanceof GatewayTransportError)) throw error;
    // Where another gateway is meant, this machine's files are not.
    if (!isConnected && target.urlSource === 'local loopback' && (error.code === null || !REFUSED_CODES.has(error.code))) return undefined;
    throw new SessionError('NO_OWNER', `The gateway did not answer ${last}: ${error.message}`, { hint: credentialHint(error, context.environment.configPath) ?? 'Look with: openclaw status --deep', cause: error });
  }
}

function asRefusal(error: GatewayRequestError): SessionError {
  const reason = isJsonObject(error.details) ? error.details['reason'] : undefined;
  return new SessionError(typeof reason === 'string' && isReason(reason) ? reason : 'INTERNAL', error.message, { cause: error });
}
