/**
 * Text frames of the WebSocket as bytes, made once and sent to any number of clients. A server's
 * frames carry no mask and nothing is compressed here, so the bytes are the same for all of them.
 */

/** Final frame of a text message (RFC 6455, 5.2). */
const TEXT_FRAME = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

/** The bytes before a payload of so many bytes. */
function headerOf(length: number): Buffer {
  if (length < LENGTH_IN_16_BITS) return Buffer.from([TEXT_FRAME, length]);
  const isLong = length > 0xffff;
  const header = Buffer.alloc(isLong ? 10 : 4);
  header[0] = TEXT_FRAME;
  header[1] = isLong ? LENGTH_IN_64_BITS : LENGTH_IN_16_BITS;
  if (isLong) header.writeBigUInt64BE(BigInt(length), 2);
  else header.writeUInt16BE(length, 2);
  return header;
}

/** One text as a whole frame. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text, 'utf8');
  return Buffer.concat([headerOf(payload.length), payload]);
}

/** An event whose number differs from client to client, and nothing else. */
export interface NumberedFrame {
  /** Everything before the number. */
  readonly head: Buffer;
}

export function numberedFrame(event: string, payloadText: string): NumberedFrame {
  return { head: Buffer.from(`{"type":"event","event":${JSON.stringify(event)},"payload":${payloadText},"seq":`, 'utf8') };
}

/** The parts of the frame with this number; the large one is shared. */
export function partsOf({ head }: NumberedFrame, seq: number): readonly Buffer[] {
  const tail = Buffer.from(`${seq}}`, 'latin1');
  return [headerOf(head.length + tail.length), head, tail];
}

/** Longer than this, parts are not copied together. */
const JOINED_BYTES_MAX = 1024 * 1024;

/** Joins what waits for one client, once for all that wait for the same: most do. */
export class FrameJoiner {
  #parts: readonly Buffer[] = [];
  #joined: Buffer | undefined;

  /** The parts as one piece of bytes when the client before had the same; undefined: not worth it. */
  join(parts: readonly Buffer[]): Buffer | undefined {
    if (parts.length === 1) return parts[0];
    if (parts.length !== this.#parts.length || parts.some((part, place) => part !== this.#parts[place])) {
      this.#parts = parts;
      this.#joined = undefined;
      return undefined;
    }
    if (this.#joined === undefined && parts.reduce((sum, part) => sum + part.length, 0) <= JOINED_BYTES_MAX) this.#joined = Buffer.concat(parts);
    return this.#joined;
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.#parts = [];
    this.#joined = undefined;
  }
}
