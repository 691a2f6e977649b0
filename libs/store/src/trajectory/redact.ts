/** What leaves the machine in an export: without credentials, image data and the places of this machine. */
import { isJsonObject, isSecretName, maskCredentials } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

const REDACTED = '[redacted]';
/** Deeper values are not walked through: the stack would end before they do. */
export const REDACTED_DEPTH_MAX = 512;
const TOO_DEEP = '[left out: nested too deeply]';
const SECRET_NAME = /(?:api[-_]?key|secret|passw(?:or)?d|authorization|cookie|credential|private[-_]?key|(?:^|[-_])token$|(?:access|refresh|auth|bearer|bot)[-_]?token)/iu;

export interface Redaction {
  /** Longest first; each becomes its sign. */
  readonly places: readonly (readonly [path: string, sign: string])[];
  /** Configured credentials, longest first: one may begin with another. */
  readonly secrets: readonly string[];
}

export function createRedaction({ workspace, stateDir, homeDir }: { readonly workspace: string; readonly stateDir: string; readonly homeDir: string }, secrets: readonly (string | undefined)[]): Redaction {
  const places = ([[workspace, '$WORKSPACE_DIR'], [stateDir, '$STATE_DIR'], [homeDir, '~']] as const).filter(([path]) => path.length > 1);
  return { places: [...places].sort(([one], [other]) => other.length - one.length), secrets: secrets.filter((secret): secret is string => secret !== undefined && secret.length >= 4).sort((one, other) => other.length - one.length) };
}

/** A name that is longer than a place's: `/rootfs` is not in `/root`. */
const GOES_ON = /^[\p{L}\p{N}_-]/u;
/** A path that began earlier: `/mnt/root` is not in `/root`, but `-I/root` and `file:///root` are. */
const BEGAN_EARLIER = /\/[\p{L}\p{N}_.-]{1,255}$/u;
const NAME_CHARS_MAX = 256;

export function redactText(text: string, { places, secrets }: Redaction): string {
  let shown = maskCredentials(text);
  for (const secret of secrets) shown = shown.replaceAll(secret, REDACTED);
  for (const [path, sign] of places) shown = shown.replaceAll(path, (found, at: number, whole: string) => (isOtherPath(whole, at, at + found.length) ? found : sign));
  return shown;
}

function isOtherPath(whole: string, start: number, end: number): boolean {
  return GOES_ON.test(whole.slice(end, end + 2)) || BEGAN_EARLIER.test(whole.slice(Math.max(0, start - NAME_CHARS_MAX), start));
}

export function redactJson(value: JsonValue, redaction: Redaction, depth = 0): JsonValue {
  if (typeof value === 'string') return redactText(value, redaction);
  if (depth >= REDACTED_DEPTH_MAX && typeof value === 'object' && value !== null) return TOO_DEEP;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => redactJson(item, redaction, depth + 1));
  if (!isJsonObject(value)) return value;
  const isImage = value['type'] === 'image';
  const shown = new Map<string, JsonValue>();
  for (const [name, member] of Object.entries(value as JsonObject)) {
    if (member === undefined) continue;
    const masked = redactText(name, redaction);
    // Two names may become one: each keeps what stands under it.
    let own = masked;
    for (let count = 2; shown.has(own); count += 1) own = `${masked} (${String(count)})`;
    shown.set(own, redactMember(name, member, isImage, redaction, depth + 1));
  }
  return Object.fromEntries(shown);
}

function redactMember(name: string, member: JsonValue, isImage: boolean, redaction: Redaction, depth: number): JsonValue {
  if (typeof member === 'string' && isImage && name === 'data') return '[image data left out]';
  if (!SECRET_NAME.test(name) && !isSecretName(name)) return redactJson(member, redaction, depth);
  if (Array.isArray(member)) return (member as readonly JsonValue[]).map((item) => (typeof item === 'string' ? REDACTED : redactJson(item, redaction, depth + 1)));
  return typeof member === 'string' ? REDACTED : redactJson(member, redaction, depth);
}
