/**
 * Requests that cannot be decoded, answered as what they are: a client's mistake that names the field.
 * The generated decoder refuses a 64-bit number that a JavaScript number cannot hold, without saying
 * whose; gRPC would then answer INTERNAL before anybody was asked who calls. Here the decoder's refusal
 * becomes the request, and is thrown once the caller is known.
 */
import { SessionError } from '@sessions/domain';

/** In the place of a request that there is none of. */
export class Undecodable {
  readonly #decode: Decode;
  readonly #bytes: Buffer;

  constructor(decode: Decode, bytes: Buffer) {
    this.#decode = decode;
    this.#bytes = bytes;
  }

  /** Why; looked for when somebody who may call is to be told. */
  refusal(): SessionError {
    const field = tooWideField(this.#decode, this.#bytes, [], { fieldsLeft: FIELDS_MAX });
    if (field === undefined) return new SessionError('VALIDATION', 'the request is no message of this method: it cannot be decoded');
    return new SessionError('VALIDATION', `${field} must be a whole number from ${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER}`, { facts: { field } });
  }
}

type Decode = (bytes: Buffer) => unknown;

/** A service definition whose requests are decoded so. */
export function tolerantly<Service extends Readonly<Record<string, { readonly requestDeserialize: Decode }>>>(service: Service): Service {
  const methods = Object.entries(service).map(([name, method]) => [name, { ...method, requestDeserialize: tolerant(method.requestDeserialize) }] as const);
  return Object.fromEntries(methods) as unknown as Service;
}

function tolerant(decode: Decode): Decode {
  return (bytes) => {
    try {
      return decode(bytes);
    } catch {
      return new Undecodable(decode, bytes);
    }
  };
}

/** Messages inside each other that are looked into. */
const DEPTH_MAX = 8;
/** Fields of one request that are looked at; what stands behind them is not named. */
const FIELDS_MAX = 10_000;

interface Budget {
  fieldsLeft: number;
}

/**
 * The dotted name of the first number that is too wide. A field is known by what the decoder does: it takes
 * a message of that field alone when the field is 1, and refuses it as it was sent; where the 1 then
 * stands is its name.
 * @param around field numbers of the messages that `bytes` stand in
 */
function tooWideField(decode: Decode, bytes: Buffer, around: readonly number[], budget: Budget): string | undefined {
  for (const { field, value } of fieldsOf(bytes)) {
    budget.fieldsLeft -= 1;
    if (budget.fieldsLeft < 0) return undefined;
    if (typeof value !== 'bigint') {
      const inner = around.length < DEPTH_MAX ? tooWideField(decode, value, [...around, field], budget) : undefined;
      if (inner !== undefined) return inner;
    } else if (isTooWide(value) && isRefused(decode, within(around, varintField(field, value)))) {
      const name = nameOfOne(decode, within(around, varintField(field, 1n)));
      if (name !== undefined) return name;
    }
  }
  return undefined;
}

const isTooWide = (value: bigint): boolean => {
  const signed = BigInt.asIntN(64, value);
  return value > BigInt(Number.MAX_SAFE_INTEGER) || signed < BigInt(Number.MIN_SAFE_INTEGER);
};

function isRefused(decode: Decode, bytes: Buffer): boolean {
  try {
    decode(bytes);
    return false;
  } catch {
    return true;
  }
}

function nameOfOne(decode: Decode, bytes: Buffer): string | undefined {
  try {
    return pathToOne(decode(bytes))?.join('.');
  } catch {
    return undefined;
  }
}

function pathToOne(value: unknown): string[] | undefined {
  if (value === 1) return [];
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return undefined;
  const { $case: chosen } = value as { $case?: unknown };
  for (const [name, member] of Object.entries(value)) {
    const path = pathToOne(member);
    if (path !== undefined) return [typeof chosen === 'string' ? chosen : name, ...path];
  }
  return undefined;
}

interface WireField {
  readonly field: number;
  /** A number as it stands, or the bytes of what may be a message. */
  readonly value: bigint | Buffer;
}

/** The numbers and length-delimited fields of a message, as far as it is one. */
function* fieldsOf(bytes: Buffer): Generator<WireField> {
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined || tag > 0xffffffffn) return;
    const field = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 0 || kind === 2) {
      const value = varint();
      if (value === undefined) return;
      if (kind === 0) {
        yield { field, value };
        continue;
      }
      const end = at + Number(value);
      if (end > bytes.length) return;
      yield { field, value: bytes.subarray(at, end) };
      at = end;
    } else return;
  }
}

function varintBytes(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

const varintField = (field: number, value: bigint): Buffer => Buffer.from([...varintBytes(BigInt(field) << 3n), ...varintBytes(value)]);

/** A message of one field, inside messages of one field each. */
function within(around: readonly number[], message: Buffer): Buffer {
  return around.reduceRight<Buffer>((inner, field) => Buffer.concat([Buffer.from([...varintBytes((BigInt(field) << 3n) | 2n), ...varintBytes(BigInt(inner.length))]), inner]), message);
}
