/**
 * Decides on a `connect` request: protocol, credentials, device, role, scopes. Pure but for the
 * signature check; the texts, codes and close codes are those that existing clients act on.
 */
import { isListedOrigin, isOpen, isOwnPage, isSameOrigin, judgeSecret, principalOf, proxiedPrincipal, sharedPrincipal, userPrincipal } from '../auth/credentials';
import type { Authority, Principal, ProxyHeaders } from '../auth/credentials';
import { judgeDevice } from '../auth/device';
import type { DeviceVerdict } from '../auth/device';
import { readDeviceToken, writeDeviceToken } from '../auth/device-token';
import type { KnownPairing } from '../auth/device-token';
import { heldScopes, isAgentWord } from '../auth/scopes';
import type { ConnectParams } from './connect-params';
import type { FrameError } from './gateway-frames';

/** Versions of the protocol that are spoken; the highest that a client knows too is used. */
export const PROTOCOL_MIN = 3;
export const PROTOCOL_MAX = 4;

export const CLOSE = { normal: 1000, protocol: 1002, policy: 1008, tooLarge: 1009, restart: 1012 } as const;

export interface HandshakeFacts {
  readonly authority: Authority;
  /** The address presented too many wrong secrets; it is not judged. */
  readonly isLimited?: boolean;
  /** Of this connection's challenge. */
  readonly nonce: string;
  readonly nowMs: number;
  /** Headers of the upgrade request. */
  readonly origin?: string;
  readonly host?: string;
  readonly headers?: ProxyHeaders;
  /** Of the other end of the socket. */
  readonly address?: string;
}

export interface Accepted {
  readonly ok: true;
  readonly protocol: number;
  readonly role: 'operator' | 'node';
  readonly scopes: readonly string[];
  /** Lets the device come again without the secret; only for one that showed its key. */
  readonly deviceToken?: { readonly token: string; readonly issuedAtMs: number };
}

export interface Refused {
  readonly ok: false;
  /** A wrong secret, which counts against its address. */
  readonly isFailure?: boolean;
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
  const judged = judgeAuth(params, facts);
  if ('ok' in judged) return judged;
  const { pairing } = judged;
  if (pairing !== undefined && params.device !== undefined) {
    const lacking = scopes.filter((scope) => !heldScopes([scope], pairing.scopes).includes(scope));
    if (lacking.length > 0) return scopeUpgrade(params.device.id, role, scopes, pairing);
  }
  const held = scopesOf(params, judged);
  return { ok: true, protocol, role, scopes: held, ...tokenFor(params, facts, judged, held) };
}

function scopesOf({ role, scopes = [] }: ConnectParams, { principal, pairing }: Judged): readonly string[] {
  // What a device was paired without stays away, also a restriction to agents that it asked for itself.
  const granted = pairing === undefined ? principal.granted : heldScopes(pairing.scopes, principal.granted);
  // A node acts for itself only; operator scopes on it would be a second way in.
  return role === 'node' ? [] : heldScopes(scopes, granted);
}

/** What a client that was accepted would be given by now; undefined: it would be refused. */
export function scopesByNow(params: ConnectParams, facts: HandshakeFacts): readonly string[] | undefined {
  const judged = judgeAuth(params, { ...facts, isLimited: false });
  return 'ok' in judged ? undefined : scopesOf(params, judged);
}

interface Judged {
  readonly principal: Principal;
  /** What a device token said. */
  readonly pairing?: KnownPairing;
}

/** A device that came with a secret gets its pairing as a token. */
function tokenFor({ device, scopes: asked = [] }: ConnectParams, { authority, nowMs }: HandshakeFacts, { principal, pairing }: Judged, held: readonly string[]): Pick<Accepted, 'deviceToken'> {
  if (device === undefined || pairing !== undefined || isOpen(authority) || principal.name === 'proxy') return {};
  const owner = authority.users.find((user) => userPrincipal(user).id === principal.id);
  // The agents of a user are those of the configuration at each use; what the device itself gave up is kept.
  const scopes = [...held.filter((scope) => !isAgentWord(scope)), ...asked.filter(isAgentWord)];
  const token = writeDeviceToken({ deviceId: device.id, scopes, issuedAtMs: nowMs }, owner, authority);
  return token === undefined ? {} : { deviceToken: { token, issuedAtMs: nowMs } };
}

