/** Texts as they come from a WebSocket, and as they may leave in its close frame. */
import type { RawData } from 'ws';

/** Longest reason of a close frame, bytes. */
const CLOSE_REASON_BYTES_MAX = 123;

export function rawBytes(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}

/** The reason, cut behind a whole character where it is too long. */
export function fitReason(reason: string): string {
  const bytes = Buffer.from(reason, 'utf8');
  return bytes.length <= CLOSE_REASON_BYTES_MAX
    ? reason
    : new TextDecoder('utf-8').decode(bytes.subarray(0, CLOSE_REASON_BYTES_MAX)).replace(/\uFFFD+$/, '');
}
