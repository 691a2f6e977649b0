/** A client of the gRPC door: calls and streams of the RouterService with the gateway's token. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { RouterServiceService } from '@sessions/contracts';
import type { DoorPlace } from './door';

const CALL_DEADLINE_MS = 15_000;

export interface GrpcClient {
  /** @param method in camel case. @throws ServiceError */
  call<T>(method: string, request: unknown): Promise<T>;
  /** The items of a stream until `isEnough`, else until it ends. @throws ServiceError */
  stream<T>(method: string, request: unknown, isEnough?: (items: readonly T[]) => boolean): Promise<T[]>;
  close(): void;
}

const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

export function openGrpc({ grpc, token }: Pick<DoorPlace, 'grpc' | 'token'>): GrpcClient {
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
    stream: <T>(method: string, request: unknown, isEnough: (items: readonly T[]) => boolean = () => false) =>
      new Promise<T[]>((resolve, reject) => {
        const items: T[] = [];
        const stream = client[method]?.call(client, request, metadata, { deadline: Date.now() + CALL_DEADLINE_MS }) as ClientReadableStream<T>;
        stream.on('error', reject).on('end', () => resolve(items));
        stream.on('data', (item) => {
          items.push(item);
          if (!isEnough(items)) return;
          resolve(items);
          stream.cancel();
        });
      }),
    close: () => client.close(),
  };
}
