/** The files with which the gRPC door speaks TLS, read and held against each other before it opens. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { SessionError } from '@sessions/domain';
import { readAppEnvironment, type AppEnvironment } from './app-environment';

/** PEM texts. */
export interface GrpcTlsTexts {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate signed by this authority; absent: they need none. */
  readonly clientCa?: Buffer;
}

/** @returns undefined: plain text. @throws CONFIG_INVALID naming the variable whose file cannot be used */
export function readGrpcTls({ grpcCertFile, grpcKeyFile, grpcClientCaFile }: Pick<AppEnvironment, 'grpcCertFile' | 'grpcKeyFile' | 'grpcClientCaFile'>): GrpcTlsTexts | undefined {
  if (grpcCertFile === undefined && grpcKeyFile === undefined && grpcClientCaFile === undefined) return undefined;
  if (grpcCertFile === undefined || grpcKeyFile === undefined) {
    throw new SessionError('CONFIG_INVALID', 'TLS of the gRPC door needs SESS_GRPC_TLS_CERT and SESS_GRPC_TLS_KEY');
  }
  const cert = read('SESS_GRPC_TLS_CERT', grpcCertFile);
  const key = read('SESS_GRPC_TLS_KEY', grpcKeyFile);
  assertCertificate('SESS_GRPC_TLS_CERT', cert);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new SessionError('CONFIG_INVALID', 'SESS_GRPC_TLS_KEY: the file is no key of the certificate in SESS_GRPC_TLS_CERT', { cause });
  }
  if (grpcClientCaFile === undefined) return { cert, key };
  const clientCa = read('SESS_GRPC_TLS_CLIENT_CA', grpcClientCaFile);
  // What is none would be no authority, and every client refused without a word why.
  assertCertificate('SESS_GRPC_TLS_CLIENT_CA', clientCa);
  return { cert, key, clientCa };
}

/** The same for a program that reads no other variables of the apps. @throws CONFIG_INVALID */
export function readGrpcTlsOf({ SESS_GRPC_TLS_CERT, SESS_GRPC_TLS_KEY, SESS_GRPC_TLS_CLIENT_CA }: Readonly<Record<string, string | undefined>>, homeDir: string): GrpcTlsTexts | undefined {
  return readGrpcTls(readAppEnvironment({ SESS_GRPC_TLS_CERT, SESS_GRPC_TLS_KEY, SESS_GRPC_TLS_CLIENT_CA }, homeDir));
}

function read(variable: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SessionError('CONFIG_INVALID', `${variable}: the file cannot be read`, { cause });
  }
}

function assertCertificate(variable: string, pem: Buffer): void {
  try {
    void new X509Certificate(pem);
  } catch (cause) {
    throw new SessionError('CONFIG_INVALID', `${variable}: the file is no certificate in PEM`, { cause });
  }
}
