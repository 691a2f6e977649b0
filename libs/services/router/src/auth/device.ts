/**
 * A client's device identity: an ed25519 key whose id is its hash, and a signature over what the
 * client asks for, bound to this connection by the challenge's nonce.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';

export interface Device {
  readonly id: string;
  /** Raw 32 bytes, base64url. */
  readonly publicKey: string;
  readonly signature: string;
  readonly signedAt: number;
  readonly nonce: string;
}

/** What the signature covers beside the device itself. */
export interface SignedClaim {
  readonly clientId: string;
  readonly clientMode: string;
  readonly role: string;
  readonly scopes: readonly string[];
  /** Token that the client presented; absent: none. */
  readonly token: string | undefined;
  readonly platform: string;
  readonly deviceFamily: string | undefined;
}

export type DeviceVerdict = 'ok' | 'nonce-mismatch' | 'id-mismatch' | 'public-key-invalid' | 'signature-expired' | 'signature-invalid';

/** How far the client's clock may be from ours. */
export const DEVICE_CLOCK_SKEW_MAX_MS = 10 * 60 * 1000;

const RAW_KEY_BYTES = 32;
/** SubjectPublicKeyInfo of ed25519 before the 32 bytes of the key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The two texts that clients sign; the older one leaves out platform and family. */
export function signedTexts(device: Device, claim: SignedClaim): readonly string[] {
  const common = [
    device.id,
    claim.clientId,
    claim.clientMode,
    claim.role,
    claim.scopes.join(','),
    String(device.signedAt),
    claim.token ?? '',
    device.nonce,
  ];
  return [
    ['v3', ...common, claim.platform.trim().toLowerCase(), (claim.deviceFamily ?? '').trim().toLowerCase()].join('|'),
    ['v2', ...common].join('|'),
  ];
}

/** @param nonce the one of this connection's challenge */
export function judgeDevice(device: Device, claim: SignedClaim, nonce: string, nowMs: number): DeviceVerdict {
  if (device.nonce !== nonce) return 'nonce-mismatch';
  const raw = Buffer.from(device.publicKey, 'base64url');
  if (raw.length !== RAW_KEY_BYTES) return 'public-key-invalid';
  if (createHash('sha256').update(raw).digest('hex') !== device.id) return 'id-mismatch';
  if (Math.abs(nowMs - device.signedAt) > DEVICE_CLOCK_SKEW_MAX_MS) return 'signature-expired';
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  const signature = Buffer.from(device.signature, 'base64url');
  const signed = signedTexts(device, claim).some((text) => verify(null, Buffer.from(text, 'utf8'), key, signature));
  return signed ? 'ok' : 'signature-invalid';
}
