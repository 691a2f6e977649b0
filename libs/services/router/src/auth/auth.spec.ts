import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { bearerMatches, judgeSecret } from './credentials';
import { DEVICE_CLOCK_SKEW_MAX_MS, judgeDevice, signedTexts } from './device';
import type { Device, SignedClaim } from './device';
import { scopeOf } from './operations';
import { holdsScope, narrowScopes } from './scopes';

const NOW_MS = 1_780_000_000_000;
const CLAIM: SignedClaim = {
  clientId: 'cli', clientMode: 'cli', role: 'operator', scopes: ['operator.read'], token: 't', platform: 'Linux', deviceFamily: undefined,
};

function signedDevice(version: 0 | 1 = 0, claim = CLAIM): Device {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const unsigned = { id: createHash('sha256').update(raw).digest('hex'), publicKey: raw.toString('base64url'), signature: '', signedAt: NOW_MS, nonce: 'n' };
  const text = signedTexts(unsigned, claim)[version] ?? '';
  return { ...unsigned, signature: sign(null, Buffer.from(text), privateKey).toString('base64url') };
}

describe('device identity', () => {
  it('accepts both texts that clients sign', () => {
    expect(judgeDevice(signedDevice(0), CLAIM, 'n', NOW_MS)).toBe('ok');
    expect(judgeDevice(signedDevice(1), CLAIM, 'n', NOW_MS)).toBe('ok');
  });

  it('refuses a signature over other scopes, another nonce, another key or another time', () => {
    const device = signedDevice();
    expect(judgeDevice(device, { ...CLAIM, scopes: ['operator.admin'] }, 'n', NOW_MS)).toBe('signature-invalid');
    expect(judgeDevice(device, CLAIM, 'other', NOW_MS)).toBe('nonce-mismatch');
    expect(judgeDevice({ ...device, publicKey: signedDevice().publicKey }, CLAIM, 'n', NOW_MS)).toBe('id-mismatch');
    expect(judgeDevice({ ...device, publicKey: 'AAAA' }, CLAIM, 'n', NOW_MS)).toBe('public-key-invalid');
    expect(judgeDevice(device, CLAIM, 'n', NOW_MS + DEVICE_CLOCK_SKEW_MAX_MS + 1)).toBe('signature-expired');
    expect(judgeDevice({ ...device, signature: 'AAAA' }, CLAIM, 'n', NOW_MS)).toBe('signature-invalid');
  });
});

describe('secrets', () => {
  it('matches only what is configured', () => {
    expect(judgeSecret('t', 't')).toBe('match');
    expect(judgeSecret('x', 't')).toBe('mismatch');
    expect(judgeSecret(undefined, 't')).toBe('missing');
    expect(judgeSecret('', '')).toBe('missing');
    expect(judgeSecret('t', undefined)).toBe('mismatch');
  });

  it('takes token or password behind Bearer', () => {
    expect(bearerMatches('Bearer t', { token: 't' })).toBe(true);
    expect(bearerMatches('bearer  p', { token: 't', password: 'p' })).toBe(true);
    expect(bearerMatches('Basic t', { token: 't' })).toBe(false);
    expect(bearerMatches(undefined, { token: 't' })).toBe(false);
    expect(bearerMatches('Bearer ', { token: '' })).toBe(false);
  });
});

describe('scopes', () => {
  it('includes write in admin and read in write', () => {
    expect(holdsScope(['operator.admin'], 'operator.read')).toBe(true);
    expect(holdsScope(['operator.write'], 'operator.read')).toBe(true);
    expect(holdsScope(['operator.write'], 'operator.admin')).toBe(false);
    expect(holdsScope(['operator.read'], 'operator.write')).toBe(false);
    expect(holdsScope([], 'operator.read')).toBe(false);
  });

  it('asks admin for every method that is not named', () => {
    expect(scopeOf('sessions.list')).toBe('operator.read');
    expect(scopeOf('chat.send')).toBe('operator.write');
    expect(scopeOf('sessions.patch')).toBe('operator.admin');
    expect(scopeOf('toString')).toBe('operator.admin');
  });

  it('narrows what is asked for to what is granted', () => {
    expect(narrowScopes(['operator.read', 'operator.admin', 'x'], ['operator.write'])).toEqual(['operator.read']);
    expect(narrowScopes(['x'], ['operator.admin', 'x'])).toEqual(['x']);
  });
});
