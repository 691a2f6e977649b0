/** What leaves the machine in an export: without credentials, image data and the places of this machine. */
import { isJsonObject, maskCredentials } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

const REDACTED = '[redacted]';
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

export function redactText(text: string, { places, secrets }: Redaction): string {
  let shown = maskCredentials(text);
  for (const secret of secrets) shown = shown.replaceAll(secret, REDACTED);
  for (const [path, sign] of places) shown = shown.replaceAll(path, sign);
  return shown;
}

export function redactJson(value: JsonValue, redaction: Redaction): JsonValue {
  if (typeof value === 'string') return redactText(value, redaction);
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => redactJson(item, redaction));
  if (!isJsonObject(value)) return value;
  const isImage = value['type'] === 'image';
  return Object.fromEntries(
    Object.entries(value as JsonObject).flatMap(([name, member]): [string, JsonValue][] => {
      if (member === undefined) return [];
      if (SECRET_NAME.test(name) && Array.isArray(member)) return [[redactText(name, redaction), (member as readonly JsonValue[]).map((item) => (typeof item === 'string' ? REDACTED : redactJson(item, redaction)))]];
      if (typeof member === 'string' && (SECRET_NAME.test(name) || (isImage && name === 'data'))) return [[redactText(name, redaction), isImage && name === 'data' ? '[image data left out]' : REDACTED]];
      return [[redactText(name, redaction), redactJson(member, redaction)]];
    }),
  );
}
