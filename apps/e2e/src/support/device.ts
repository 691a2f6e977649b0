/** A device identity as the original's clients have one: an ed25519 key that signs what is asked for, bound to the challenge. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

export interface SignedFor {
  readonly client: { readonly id: string; readonly mode: string; readonly platform: string; readonly deviceFamily?: string };
  readonly role: string;
  readonly scopes: readonly string[];
  readonly token: string;
  readonly nonce: string;
}

export interface TestDevice {
  /** The `device` member of a connect request. */
  sign(claim: SignedFor): Record<string, unknown>;
}

export function newDevice(): TestDevice {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const id = createHash('sha256').update(raw).digest('hex');
  return {
    sign({ client, role, scopes, token, nonce }) {
      const signedAt = Date.now();
      const text = ['v3', id, client.id, client.mode, role, scopes.join(','), String(signedAt), token, nonce, client.platform.toLowerCase(), client.deviceFamily ?? ''].join('|');
      return { id, publicKey: raw.toString('base64url'), signature: sign(null, Buffer.from(text), privateKey).toString('base64url'), signedAt, nonce };
    },
  };
}
