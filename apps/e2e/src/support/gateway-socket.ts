/** A client of the WebSocket door that can also misbehave: raw frames, frames before `connect`. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { DoorPlace } from './door';

const ANSWER_TIMEOUT_MS = 60_000;

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly event?: string;
  readonly ok?: boolean;
  readonly payload?: Record<string, unknown>;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: Record<string, unknown> };
}

export interface GatewaySocket {
  /** Of the challenge. */
  readonly nonce: string;
  /** Sends text or bytes as they are. */
  raw(data: string | Uint8Array): void;
  /** The first frame, already come or coming, that `accept` takes; each is taken once. */
  next(accept: (frame: Frame) => boolean): Promise<Frame>;
  /** One request and its answer, whatever it is. */
  request(method: string, params?: unknown): Promise<Frame>;
  /** One request and its payload. @throws when it was refused */
  call(method: string, params?: unknown): Promise<Record<string, unknown>>;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly isOpen: () => boolean;
  close(): void;
}

export interface ConnectOptions {
  readonly token?: string | undefined;
  readonly scopes?: readonly string[];
}

export const connectParams = ({ token, scopes = ['operator.admin'] }: ConnectOptions): Record<string, unknown> => ({
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: 'gateway-client', version: '0.0.0-test', platform: 'linux', mode: 'backend' },
  role: 'operator',
  scopes,
  caps: [],
  ...(token !== undefined && { auth: { token } }),
});

/** Opens a socket and waits for the challenge; says nothing yet. @param headers of the upgrade, as `origin` */
export async function openSocket(gateway: Pick<DoorPlace, 'url'>, headers: Readonly<Record<string, string>> = {}): Promise<GatewaySocket> {
  const socket = new WebSocket(gateway.url.replace('http:', 'ws:'), { perMessageDeflate: false, headers });
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => [...waiting].forEach((look) => look());
  let sentCount = 0;
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)) as Frame);
    wake();
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(([code, reason]) => {
    wake();
    return { code: code as number, reason: String(reason) };
  });

  const next = (accept: (frame: Frame) => boolean): Promise<Frame> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      const look = (): void => {
        const at = frames.findIndex(accept);
        const [found] = at === -1 ? [] : frames.splice(at, 1);
        if (found !== undefined) resolve(found);
        else if (socket.readyState >= WebSocket.CLOSING) reject(new Error('the gateway closed the connection'));
        else return;
        end();
      };
      const timer = setTimeout(() => (end(), reject(new Error('no answer came in time'))), ANSWER_TIMEOUT_MS);
      waiting.add(look);
      look();
    });
  const request = async (method: string, params?: unknown): Promise<Frame> => {
    const id = `r${(sentCount += 1)}`;
    socket.send(JSON.stringify({ type: 'req', id, method, params }));
    return next((frame) => frame.type === 'res' && frame.id === id);
  };
  const challenge = await next((frame) => frame.event === 'connect.challenge');
  return {
    nonce: String(challenge.payload?.['nonce']),
    raw: (data) => socket.send(data),
    next,
    request,
    async call(method, params) {
      const { ok, payload, error } = await request(method, params);
      if (ok !== true || payload === undefined) throw new Error(`${method}: ${error?.message ?? 'no payload'}`);
      return payload;
    },
    closed,
    isOpen: () => socket.readyState === WebSocket.OPEN,
    close: () => socket.terminate(),
  };
}

/** Opens a socket and shakes hands. @throws when the gateway refuses */
export async function connectSocket(gateway: Pick<DoorPlace, 'url' | 'token'>, options: ConnectOptions = {}): Promise<GatewaySocket> {
  const socket = await openSocket(gateway);
  await socket.call('connect', connectParams({ token: gateway.token, ...options }));
  return socket;
}
