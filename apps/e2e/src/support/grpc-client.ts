/** A client of the gRPC door: unary calls of the RouterService with the gateway's token. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { RouterServiceService } from '@sessions/contracts';
import type { Gateway } from './gateway';

const CALL_DEADLINE_MS = 15_000;

export interface GrpcClient {
  /** @param method in camel case. @throws ServiceError */
  call<T>(method: string, request: unknown): Promise<T>;
  close(): void;
}

const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

export function openGrpc({ grpc, token }: Pick<Gateway, 'grpc' | 'token'>): GrpcClient {
  if (grpc === undefined) throw new Error('this gateway serves no gRPC');
  const client = new RouterClient(grpc, credentials.createInsecure()) as unknown as Client & Record<string, (...args: unknown[]) => unknown>;
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return {
    call: <T>(method: string, request: unknown) =>
      new Promise<T>((resolve, reject) => {
        const done = (error: ServiceError | null, answer: T): void => (error === null ? resolve(answer) : reject(error));
        client[method]?.call(client, request, metadata, { deadline: Date.now() + CALL_DEADLINE_MS }, done);
      }),
    close: () => client.close(),
  };
}
