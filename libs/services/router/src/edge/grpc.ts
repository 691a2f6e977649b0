/**
 * The RouterService over gRPC, with health and reflection. Callers present the token or password
 * as `authorization: Bearer …` metadata, over TLS where it is configured, with a certificate of their
 * own where an authority for clients is; refusals carry ErrorDetails. Health needs no token.
 */
import { Metadata, Server, ServerCredentials, status as GrpcStatus } from '@grpc/grpc-js';
import type { ServerErrorResponse, ServerUnaryCall, ServerWritableStream, handleServerStreamingCall, handleUnaryCall, StatusObject } from '@grpc/grpc-js';
import { CALL_HEADER, RouterServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { defaultDeadlineMs, errorToHeaders, metaFromClient, methodOfPath, toSessionError } from '@sessions/bus';
import type { Bus, CallContext, Handlers, MethodShape } from '@sessions/bus';
import type { Logger } from '@sessions/host';
import { HealthImplementation } from 'grpc-health-check';
import type { Guard, Presented } from '../auth/guard';
import { scopeOfRpc } from '../auth/operations';
import { isRestrictedAlike } from '../auth/scopes';
import type { Listen } from '../deps';
import type { RouterHandlers } from '../handlers/router-service';
import { admission, openTo } from './grpc-admission';
import { refusalInProtoNames } from './proto-names';
import { SERVICE_NAME, reflectionOf } from './reflection';
import { Undecodable, tolerantly } from './tolerant-decoding';

/** Largest message in either direction, bytes. */
export const GRPC_MESSAGE_BYTES_MAX = 25 * 1024 * 1024;

/** Time for a call that takes longer than others, milliseconds; the caller's own deadline holds too. */
const LONG_CALLS: Readonly<Record<string, number>> = {
  SubmitMessage: 610_000,
  WaitRun: 610_000,
  InvokeTool: 610_000,
  CompactSession: 610_000,
  Cleanup: 130_000,
  ResetSession: 30_000,
  DeleteSession: 30_000,
  RestoreSession: 30_000,
  EraseSession: 610_000,
  AbortRun: 30_000,
  KillSession: 30_000,
};

/** PEM texts. */
export interface GrpcTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate signed by this authority; absent: they need none. */
  readonly clientCa?: Buffer;
}

export interface GrpcEdgeDeps {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly handlers: RouterHandlers;
  readonly guard: Guard;
  /** Absent: plain text. */
  readonly tls?: GrpcTls;
  readonly protoDir?: string;
  /** Aborts when the router drains: streams that follow would never end by themselves. */
  readonly closing: AbortSignal;
}

export interface GrpcEdge {
  listen(where: Listen): Promise<void>;
  address(): { readonly host: string; readonly port: number };
  /** Not serving any more; resolves when the calls in hand are answered. */
  drain(): Promise<void>;
  stop(): void;
}

type GrpcHandler = handleUnaryCall<unknown, unknown> | handleServerStreamingCall<unknown, unknown>;

export function createGrpcEdge(deps: GrpcEdgeDeps): GrpcEdge {
  const server = new Server({
    interceptors: [admission((path, peer, metadata) => strangersRefusal(deps, path, peer, metadata))],
    'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': GRPC_MESSAGE_BYTES_MAX,
  });
  const health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE_NAME]: 'NOT_SERVING' });
  server.addService(tolerantly(RouterServiceService), implementation(deps));
  const open = openTo(server);
  health.addToServer(open as Server);
  if (deps.protoDir !== undefined) reflectionOf(deps.protoDir).addToServer(open as Server);
  let bound: { host: string; port: number } | undefined;
  const announce = (state: 'SERVING' | 'NOT_SERVING'): void => {
    health.setStatus('', state);
    health.setStatus(SERVICE_NAME, state);
  };
  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
        server.bindAsync(where, credentialsOf(deps.tls), (error, boundPort) => {
          if (error !== null) return reject(error);
          bound = { host, port: boundPort };
          announce('SERVING');
          resolve();
        });
      }),
    address() {
      if (bound === undefined) throw new SessionError('INTERNAL', 'the gRPC server does not listen');
      return bound;
    },
    async drain() {
      announce('NOT_SERVING');
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    },
    stop: () => server.forceShutdown(),
  };
}

function credentialsOf(tls: GrpcTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { cert, key, clientCa } = tls;
  return ServerCredentials.createSsl(clientCa ?? null, [{ cert_chain: cert, private_key: key }], clientCa !== undefined);
}

