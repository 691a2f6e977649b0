/**
 * How large a frame of which method may be. Only a message with attachments, and a tool that is given
 * files, is ever large; one of any other method is refused by what its beginning says, unread.
 */
import { SessionError } from '@sessions/domain';
import { FRAME_BYTES_MAX } from './connection-bounds';
import { PLAIN_BYTES_MAX, parseLargeJson } from '../large/large-json';
import { assertJsonShape } from '../large/json-shape';
import { NO_ID, parseFrame, toFrame, toFrameError } from './gateway-frames';
import type { FrameError, ReadFrame } from './gateway-frames';

/** Largest frame of a method without attachments, bytes: what the bus takes of a patch, and its escapes. */
export const SMALL_FRAME_BYTES_MAX = PLAIN_BYTES_MAX;
/** Largest frame with a piece of an upload, which has 768 KiB and is a third longer in base64. */
export const PIECE_FRAME_BYTES_MAX = 1280 * 1024;
/** Of a frame, so much is looked at before it is read. */
const BEGINNING_BYTES = 1024;
/** Characters of a method's name that a refusal repeats. */
const METHOD_SHOWN_MAX = 200;

/** `sessions_spawn` takes files too. */
const WITH_ATTACHMENTS: ReadonlySet<string> = new Set(['agent', 'chat.send', 'sessions.send', 'sessions.steer', 'tools.invoke']);

export function frameBytesMax(method: string): number {
  if (WITH_ATTACHMENTS.has(method)) return FRAME_BYTES_MAX;
  return method === 'sessions.import.chunk' ? PIECE_FRAME_BYTES_MAX : SMALL_FRAME_BYTES_MAX;
}

export type BoundedFrame = ReadFrame | { readonly kind: 'too-large'; readonly id: string; readonly error: FrameError };

/** Whether the frame is one that every method takes: the others take a while to read. */
export function isSmallFrame(bytes: Buffer): boolean {
  return bytes.length <= SMALL_FRAME_BYTES_MAX;
}

/** Reads a small frame; never throws. */
export function readSmallFrame(bytes: Buffer): BoundedFrame {
  try {
    assertJsonShape(bytes);
  } catch (error) {
    return refusedUnread(readBeginning(bytes), error);
  }
  return parseFrame(bytes.toString('utf8'));
}

/** Reads one frame within the bound of its method; never throws. */
export async function readLargeFrame(bytes: Buffer): Promise<BoundedFrame> {
  const begun = readBeginning(bytes);
  if (begun !== undefined && bytes.length > frameBytesMax(begun.method)) return tooLarge(begun, bytes.length);
  try {
    const read = toFrame(await parseLargeJson(bytes));
    // The beginning may not have said it, and of a member that stands twice the last one counts.
    return read.kind === 'request' && bytes.length > frameBytesMax(read.frame.method) ? tooLarge(read.frame, bytes.length) : read;
  } catch (error) {
    return refusedUnread(begun, error);
  }
}

function refusedUnread(begun: Beginning | undefined, error: unknown): BoundedFrame {
  if (!(error instanceof SessionError)) return { kind: 'not-json' };
  return { kind: 'too-large', id: begun?.id ?? NO_ID, error: toFrameError(error) };
}

function tooLarge({ id, method }: Beginning, bytes: number): { kind: 'too-large'; id: string; error: FrameError } {
  const bound = frameBytesMax(method);
  const name = method.slice(0, METHOD_SHOWN_MAX);
  const error = new SessionError('TOO_LARGE', `the frame of ${name} has ${bytes} bytes, more than ${bound}`, { facts: { method: name, bytes, bound } });
  return { kind: 'too-large', id, error: toFrameError(error) };
}

interface Beginning {
  readonly id: string;
  readonly method: string;
}

const OPENING = /\s*\{/y;
/** A member of the envelope whose value is a text. */
const MEMBER = /\s*"(\w+)"\s*:\s*("(?:[^"\\]|\\.)*")\s*,/y;

/** Id and method, where they stand before everything that is not a text; undefined when they do not. */
function readBeginning(bytes: Buffer): Beginning | undefined {
  const text = bytes.toString('utf8', 0, BEGINNING_BYTES);
  OPENING.lastIndex = 0;
  if (!OPENING.test(text)) return undefined;
  const members = new Map<string, string>();
  MEMBER.lastIndex = OPENING.lastIndex;
  for (let found = MEMBER.exec(text); found !== null; found = MEMBER.exec(text)) {
    const value = textOf(found[2] ?? '');
    if (value === undefined) return undefined;
    members.set(found[1] ?? '', value);
  }
  const [id, method] = [members.get('id'), members.get('method')];
  return id === undefined || id === '' || method === undefined || method === '' ? undefined : { id, method };
}

function textOf(json: string): string | undefined {
  try {
    return JSON.parse(json) as string;
  } catch {
    return undefined;
  }
}
