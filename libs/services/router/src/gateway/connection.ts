/**
 * One WebSocket of the gateway, from challenge to close.
 *
 * The server speaks first; the first request must be `connect`, within the handshake time and in
 * small frames; afterwards requests are answered as they finish, at most `REQUESTS_IN_FLIGHT_MAX` at
 * a time. Events wait for their turn (`send-turns.ts`), answers do not; what is sent comes in the
 * order in which it was given, piece by piece: the next leaves when the socket has taken the one
 * before. Nobody waits for a slow client: what it does not take is held up to `bufferedBytesMax`,
 * then the connection ends. A connection keeps nothing that outlives it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { SessionError } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { Timer } from '@sessions/host';
import type { RawData, WebSocket } from 'ws';
import { guardBytes } from './byte-guard';
import type { Channel, Hearing, Member } from './channel';
import { BUFFERED_BYTES_MAX, CLOSE_GRACE_MS, HANDSHAKE_BYTES_MAX, HANDSHAKE_TIMEOUT_MS, REQUESTS_IN_FLIGHT_MAX, STEPS_SHARE, TICK_INTERVAL_MS } from './connection-bounds';
import { parseConnectParams } from './connect-params';
import type { ConnectParams } from './connect-params';
import type { ConnectionDeps } from './connection-deps';
import { FrameReader } from './frame-reader';
import { FrameRefusal, formatAnswer, formatEvent, formatRefusal, parseFrame, toFrameError } from './gateway-frames';
import type { FrameError } from './gateway-frames';
import { CLOSE, decideConnect, scopesByNow } from './handshake';
import type { Accepted, HandshakeFacts } from './handshake';
import { HeldEvents } from './held-events';
import { Outbox } from './outbox';
import { PacedSocket } from './paced-socket';
import { fitReason, rawBytes } from './socket-text';
import { PING_FRAME, numberedFrame, textFrame } from './shared-frame';
import type { NumberedFrame } from './shared-frame';
import { plainAddress } from '../auth/credentials';
import { failureKeyOf } from '../auth/failure-limit';

export class Connection implements Hearing, Member {
  readonly connId = randomUUID();
  /** Granted by the handshake. */
  scopes: readonly string[] = [];
  role: 'operator' | 'node' = 'operator';
  protocol = 0;
  clientId = '';
  /** Where the client's socket comes from. */
  readonly address: string;
  /** Whose wrong secrets are counted together. */
  readonly #failureKey: string;
  /** Handed out with the hello. */
  deviceToken: Accepted['deviceToken'];
  readonly #deps: ConnectionDeps;
  readonly #socket: WebSocket;
  readonly #request: IncomingMessage;
  readonly #reader: FrameReader;
  readonly #nonce = randomUUID();
  /** What the client said of itself when it was accepted. */
  #accepted: ConnectParams | undefined;
  readonly #leaving = new AbortController();
  #state: 'challenged' | 'connecting' | 'connected' | 'closed' = 'challenged';
  #connecting: Promise<void> = Promise.resolve();
  #handshakeTimer: Timer | undefined;
  #tickTimer: Timer | undefined;
  #inFlight = 0;
  #followsAll = false;
  readonly #followedKeys = new Set<string>();
  readonly #outbox = new Outbox();
  readonly #held: HeldEvents;
  readonly #paced: PacedSocket;
  /** What is due at a tick. */
  #tickFrames: readonly Buffer[] = [];
  #alive = true;

  constructor(socket: WebSocket, request: IncomingMessage, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#reader = new FrameReader(this.#socket);
    this.#request = request;
    this.#deps = deps;
    this.#paced = new PacedSocket(request.socket, (wasSlow) => this.#onTaken(wasSlow));
    this.#held = new HeldEvents(deps.clock, () => this.flush());
    this.address = plainAddress(request.socket.remoteAddress);
    this.#failureKey = failureKeyOf(this.address, request.headers);
  }

  /** Aborts when the client has left. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  get #bufferedBytesMax(): number {
    return this.#deps.bufferedBytesMax ?? BUFFERED_BYTES_MAX;
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** Has been told to go, or has gone. */
  get isClosing(): boolean {
    return !this.#isOpen;
  }

  /** Hears of every session. */
  get followsAll(): boolean {
    return this.#followsAll;
  }

  /** Sessions followed by key, canonical. */
  get followedKeys(): ReadonlySet<string> {
    return this.#followedKeys;
  }

  /** Bytes that this client has not taken. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount + this.#outbox.bytes;
  }

  /** Index of the next event of its channel. */
  get place(): number {
    return this.#outbox.place;
  }

  /** Begins or ends to hear of every session. */
  followAll(follows: boolean): void {
    this.#followsAll = follows;
    this.#joinChannel();
  }

  /** Begins or ends to hear of one session. @param key canonical */
  followKey(key: string, follows: boolean): void {
    if (follows) this.#followedKeys.add(key);
    else this.#followedKeys.delete(key);
    this.#joinChannel();
  }

  open(): void {
    const { clock } = this.#deps;
    const liftGuard = guardBytes(this.#request.socket, HANDSHAKE_BYTES_MAX, () => {
      if (this.#state === 'connected') return;
      this.close(CLOSE.tooLarge, 'frame too large before connect');
      this.#socket.pause();
    });
    this.#socket.on('message', (data, isBinary) => {
      this.#alive = true;
      if (this.#state === 'connected') liftGuard();
      void this.#onMessage(data, isBinary);
    });
    this.#socket.on('pong', () => (this.#alive = true));
    // A frame that breaks the protocol is answered with its close code first.
    this.#socket.on('error', () => this.#terminateLater());
    this.#socket.on('close', () => this.#onClose());
    this.#handshakeTimer = clock.setTimer(HANDSHAKE_TIMEOUT_MS, () => this.close(CLOSE.normal), { keepsAlive: false });
    this.#write(formatEvent('connect.challenge', { nonce: this.#nonce, ts: clock.nowMs() }));
  }

  /** An event without number for this client alone. */
  sendFrame(frame: Buffer): void {
    if (this.#takes(frame.length)) this.#outbox.push(frame);
  }

  /** A numbered, scope-gated broadcast for this client alone. */
  broadcast(event: string, payload: unknown): void {
    this.broadcastFrame(numberedFrame(event, JSON.stringify(payload)), false);
  }

  /** The same, made already. @param isStep left out for a client that is behind; the missing number tells it to look again */
  broadcastFrame(frame: NumberedFrame, isStep: boolean): void {
    const isLeftOut = isStep && this.#isBehind;
    if (this.#takes(isLeftOut ? 0 : frame.head.length)) this.#outbox.pushNumbered(frame, isLeftOut);
  }

  /** A text for this client alone, at once, behind the events that wait for it. */
  sendText(text: string): void {
    if (this.#state === 'connected') this.#write(text);
  }

  /** Asks for a turn for so many more bytes. @returns false when there is nobody to send them to */
  #takes(bytes: number): boolean {
    if (this.#state !== 'connected' || !this.#isOpen || this.#isTooMuch(bytes)) return false;
    this.#deps.turns.add(this);
    return true;
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get #isBehind(): boolean {
    return this.bufferedBytes > this.#bufferedBytesMax * STEPS_SHARE;
  }

  #joinChannel(): void {
    const { channels } = this.#deps;
    const before = this.#outbox.channel;
    const next: Channel | undefined = this.#state === 'connected' ? channels.of(this, this.connId) : undefined;
    if (next === before) return;
    this.#outbox.follow(next);
    next?.members.add(this);
    if (before === undefined) return;
    before.members.delete(this);
    channels.release(before);
  }

  /** Sends the next piece of what waits, unless the socket has still to take the one before. */
  flush(): void {
    if (!this.#isOpen) return this.#outbox.clear();
    if (this.#isBehind) {
      this.#outbox.leaveOutSteps();
      if (this.#isTooMuch(0)) return;
    }
    if (this.#paced.isBusy) return;
    if (this.#held.isHolding) return this.#paced.write(this.#outbox.takeFirst());
    // Frames are whole, so they may go beside the WebSocket's own: it keeps none back.
    const parts = this.#outbox.take() ?? [];
    // Before what waits: it has no place among events.
    this.#paced.write([...this.#tickFrames, ...parts]);
    this.#tickFrames = [];
  }

  #onTaken(wasSlow: boolean): void {
    // Who takes what it was slow to take is alive, however far behind its answer to a ping is.
    if (wasSlow) this.#alive = true;
    if (this.#outbox.bytes + this.#tickFrames.length > 0) this.#deps.turns.add(this);
  }

  /** Says goodbye; a client that does not answer is cut off. */
  close(code: number, reason = ''): void {
    if (this.#state === 'closed') return;
    if (this.#isOpen) this.#paced.writeLast(this.#outbox.takeAll());
    this.#socket.close(code, fitReason(reason));
    this.#terminateLater();
  }

  #terminateLater(): void {
    this.#deps.clock.setTimer(CLOSE_GRACE_MS, () => this.#socket.terminate(), { keepsAlive: false });
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #write(text: string): void {
    if (!this.#isOpen || this.#isTooMuch(text.length)) return;
    this.#outbox.push(textFrame(text));
    this.flush();
  }

  /** Before the events that wait. */
  #writeFirst(text: string): void {
    if (!this.#isOpen || this.#isTooMuch(text.length)) return;
    this.#outbox.pushFirst(textFrame(text));
    this.flush();
  }

  /** Ends a connection that would hold more than it may. */
  #isTooMuch(moreBytes: number): boolean {
    if (this.bufferedBytes + moreBytes <= this.#bufferedBytesMax) return false;
    this.#deps.logger.warn('connection closed because its client does not read', { bytes: this.bufferedBytes });
    // It has to look at everything again: what waits would only keep it from hearing so.
    this.#outbox.clear();
    this.close(CLOSE.policy, 'slow consumer');
    return true;
  }

  async #onMessage(data: RawData, isBinary: boolean): Promise<void> {
    if (this.#state === 'closed' || this.#socket.readyState !== this.#socket.OPEN) return;
    const bytes = isBinary ? Buffer.alloc(0) : rawBytes(data);
    if (this.#state === 'connected') return this.#onFrame(bytes);
    if (this.#state === 'challenged') {
      this.#connecting = this.#onConnect(bytes.toString('utf8'));
      return this.#connecting;
    }
    // Sent before `connect` was answered: held until it is known who asks.
    await this.#connecting;
    if (this.isConnected) await this.#onFrame(bytes);
  }

  async #onConnect(text: string): Promise<void> {
    const read = parseFrame(text);
    if (read.kind === 'not-json') return this.close(CLOSE.normal);
    if (read.kind === 'invalid') return this.close(CLOSE.policy, 'invalid request frame');
    const { frame } = read;
    if (frame.method !== 'connect') {
      return this.#refuseConnect(frame.id, { code: 'INVALID_REQUEST', message: 'invalid handshake: first request must be connect' });
    }
    const parsed = parseConnectParams(frame.params);
    if (!parsed.ok) return this.#refuseConnect(frame.id, { code: 'INVALID_REQUEST', message: parsed.problem });
    const decision = decideConnect(parsed.params, this.#facts());
    if (!decision.ok) {
      this.#deps.onRefused?.(decision, this.address, this.#failureKey);
      return this.#refuseConnect(frame.id, decision.error, decision.closeCode);
    }
    this.#accepted = parsed.params;
    this.deviceToken = decision.deviceToken;
    this.scopes = decision.scopes;
    this.role = decision.role;
    this.protocol = decision.protocol;
    this.clientId = parsed.params.client.id;
    this.#state = 'connecting';
    this.#handshakeTimer?.cancel();
    try {
      const payload = await this.#deps.hello(this);
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      this.#write(formatAnswer(frame.id, payload));
      this.#state = 'connected';
      this.#joinChannel();
      this.#tick();
      this.#deps.onConnected(this);
    } catch (error) {
      this.#refuseConnect(frame.id, toFrameError(toSessionError(error)));
    }
  }

  #facts(): HandshakeFacts {
    const { headers } = this.#request;
    const { origin, host } = headers;
    return { ...this.#deps.handshakeFacts(this.#failureKey), nonce: this.#nonce, nowMs: this.#deps.clock.nowMs(), headers, address: this.address, ...(origin !== undefined && { origin }), ...(host !== undefined && { host }) };
  }

  /** True while the handshake would give what it gave; before it nothing is given. */
  hasItsRights(): boolean {
    if (this.#accepted === undefined) return true;
    const now = scopesByNow(this.#accepted, this.#facts());
    return now?.length === this.scopes.length && now.every((scope) => this.scopes.includes(scope));
  }

  #refuseConnect(id: string, error: FrameError, closeCode: number = CLOSE.policy): void {
    this.#write(formatRefusal(id, error));
    this.close(closeCode, error.message);
  }

  async #onFrame(bytes: Buffer): Promise<void> {
    const read = this.#reader.readNow(bytes) ?? (await this.#reader.readInTurn(bytes));
    if (this.#state === 'closed') return;
    if (read.kind === 'not-json') return;
    if (read.kind === 'too-large') return this.#write(formatRefusal(read.id, read.error));
    if (read.kind === 'invalid') {
      return this.#write(formatRefusal(read.id, { code: 'INVALID_REQUEST', message: read.problem }));
    }
    const { frame } = read;
    if (this.#inFlight >= REQUESTS_IN_FLIGHT_MAX) {
      const busy = new SessionError('OVERLOADED', `more than ${REQUESTS_IN_FLIGHT_MAX} requests of one connection are open`);
      return this.#write(formatRefusal(frame.id, toFrameError(busy)));
    }
    this.#inFlight += 1;
    let release = this.#held.begin(frame.method);
    const answer = (answerText: string): void => {
      if (release === undefined) return this.#write(answerText);
      this.#writeFirst(answerText);
      release();
      release = undefined;
    };
    try {
      const { payload, after, next } = await this.#deps.serve(this, frame);
      answer(formatAnswer(frame.id, payload));
      after?.();
      if (next !== undefined) this.#write(formatAnswer(frame.id, await next()));
    } catch (thrown) {
      if (thrown instanceof FrameRefusal) return answer(formatRefusal(frame.id, thrown.error, thrown.payload));
      const error = toSessionError(thrown);
      if (error.reason === 'INTERNAL') this.#deps.logger.error('request failed', { err: error });
      answer(formatRefusal(frame.id, toFrameError(error)));
    } finally {
      release?.();
      this.#inFlight -= 1;
    }
  }

  #tick(): void {
    const { clock } = this.#deps;
    this.#tickTimer = clock.setTimer(
      TICK_INTERVAL_MS,
      () => {
        if (!this.#alive) return this.terminate();
        this.#alive = false;
        // Many connections that were made together tick together: in turns, as with events.
        this.#tickFrames = [PING_FRAME, textFrame(formatEvent('tick', { ts: clock.nowMs() }))];
        this.#deps.turns.add(this);
        this.#tick();
      },
      { keepsAlive: false },
    );
  }

  #onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deps.turns.remove(this);
    this.#joinChannel();
    this.#outbox.clear();
    this.#handshakeTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#leaving.abort(new SessionError('SHUTTING_DOWN', 'the client has left'));
    this.#deps.onClosed(this);
  }
}