/** One function a method of the contract. */
function implementation(deps: GrpcEdgeDeps): Record<string, GrpcHandler> {
  const handlers: Partial<Handlers<typeof RouterServiceService>> = deps.handlers;
  return Object.fromEntries(
    Object.entries(RouterServiceService).map(([name, definition]) => {
      const method = definition as unknown as MethodShape;
      const handler = handlers[name as keyof typeof handlers] as unknown as
        | ((request: unknown, context: CallContext) => Promise<unknown> & AsyncIterable<unknown>)
        | undefined;
      const begin = (call: Call): Promise<unknown> & AsyncIterable<unknown> => {
        const context = contextOf(deps, method, call);
        if (handler === undefined) throw new SessionError('UNSUPPORTED', `${methodOfPath(method.path)} is not served here`);
        if (call.request instanceof Undecodable) throw call.request.refusal();
        return handler(call.request, context);
      };
      const refused = (thrown: unknown): ServerErrorResponse => refusal(deps, thrown, method);
      const unary: handleUnaryCall<unknown, unknown> = (call, callback) => {
        void (async () => begin(call))().then(
          (answer) => callback(null, answer),
          (thrown: unknown) => callback(refused(thrown)),
        );
      };
      const stream: handleServerStreamingCall<unknown, unknown> = (call) => {
        void writeAll(deps, methodOfPath(method.path), call, () => begin(call)).then(
          () => call.end(),
          // The way of this library to end a stream with a status.
          (thrown: unknown) => call.emit('error', refused(thrown)),
        );
      };
      return [name, method.responseStream ? stream : unary];
    }),
  );
}

type Call = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

async function writeAll(deps: GrpcEdgeDeps, operation: string, call: ServerWritableStream<unknown, unknown>, answers: () => AsyncIterable<unknown>): Promise<void> {
  const presented = presentedBy(call.getPeer(), call.metadata, operation);
  const begun = deps.guard.again(presented);
  for await (const answer of answers()) {
    if (call.cancelled) return;
    // A stream may outlast the rights that it was begun with.
    const now = deps.guard.again(presented);
    if (now === undefined || begun === undefined) throw new SessionError('UNAUTHENTICATED', 'Unauthorized');
    deps.guard.assertScope(presented, now, scopeOfRpc(operation));
    if (!isRestrictedAlike(now, begun)) throw new SessionError('NOT_VISIBLE', 'forbidden');
    if (!call.write(answer)) await new Promise<void>((resolve) => void call.once('drain', resolve).once('cancelled', resolve));
  }
}

/** Of a call of somebody who may not make it, judged by its metadata alone; undefined: it goes on. */
function strangersRefusal(deps: GrpcEdgeDeps, path: string, peer: string, metadata: Metadata): StatusObject | undefined {
  if (!path.startsWith(`/${SERVICE_NAME}/`)) return undefined;
  try {
    admitted(deps, presentedBy(peer, metadata, methodOfPath(path)));
    return undefined;
  } catch (error) {
    const { code, details, metadata: told } = refusal(deps, error);
    return { code: code ?? GrpcStatus.UNKNOWN, details: details ?? '', metadata: told ?? new Metadata() };
  }
}

/** @throws UNAUTHENTICATED, RATE_LIMITED, SCOPE_MISSING */
function admitted(deps: GrpcEdgeDeps, presented: Presented): readonly string[] {
  const scopes = deps.guard.admit(presented);
  deps.guard.assertScope(presented, scopes, scopeOfRpc(presented.operation));
  return scopes;
}

/** @throws UNAUTHENTICATED, SCOPE_MISSING, VALIDATION */
function contextOf(deps: GrpcEdgeDeps, method: MethodShape, call: Call): CallContext {
  const presented = presentedBy(call.getPeer(), call.metadata, methodOfPath(method.path));
  // Once more: rights may have gone while the message came.
  const scopes = admitted(deps, presented);
  const leaving = new AbortController();
  call.on('cancelled', () => leaving.abort(new SessionError('SHUTTING_DOWN', 'the client has left')));
  const meta = metaFromClient(presented.headers, { caller: `client:grpc/${call.getPeer()}`, scopes });
  const signal = method.responseStream ? AbortSignal.any([leaving.signal, deps.closing]) : leaving.signal;
  return { ...meta, signal, deadlineAtMs: deadlineOf(deps, method, call) };
}

function presentedBy(peer: string, metadata: Metadata, operation: string): Presented & { readonly headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap())) if (typeof value === 'string') headers[name] = value;
  return { door: 'grpc', operation, address: addressOf(peer), headers };
}

/** The peer without its port. */
const addressOf = (peer: string): string => peer.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

function deadlineOf(deps: GrpcEdgeDeps, method: MethodShape, call: Call): number {
  const given = Number(call.getDeadline());
  const own = deps.bus.clock.nowMs() + (LONG_CALLS[methodOfPath(method.path)] ?? defaultDeadlineMs(method));
  return Number.isFinite(given) ? Math.min(given, own) : own;
}

/** @param method whose request it answers */
function refusal(deps: GrpcEdgeDeps, thrown: unknown, method?: MethodShape): ServerErrorResponse {
  const found = toSessionError(thrown);
  if (found.reason === 'INTERNAL') deps.logger.error('a gRPC call failed', { err: found });
  const error = method === undefined || found.reason !== 'VALIDATION' ? found : refusalInProtoNames(found, method.requestDeserialize(Buffer.alloc(0)) as object);
  const metadata = new Metadata();
  // Status and message travel as gRPC's own.
  metadata.set(CALL_HEADER.DETAILS.toLowerCase(), errorToHeaders(error)[CALL_HEADER.DETAILS] ?? '');
  return { name: 'SessionError', message: error.message, code: error.code as GrpcStatus, details: error.message, metadata };
}
