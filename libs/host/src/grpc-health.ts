/**
 * `grpc.health.v1` for an app that serves no gRPC of its own: orchestrators and meshes that probe
 * over gRPC ask here. The router's edge has the same service beside its own methods.
 *
 * It stands in this library because every app needs it and none may import another; the gRPC
 * packages are loaded when a port is configured, and not before: they cost some 20 MB of memory.
 */
import type { Health } from './health';

export interface GrpcHealth {
  /** @throws the system's error when the address cannot be had */
  listen(): Promise<void>;
  address(): { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

export interface GrpcHealthDeps {
  readonly health: Health;
  readonly listen: { readonly host: string; readonly port: number };
}

export function createGrpcHealth({ health, listen }: GrpcHealthDeps): GrpcHealth {
  let port: number | undefined;
  let close: () => void = () => undefined;
  return {
    async listen() {
      const [{ Server, ServerCredentials }, { HealthImplementation }] = await Promise.all([import('@grpc/grpc-js'), import('grpc-health-check')]);
      const server = new Server();
      const status = (): 'SERVING' | 'NOT_SERVING' => (health.report().ready ? 'SERVING' : 'NOT_SERVING');
      const service = new HealthImplementation({ '': status() });
      service.addToServer(server);
      const where = listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`;
      port = await new Promise<number>((resolve, reject) => {
        server.bindAsync(where, ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
      });
      const unsubscribe = health.onChange(() => service.setStatus('', status()));
      service.setStatus('', status());
      close = () => {
        unsubscribe();
        // Watch streams would hold an orderly shutdown for ever; there is nothing to finish here.
        server.forceShutdown();
      };
    },
    address() {
      if (port === undefined) throw new Error('the gRPC health server does not listen');
      return { host: listen.host, port };
    },
    async close() {
      close();
    },
  };
}
