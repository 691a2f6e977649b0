/** The parameters of `connect`: the closed set that existing clients send. */
import type { Device } from '../auth/device';
import { arrayOf, boolean, closed, describeMisfit, integer, oneOf, string, text } from './schema';

/** Programs that may connect, by the name they give. */
const CLIENT_IDS = [
  'webchat-ui', 'openclaw-control-ui', 'openclaw-tui', 'webchat', 'cli', 'gateway-client', 'openclaw-macos', 'openclaw-ios',
  'openclaw-android', 'node-host', 'test', 'fingerprint', 'openclaw-probe',
] as const;
const CLIENT_MODES = ['webchat', 'cli', 'ui', 'backend', 'node', 'probe', 'test'] as const;

export interface ConnectParams {
  readonly minProtocol: number;
  readonly maxProtocol: number;
  readonly client: {
    readonly id: string;
    readonly version: string;
    readonly platform: string;
    readonly mode: string;
    readonly displayName?: string;
    readonly deviceFamily?: string;
    readonly instanceId?: string;
  };
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly caps?: readonly string[];
  readonly auth?: { readonly token?: string; readonly password?: string; readonly deviceToken?: string; readonly bootstrapToken?: string };
  readonly device?: Device;
}

const SCHEMA = closed(
  {
    minProtocol: integer(1),
    maxProtocol: integer(1),
    client: closed(
      {
        id: oneOf(...CLIENT_IDS),
        displayName: text,
        version: text,
        platform: text,
        deviceFamily: text,
        modelIdentifier: text,
        mode: oneOf(...CLIENT_MODES),
        instanceId: text,
      },
      ['id', 'version', 'platform', 'mode'],
    ),
    caps: arrayOf(text),
    commands: arrayOf(text),
    permissions: { kind: 'record', values: boolean },
    pathEnv: string,
    role: text,
    scopes: arrayOf(text),
    device: closed({ id: text, publicKey: text, signature: text, signedAt: integer(0), nonce: text }, [
      'id', 'publicKey', 'signature', 'signedAt', 'nonce',
    ]),
    auth: closed({ token: string, bootstrapToken: string, deviceToken: string, password: string, approvalRuntimeToken: string }),
    locale: string,
    userAgent: string,
  },
  ['minProtocol', 'maxProtocol', 'client'],
);

export function parseConnectParams(
  params: unknown,
): { readonly ok: true; readonly params: ConnectParams } | { readonly ok: false; readonly problem: string } {
  const problem = describeMisfit(SCHEMA, params ?? {});
  return problem === undefined
    ? { ok: true, params: params as ConnectParams }
    : { ok: false, problem: `invalid connect params: ${problem}` };
}
