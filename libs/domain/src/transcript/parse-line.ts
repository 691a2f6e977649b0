/**
 * One line of a transcript, read: native lines of versions 1 to 3 and the simple format alike become
 * one form. Reading never refuses a file: a line that is no record says why and keeps its number.
 */
import { isJsonObject, withBoundedDepth, type JsonObject, type JsonValue } from '../json';

/** Why a line is no record. `not-json` covers torn and damaged lines. */
export type UnreadableWhy = 'blank' | 'not-json' | 'not-an-object';

export interface UnreadableLine {
  readonly ok: false;
  readonly number: number;
  readonly why: UnreadableWhy;
}

export interface TranscriptLine {
  readonly ok: true;
  /** From 1, in the file. */
  readonly number: number;
  /** `header`: the session line. `other`: an object of neither format. */
  readonly kind: 'header' | 'native' | 'simple' | 'other';
  /** As written; `message` for simple lines; empty for `other`. */
  readonly type: string;
  /** As written; `L<number>` for records that have none; undefined for headers and `other`. */
  readonly id: string | undefined;
  /** Null: a root. Undefined: the line names no parent and follows the leaf before it. */
  readonly parentId: string | null | undefined;
  /** Beside the branch: it never becomes the leaf. */
  readonly isSide: boolean;
  /** Set for a `leaf` line only: the id that becomes the leaf, null for none. */
  readonly movesLeafTo: string | null | undefined;
  /** The chat message of a message record of either format. */
  readonly message: JsonObject | undefined;
  /** `user`, `assistant`, `toolResult`, `custom`, ... of that message. */
  readonly role: string | undefined;
  /** Epoch milliseconds: the message's own, else the line's; undefined without a readable one. */
  readonly atMs: number | undefined;
  /** Set for a `compaction` line: id of the first line that stays in the model's context. */
  readonly firstKeptId: string | undefined;
  /** The whole line, less what is nested more deeply than JSON_DEPTH_MAX. */
  readonly value: JsonObject;
}

export type ParsedLine = TranscriptLine | UnreadableLine;

export interface TranscriptHeader {
  /** 1 where the header names none. */
  readonly version: number;
  readonly sessionId: string | undefined;
  readonly sessionKey: string | undefined;
  readonly cwd: string | undefined;
  readonly parentSession: string | undefined;
  readonly atMs: number | undefined;
}

const LETTER_OF_LINE_IDS = 'L';

/** Roles of version 2 under their present names. */
const RENAMED_ROLES: Readonly<Record<string, string>> = { hookMessage: 'custom' };

/** Id of a record that the file gives none. @param number of its line, from 1. */
export function lineId(number: number): string {
  return `${LETTER_OF_LINE_IDS}${number}`;
}

/**
 * Reads one line.
 * @param text the line without its line feed; a byte order mark before the first line is accepted.
 * @param number of the line in the file, from 1.
 */
export function parseTranscriptLine(text: string, number: number): ParsedLine {
  const plain = number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (plain.trim() === '') return { ok: false, number, why: 'blank' };
  let value: unknown;
  try {
    value = withBoundedDepth(JSON.parse(plain) as JsonValue);
  } catch {
    return { ok: false, number, why: 'not-json' };
  }
  if (!isJsonObject(value)) return { ok: false, number, why: 'not-an-object' };
  return typeof value['type'] === 'string' ? nativeLine(value, value['type'], number) : plainLine(value, number);
}

/** What a header says; undefined for any other line. */
export function headerOf(line: ParsedLine): TranscriptHeader | undefined {
  if (!line.ok || line.kind !== 'header') return undefined;
  const { value } = line;
  const version = value['version'];
  return {
    version: typeof version === 'number' && Number.isInteger(version) && version >= 1 ? version : 1,
    sessionId: asText(value['id']),
    sessionKey: asText(value['sessionKey']),
    cwd: asText(value['cwd']),
    parentSession: asText(value['parentSession']),
    atMs: line.atMs,
  };
}

function nativeLine(value: JsonObject, type: string, number: number): TranscriptLine {
  const isHeader = type === 'session';
  const message = type === 'message' && isJsonObject(value['message']) ? value['message'] : undefined;
  const parentId = value['parentId'];
  return {
    ok: true,
    number,
    kind: isHeader ? 'header' : 'native',
    type,
    id: isHeader ? undefined : (asText(value['id']) ?? lineId(number)),
    parentId: !isHeader && (typeof parentId === 'string' || parentId === null) ? parentId : undefined,
    isSide: value['appendMode'] === 'side',
    movesLeafTo: type === 'leaf' ? (asText(value['targetId']) ?? null) : undefined,
    message,
    role: message === undefined ? undefined : roleOf(message),
    atMs: instantMs(message?.['timestamp']) ?? instantMs(value['timestamp']),
    firstKeptId: type === 'compaction' ? firstKeptIdOf(value) : undefined,
    value,
  };
}

/** A line without a type: a message of the simple format, or something unknown. */
function plainLine(value: JsonObject, number: number): TranscriptLine {
  const role = roleOf(value);
  const isMessage = role !== undefined;
  return {
    ok: true,
    number,
    kind: isMessage ? 'simple' : 'other',
    type: isMessage ? 'message' : '',
    id: isMessage ? lineId(number) : undefined,
    parentId: undefined,
    isSide: false,
    movesLeafTo: undefined,
    message: isMessage ? value : undefined,
    role,
    atMs: instantMs(value['timestamp']),
    firstKeptId: undefined,
    value,
  };
}

/** Version 1 counts lines from 0, the header included, where later versions name an id. */
function firstKeptIdOf(value: JsonObject): string | undefined {
  const index = value['firstKeptEntryIndex'];
  return asText(value['firstKeptEntryId']) ?? (typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? lineId(index + 1) : undefined);
}

function roleOf(message: JsonObject): string | undefined {
  const role = asText(message['role']);
  return role !== undefined && Object.hasOwn(RENAMED_ROLES, role) ? RENAMED_ROLES[role] : role;
}

/** Milliseconds as they are, ISO text read. */
function instantMs(value: JsonValue | undefined): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : value;
  return typeof ms === 'number' && Number.isFinite(ms) ? ms : undefined;
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
