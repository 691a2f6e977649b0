/** What tests of the command line need: a process that records instead of printing, a gateway that answers as told. */
import type { CliIo } from './cli-io';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

export interface RecordingIo extends CliIo {
  stdout(): string;
  stderr(): string;
}

export interface RecordingIoOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Epoch milliseconds. */
  readonly nowMs?: number;
  /** Columns of the terminal; none when absent. */
  readonly columns?: number;
}

export function recordingIo({ env = {}, cwd = '/', nowMs = 0, columns }: RecordingIoOptions = {}): RecordingIo {
  let out = '';
  let err = '';
  return {
    env,
    cwd,
    accountHome: '/nonexistent',
    columns: () => columns,
    nowMs: () => nowMs,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    stdout: () => out,
    stderr: () => err,
  };
}

export type Frame = Record<string, unknown>;

export interface ToldGateway {
  readonly url: string;
  readonly port: number;
  /** What clients have sent. */
  readonly frames: readonly Frame[];
  close(): Promise<void>;
}

/** A server that greets, records the frames it gets, and answers each request as `answer` says. */
export async function serveGateway(answer: (frame: Frame, socket: WebSocket) => void): Promise<ToldGateway> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.once('listening', resolve));
  const frames: Frame[] = [];
  server.on('connection', (socket) => {
    socket.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 1 } }));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      frames.push(frame);
      answer(frame, socket);
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    frames,
    close: async () => {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const reply = (socket: WebSocket, frame: Frame, rest: Frame): void => socket.send(JSON.stringify({ type: 'res', id: frame['id'], ...rest }));
/** A good answer to `connect`. */
export const HELLO = { ok: true, payload: { type: 'hello-ok', protocol: 4, server: { version: 't', connId: 'c' } } };
