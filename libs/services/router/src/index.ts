/** The edge of the system: WebSocket, HTTP and gRPC in, the bus behind. */
export { createRouter } from './router';
export type { Router } from './router';
export type { Listen, RouterDeps } from './deps';
export type { Credentials } from './auth/credentials';
export type { GrpcTls } from './edge/grpc';
