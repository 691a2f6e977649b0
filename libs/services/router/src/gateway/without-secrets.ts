/**
 * A configuration as it may be shown. The file is other programs' too, so a secret may stand under a name
 * that this system does not know: whatever a name makes look like one is hidden, however deep below it.
 */
import { maskCredentials } from '@sessions/domain';

/** Stands in place of a value. */
export const HIDDEN = '__OPENCLAW_REDACTED__';

/** Names below which every text is hidden. Numbers stay: `maxTokens` and its like count something. */
const SECRET_NAME = /token|passw|passphrase|secret|api[-_]?key|private[-_]?key|access[-_]?key|^key$|credential|authorization|cookie|headers?$|^env$|^vars$|webhook|signing|salt|dsn$/iu;
/** Names whose numbers are hidden too. */
const SECRET_NUMBER = /passw|passphrase|secret|^pin$/iu;
/** Parts of a web address that give access. */
const SECRET_QUERY = /([?&](?:[^=&#]*(?:token|key|secret|passw|sig)[^=&#]*)=)[^&#]+/giu;
const USER_INFO = /(:\/\/)[^/@\s]+(?=@)/gu;

export function withoutSecrets(value: unknown, name = '', isBelowSecret = false): unknown {
  const isSecret = isBelowSecret || SECRET_NAME.test(name);
  if (typeof value === 'string') return isSecret ? HIDDEN : maskCredentials(value).replace(USER_INFO, `$1${HIDDEN}`).replace(SECRET_QUERY, `$1${HIDDEN}`);
  if (typeof value === 'number') return SECRET_NUMBER.test(name) ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, name, isSecret));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([member, own]) => [member, withoutSecrets(own, member, isSecret)]));
}
