/**
 * Frames of the WebSocket as bytes, made once and sent to any number of clients. A server's frames
 * carry no mask and nothing is compressed here, so the bytes are the same for all of them.
 */

/** Final frame of a text message (RFC 6455, 5.2). */
const TEXT_FRAME = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

/** An empty ping. */
export const PING_FRAME = Buffer.from([0x89, 0]);

const headerBytes = (length: number): number => (length < LENGTH_IN_16_BITS ? 2 : length > 0xffff ? 10 : 4);

/** Writes what stands before a payload of so many bytes. */
function writeHeader(frame: Buffer, length: number): void {
  frame[0] = TEXT_FRAME;
  if (length < LENGTH_IN_16_BITS) {
    frame[1] = length;
  } else if (length > 0xffff) {
    frame[1] = LENGTH_IN_64_BITS;
    frame.writeBigUInt64BE(BigInt(length), 2);
  } else {
    frame[1] = LENGTH_IN_16_BITS;
    frame.writeUInt16BE(length, 2);
  }
}

/** One text as a whole frame. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text, 'utf8');
  const header = headerBytes(length);
  const frame = Buffer.allocUnsafe(header + length);
  writeHeader(frame, length);
  frame.write(text, header, 'utf8');
  return frame;
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
  const length = head.length + tail.length;
  const header = Buffer.allocUnsafe(headerBytes(length));
  writeHeader(header, length);
  return [header, head, tail];
}