function scopeUpgrade(deviceId: string, role: string, asked: readonly string[], { scopes, issuedAtMs }: KnownPairing): Refused {
  const details = {
    code: 'PAIRING_REQUIRED',
    reason: 'scope-upgrade',
    requestId: `${deviceId.slice(0, 16)}-${issuedAtMs}`,
    remediationHint: 'connect once with the gateway token to pair with more scopes',
    deviceId,
    requestedRole: role,
    requestedScopes: asked,
    approvedRoles: [role],
    approvedScopes: scopes,
  };
  return refuse('pairing required: the device asks for more scopes than it is paired with', details, 'NOT_PAIRED');
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

function judgeAuth(params: ConnectParams, facts: HandshakeFacts): Judged | Refused {
  const { authority, address = '', headers = {} } = facts;
  if (isOpen(authority)) return { principal: { name: 'nobody', id: 'nobody', granted: authority.grantedScopes } };
  if (facts.isLimited === true) {
    return refuse('unauthorized: too many failed attempts (try again later)', { code: 'AUTH_RATE_LIMITED', authReason: 'rate_limited', recommendedNextStep: 'wait_then_retry' }, 'UNAVAILABLE');
  }
  const { auth, device } = params;
  const principal = proxiedPrincipal(authority, address, headers) ?? principalOf(auth?.token, { ...withoutPassword(authority) }) ?? principalOf(auth?.password, { users: [], ...passwordOf(authority) });
  if (principal !== undefined) return { principal };
  const paired = auth?.deviceToken === undefined || device === undefined ? undefined : readDeviceToken(auth.deviceToken, device.id, authority, facts.nowMs);
  if (paired !== undefined) return { principal: pairedPrincipal(authority, paired), pairing: paired };
  return refuseSecret(params, authority);
}

const withoutPassword = ({ password: _, ...rest }: Authority): Authority => rest;
const passwordOf = ({ password, grantedScopes }: Authority) => ({ ...(password !== undefined && { password }), ...(grantedScopes !== undefined && { grantedScopes }) });

/** What the pairing's owner may do by now. */
const pairedPrincipal = (authority: Authority, { owner }: KnownPairing): Principal => (owner === undefined ? sharedPrincipal(authority) : userPrincipal(owner));

function refuseSecret(params: ConnectParams, authority: Authority): Refused {
  const { auth, device } = params;
  if (auth === undefined && device === undefined) return refuse('device identity required', { code: 'DEVICE_IDENTITY_REQUIRED' }, 'NOT_PAIRED');
  const kind = (authority.token ?? '') === '' && (authority.password ?? '') !== '' ? 'password' : 'token';
  const presented = auth?.[kind];
  const state = judgeSecret(presented, undefined) === 'missing' ? 'missing' : 'mismatch';
  const keepsSecret = params.client.id === 'cli' || device !== undefined;
  const retry = state === 'mismatch' && kind === 'token' && keepsSecret;
  const advice = keepsSecret ? `set gateway.remote.${kind} to match gateway.auth.${kind}` : `provide gateway auth ${kind}`;
  const refused = refuse(`unauthorized: gateway ${kind} ${state} (${advice})`, {
    code: `AUTH_${kind.toUpperCase()}_${state.toUpperCase()}`,
    authReason: `${kind}_${state}`,
    canRetryWithDeviceToken: retry,
    recommendedNextStep: retry ? 'retry_with_device_token' : 'update_auth_credentials',
  });
  return { ...refused, isFailure: true };
}

/**
 * A page of another site must not drive the gateway: neither with a token that the browser keeps
 * for the control UI, nor where no token is asked for, nor as the user that a proxy knows.
 */
function originAllowed({ client }: ConnectParams, { origin, host, authority, address = '', headers = {} }: HandshakeFacts): boolean {
  if (client.id === CONTROL_UI && !(origin !== undefined && (isListedOrigin(origin, authority.allowedOrigins) || isSameOrigin(origin, host)))) return false;
  const needsNoSecret = isOpen(authority) || proxiedPrincipal(authority, address, headers) !== undefined;
  return !needsNoSecret || isOwnPage({ origin, host }, authority);
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
