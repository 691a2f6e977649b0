/**
 * A client of the gateway's WebSocket protocol, version 4: one connection, calls one after the
 * other. The server speaks first (`connect.challenge`), the client answers with `connect`; then
 * requests and answers are paired by id.
 *
 * It is a `gateway-client`/`backend`: such a client needs no device identity on loopback, so a
 * command that only reads writes no identity file.
 */
import { GatewayRequestError, GatewayTransportError } from './gateway-errors';
import type { GatewayTarget } from './gateway-target';
import type { JsonObject } from '@sessions/domain';
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';

export const PROTOCOL_VERSION = 4;
export const CALL_TIMEOUT_MS = 10_000;
/** A larger frame closes the connection (wire bounds). */
const FRAME_BYTES_MAX = 25 * 1024 * 1024;
/** RFC 6455: the connection ended without a close frame. */
const ABNORMAL_CLOSURE = 1006;

export interface GatewayConnectOptions {
  readonly target: GatewayTarget;
  readonly scopes: readonly string[];
  /** For the handshake and for each call. */
  readonly timeoutMs: number;
  readonly clientVersion: string;
  /** Told of what the server says by itself. */
  readonly onEvent?: (event: string, payload: JsonObject) => void;
}

export interface CallOptions {
  /** Wait for the second answer of methods that first say `accepted`. */
  readonly expectFinal?: boolean;
  /** Instead of the connection's. */
  readonly timeoutMs?: number;
}

export interface GatewayClient {
  /** The server's `hello-ok`. */
  readonly hello: Readonly<Record<string, unknown>>;
  /** @throws GatewayRequestError, GatewayTransportError */
  call(method: string, params: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<unknown>;
  close(): void;
}

type Frame = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Frame => typeof value === 'object' && value !== null && !Array.isArray(value);

function toRequestError(error: unknown): GatewayRequestError {
  const { code, message, retryable, details } = isObject(error) ? error : {};
  return new GatewayRequestError(
    typeof code === 'string' ? code : 'UNAVAILABLE',
    typeof message === 'string' ? message : 'the gateway refused the request without a message',
    retryable === true,
    details,
  );
}

interface Waiting {
  readonly accept: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

/** Frames as they come, and the one wait that is open for them. */
class Connection {
  readonly #socket: WebSocket;
  readonly #target: GatewayTarget;
  #waiting: Waiting | undefined;
  #early: Frame[] = [];
  #ended: GatewayTransportError | undefined;
  #socketError: string | undefined;

  constructor(
    target: GatewayTarget,
    private readonly onEvent: GatewayConnectOptions['onEvent'],
  ) {
    this.#target = target;
    this.#socket = new WebSocket(target.url, { maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
    this.#socket.on('message', (data: WebSocket.RawData) => this.#receive(data));
    this.#socket.on('error', (error) => (this.#socketError = error.message));
    this.#socket.on('close', (code, reason) => this.#end(code, reason.toString('utf8')));
  }

  #receive(data: WebSocket.RawData): void {
    let frame: unknown;
    try {
      frame = JSON.parse(String(data));
    } catch {
      return;
    }
    if (!isObject(frame)) return;
    if (frame['type'] === 'event' && typeof frame['event'] === 'string' && isObject(frame['payload'])) this.onEvent?.(frame['event'], frame['payload'] as JsonObject);
    if (this.#waiting === undefined) this.#early.push(frame);
    else if (this.#waiting.accept(frame)) this.#waiting.resolve(frame);
  }

  #end(code: number, reason: string): void {
    const why = reason !== '' ? reason : (this.#socketError ?? 'no close reason');
    const name = code === ABNORMAL_CLOSURE ? 'abnormal closure (no close frame)' : 'closed';
    this.#ended = new GatewayTransportError('closed', `gateway closed (${code} ${name}): ${why}`, code, why, this.#target);
    this.#waiting?.reject(this.#ended);
  }

  /** The next frame that `accept` takes. */
  next(accept: (frame: Frame) => boolean, timeoutMs: number): Promise<Frame> {
    const early = this.#early.find(accept);
    this.#early = [];
    if (early !== undefined) return Promise.resolve(early);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise<Frame>((resolve, reject) => {
      const late = new GatewayTransportError('timeout', `gateway timeout after ${timeoutMs}ms`, null, null, this.#target);
      const timer = setTimeout(() => this.#waiting?.reject(late), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
      };
      this.#waiting = {
        accept,
        resolve: (frame) => (done(), resolve(frame)),
        reject: (error) => (done(), reject(error)),
      };
    });
  }

  send(frame: Frame): void {
    if (this.#ended === undefined) this.#socket.send(JSON.stringify(frame));
  }

  /** The close that follows a refused handshake says more than the refusal, when it comes. */
  async closed(withinMs: number): Promise<GatewayTransportError | undefined> {
    await this.next(() => false, withinMs).catch(() => undefined);
    return this.#ended;
  }

  close(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close();
    else this.#socket.terminate();
  }
}

/** How long the close after a refused handshake is waited for. */
const CLOSE_WAIT_MS = 1000;

async function shakeHands(connection: Connection, { target, scopes, timeoutMs, clientVersion }: GatewayConnectOptions): Promise<Frame> {
  await connection.next((frame) => frame['type'] === 'event' && frame['event'] === 'connect.challenge', timeoutMs);
  const id = randomUUID();
  const auth = { ...(target.token !== undefined && { token: target.token }), ...(target.password !== undefined && { password: target.password }) };
  connection.send({
    type: 'req',
    id,
    method: 'connect',
    params: {
      minProtocol: PROTOCOL_VERSION,
      maxProtocol: PROTOCOL_VERSION,
      client: { id: 'gateway-client', version: clientVersion, platform: process.platform, mode: 'backend' },
      role: 'operator',
      scopes,
      caps: [],
      ...(Object.keys(auth).length > 0 && { auth }),
    },
  });
  const answer = await connection.next((frame) => frame['type'] === 'res' && frame['id'] === id, timeoutMs);
  if (answer['ok'] === true && isObject(answer['payload'])) return answer['payload'];
  throw (await connection.closed(CLOSE_WAIT_MS)) ?? toRequestError(answer['error']);
}

/**
 * Connects and shakes hands.
 * @throws GatewayTransportError when nobody answers or the gateway closes; GatewayRequestError
 */
export async function connectGateway(options: GatewayConnectOptions): Promise<GatewayClient> {
  const connection = new Connection(options.target, options.onEvent);
  try {
    const hello = await shakeHands(connection, options);
    return {
      hello,
      async call(method, params, { expectFinal = false, timeoutMs = options.timeoutMs } = {}) {
        const id = randomUUID();
        connection.send({ type: 'req', id, method, params });
        const isAnswer = (frame: Frame): boolean => {
          const early = isObject(frame['payload']) && frame['payload']['status'] === 'accepted';
          return frame['type'] === 'res' && frame['id'] === id && !(expectFinal && early);
        };
        const answer = await connection.next(isAnswer, timeoutMs);
        if (answer['ok'] === true) return answer['payload'];
        throw toRequestError(answer['error']);
      },
      close: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}
