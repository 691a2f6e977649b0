/**
 * Decides on a `connect` request: protocol, credentials, device, role, scopes. Pure but for the
 * signature check; the texts, codes and close codes are those that existing clients act on.
 */
import { isOpen, isSameOrigin, judgeSecret } from '../auth/credentials';
import type { Credentials } from '../auth/credentials';
import { judgeDevice } from '../auth/device';
import type { DeviceVerdict } from '../auth/device';
import { narrowScopes } from '../auth/scopes';
import type { ConnectParams } from './connect-params';
import type { FrameError } from './gateway-frames';

/** Versions of the protocol that are spoken; the highest that a client knows too is used. */
export const PROTOCOL_MIN = 3;
export const PROTOCOL_MAX = 4;

export const CLOSE = { normal: 1000, protocol: 1002, policy: 1008, tooLarge: 1009, restart: 1012 } as const;

export interface HandshakeFacts {
  readonly credentials: Credentials;
  /** `gateway.auth.scopes`; absent: whatever is asked for. */
  readonly grantedScopes?: readonly string[];
  /** Of this connection's challenge. */
  readonly nonce: string;
  readonly nowMs: number;
  /** Headers of the upgrade request. */
  readonly origin?: string;
  readonly host?: string;
}

export interface Accepted {
  readonly ok: true;
  readonly protocol: number;
  readonly role: 'operator' | 'node';
  readonly scopes: readonly string[];
}

export interface Refused {
  readonly ok: false;
  readonly error: FrameError;
  readonly closeCode: number;
}

const CONTROL_UI = 'openclaw-control-ui';

const DEVICE_REFUSALS: Readonly<Record<Exclude<DeviceVerdict, 'ok'>, readonly [text: string, code: string]>> = {
  'nonce-mismatch': ['device nonce mismatch', 'DEVICE_AUTH_NONCE_MISMATCH'],
  'id-mismatch': ['device identity mismatch', 'DEVICE_AUTH_DEVICE_ID_MISMATCH'],
  'public-key-invalid': ['device public key invalid', 'DEVICE_AUTH_PUBLIC_KEY_INVALID'],
  'signature-expired': ['device signature expired', 'DEVICE_AUTH_SIGNATURE_EXPIRED'],
  'signature-invalid': ['device signature invalid', 'DEVICE_AUTH_SIGNATURE_INVALID'],
};

export function decideConnect(params: ConnectParams, facts: HandshakeFacts): Accepted | Refused {
  const protocol = Math.min(params.maxProtocol, PROTOCOL_MAX);
  if (protocol < Math.max(params.minProtocol, PROTOCOL_MIN)) return protocolMismatch(params);
  const role = params.role ?? 'operator';
  if (role !== 'operator' && role !== 'node') return refuse('invalid role');
  if (!originAllowed(params, facts)) {
    return refuse('origin not allowed (open the control UI from the gateway host)', { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' });
  }
  const scopes = params.scopes ?? [];
  if (params.device !== undefined) {
    const verdict = judgeDevice(params.device, { ...claimOf(params), role, scopes }, facts.nonce, facts.nowMs);
    if (verdict !== 'ok') {
      const [text, code] = DEVICE_REFUSALS[verdict];
      return refuse(text, { code });
    }
  }
  const refusal = judgeAuth(params, facts.credentials);
  if (refusal !== undefined) return refusal;
  const { grantedScopes } = facts;
  // A node acts for itself only; operator scopes on it would be a second way in.
  const held = role === 'node' ? [] : grantedScopes === undefined ? scopes : narrowScopes(scopes, grantedScopes);
  return { ok: true, protocol, role, scopes: held };
}

function claimOf({ client, auth }: ConnectParams) {
  return {
    clientId: client.id,
    clientMode: client.mode,
    token: auth?.token ?? auth?.deviceToken ?? auth?.bootstrapToken,
    platform: client.platform,
    deviceFamily: client.deviceFamily,
  };
}

function judgeAuth(params: ConnectParams, credentials: Credentials): Refused | undefined {
  if (isOpen(credentials)) return undefined;
  const token = judgeSecret(params.auth?.token, credentials.token);
  const password = judgeSecret(params.auth?.password, credentials.password);
  if (token === 'match' || password === 'match') return undefined;
  if (params.auth === undefined && params.device === undefined) {
    return refuse('device identity required', { code: 'DEVICE_IDENTITY_REQUIRED' }, 'NOT_PAIRED');
  }
  const kind = (credentials.token ?? '') === '' ? 'password' : 'token';
  const verdict = kind === 'token' ? token : password;
  const state = verdict === 'missing' ? 'missing' : 'mismatch';
  const keepsSecret = params.client.id === 'cli' || params.device !== undefined;
  const retry = state === 'mismatch' && kind === 'token' && keepsSecret;
  const advice = keepsSecret ? `set gateway.remote.${kind} to match gateway.auth.${kind}` : `provide gateway auth ${kind}`;
  return refuse(`unauthorized: gateway ${kind} ${state} (${advice})`, {
    code: `AUTH_${kind.toUpperCase()}_${state.toUpperCase()}`,
    authReason: `${kind}_${state}`,
    canRetryWithDeviceToken: retry,
    recommendedNextStep: retry ? 'retry_with_device_token' : 'update_auth_credentials',
  });
}

/**
 * A page of another site must not drive the gateway: neither with a token that the browser keeps
 * for the control UI, nor where no token is asked for.
 */
function originAllowed({ client }: ConnectParams, { origin, host, credentials }: HandshakeFacts): boolean {
  if (client.id === CONTROL_UI) return origin !== undefined && isSameOrigin(origin, host);
  return !isOpen(credentials) || isSameOrigin(origin, host);
}

function protocolMismatch({ minProtocol, maxProtocol }: ConnectParams): Refused {
  return {
    ok: false,
    closeCode: CLOSE.protocol,
    error: {
      code: 'INVALID_REQUEST',
      message: 'protocol mismatch',
      details: {
        code: 'PROTOCOL_MISMATCH',
        clientMinProtocol: minProtocol,
        clientMaxProtocol: maxProtocol,
        expectedProtocol: PROTOCOL_MAX,
        minimumProbeProtocol: PROTOCOL_MIN,
      },
    },
  };
}

function refuse(message: string, details?: FrameError['details'], code = 'INVALID_REQUEST'): Refused {
  return { ok: false, closeCode: CLOSE.policy, error: { code, message, ...(details !== undefined && { details }) } };
}
