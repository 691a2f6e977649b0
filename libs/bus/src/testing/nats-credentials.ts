/**
 * Operator, account and users of a nats-server that knows its clients by signed tokens, made for one
 * test. Format: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
 */
import { createHash } from 'node:crypto';
import { nkeys } from 'nats';

type KeyPair = ReturnType<typeof nkeys.createUser>;

export interface TestCredentials {
  /** Lines for the server's configuration. */
  readonly config: string;
  /** Text of a credentials file. */
  readonly credentials: string;
  /** Of a user whose account the server does not know. */
  readonly strangerCredentials: string;
}

const WITHOUT_LIMIT = -1;
const JETSTREAM = { mem_storage: WITHOUT_LIMIT, disk_storage: WITHOUT_LIMIT, streams: WITHOUT_LIMIT, consumer: WITHOUT_LIMIT };
const ACCOUNT_LIMITS = { subs: WITHOUT_LIMIT, data: WITHOUT_LIMIT, payload: WITHOUT_LIMIT, imports: WITHOUT_LIMIT, exports: WITHOUT_LIMIT, conn: WITHOUT_LIMIT, leaf: WITHOUT_LIMIT, wildcards: true };

export function createTestCredentials(): TestCredentials {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const system = nkeys.createAccount();
  const operatorToken = sign(operator, operator, { type: 'operator', version: 2, system_account: system.getPublicKey() });
  const systemToken = sign(system, operator, { type: 'account', version: 2, limits: ACCOUNT_LIMITS });
  const accountToken = sign(account, operator, { type: 'account', version: 2, limits: { ...ACCOUNT_LIMITS, ...JETSTREAM } });
  return {
    config: [`operator: ${operatorToken}`, 'resolver: MEMORY', `system_account: ${system.getPublicKey()}`, `resolver_preload: { ${account.getPublicKey()}: ${accountToken}, ${system.getPublicKey()}: ${systemToken} }`].join('\n'),
    credentials: userOf(account),
    strangerCredentials: userOf(nkeys.createAccount()),
  };
}

function userOf(account: KeyPair): string {
  const user = nkeys.createUser();
  const token = sign(user, account, { type: 'user', version: 2, subs: WITHOUT_LIMIT, data: WITHOUT_LIMIT, payload: WITHOUT_LIMIT });
  const seed = Buffer.from(user.getSeed()).toString('ascii');
  return `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
}

function sign(subject: KeyPair, issuer: KeyPair, nats: object): string {
  const claims = { iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name: 'test', nats };
  const jti = createHash('sha256').update(JSON.stringify(claims)).digest('hex');
  const text = [{ typ: 'JWT', alg: 'ed25519-nkey' }, { ...claims, jti }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
