/**
 * How a message passes within one process: the same object, its size checked as a wire would; or,
 * with `copy`, encoded and decoded, so that tests see what a wire does to it.
 */
import type { SessionError } from '@sessions/domain';
import type { MessageCodec, MethodShape } from '../bus';
import { MAX_PAYLOAD_BYTES, checkSize } from '../limits';
import { fits } from '../payload-size';
import { errorFromHeaders, errorToHeaders } from '../status';

export interface Passing {
  /** @throws TOO_LARGE */
  request(method: MethodShape, value: unknown): unknown;
  /** @throws TOO_LARGE */
  response(method: MethodShape, value: unknown): unknown;
  error(error: SessionError): SessionError;
  /** The value as a receiver gets it. @throws TOO_LARGE */
  message<T>(what: string, codec: MessageCodec<T>, value: T, bound: number): () => T;
}

export function createPassing(copy: boolean): Passing {
  const pass = (
    what: string,
    value: unknown,
    encode: (value: never) => Buffer,
    decode: (bytes: Buffer) => unknown,
  ): unknown => {
    if (copy) {
      const bytes = encode(value as never);
      checkSize(what, bytes.length, MAX_PAYLOAD_BYTES);
      return decode(bytes);
    }
    if (!fits(value, MAX_PAYLOAD_BYTES, () => encode(value as never).length)) {
      checkSize(what, encode(value as never).length, MAX_PAYLOAD_BYTES);
    }
    return value;
  };
  return {
    request: (method, value) =>
      pass(`the request of ${method.path}`, value, method.requestSerialize, method.requestDeserialize),
    response: (method, value) =>
      pass(`the answer of ${method.path}`, value, method.responseSerialize, method.responseDeserialize),
    error: (error) => (copy ? (errorFromHeaders(errorToHeaders(error)) ?? error) : error),
    message(what, codec, value, bound) {
      if (copy) {
        const bytes = codec.encode(value).finish();
        checkSize(what, bytes.length, bound);
        return () => codec.decode(bytes);
      }
      if (!fits(value, bound, () => codec.encode(value).finish().length)) {
        checkSize(what, codec.encode(value).finish().length, bound);
      }
      return () => value;
    },
  };
}
