/**
 * A configuration as it may be shown. The file is other programs' too, so a secret may stand under a name
 * that this system does not know: whatever a name makes look like one is hidden, however deep below it.
 */
import { maskCredentials } from '@sessions/domain';

/** Stands in place of a value. */
export const HIDDEN = '__OPENCLAW_REDACTED__';

/** Names below which every text is hidden. Numbers stay: `maxTokens` and its like count something. */
const SECRET_NAME =
  /token|passw|passphrase|passcode|secret|api[-_. ]?key|private[-_ ]?key|(?:access|encrypt|encryption|shared|master|app|account|licen[cs]e|subscription)[-_ ]?key|^keys?$|credential|authorization|cookie|headers?$|^env(?:ironment)?$|^vars$|webhook|signing|salt|dsn$|mnemonic|hmac|bearer/iu;
/** Short words that are a secret's whole name, or the last word of it: `dbPass`, `x-auth`. `auth` alone is a way to log in. */
const SECRET_WORD = /(?:^|[-_. ])(?:pass|pwd|pin|otp|totp|jwt)$|[-_. ]auth$|[a-z](?:Pass|Pwd|Pin|Otp|Jwt|Auth)$/u;
/** Names whose numbers are hidden too: a secret of digits may stand without quotation marks. */
const SECRET_NUMBER = /passw|passphrase|passcode|secret|^pin$|api[-_. ]?key$|(?:^|bot|auth|access|api|app|refresh|verify|verification)[-_]?token$/iu;
/** Names below which nothing counts anything. */
const SECRET_PLACE = /passw|secret|credential|headers?$|^env(?:ironment)?$|^vars$/iu;
/** An option of a command whose value is the next word. */
const SECRET_OPTION = /^--?[\w-]*(?:token|passw(?:or)?d|passphrase|secret|key|credentials?|auth|pass|pwd)$/iu;
/** Parts of a web address that give access. */
const SECRET_QUERY = /([?&](?:[^=&#]*(?:token|key|secret|passw|sig)[^=&#]*)=)[^&#]+/giu;
/** Up to the last @ before the host; a password may hold an @ or, when what it begins with is no port, a slash. */
const USER_INFO = /(:\/\/)(?:[^/?#\s]+|[^/@:\s]*:(?!\d+\/)[^@\s]+)(?=@)/gu;

export function withoutSecrets(value: unknown, name = ''): unknown {
  return shown(value, name, { isSecret: false, isPlace: false });
}

/** What the names around a value say of it. */
interface Around {
  readonly isSecret: boolean;
  readonly isPlace: boolean;
}

function shown(value: unknown, name: string, around: Around): unknown {
  const isSecret = around.isSecret || SECRET_NAME.test(name) || SECRET_WORD.test(name);
  const isPlace = around.isPlace || SECRET_PLACE.test(name);
  if (typeof value === 'string') return isSecret ? HIDDEN : withoutCredentials(value);
  if (typeof value === 'number') return isPlace || SECRET_NUMBER.test(name) ? HIDDEN : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item, at) => shown(item, name, { isSecret: isSecret || isOption(value[at - 1]), isPlace }));
  const isNamed = namesSecret(value);
  return Object.fromEntries(Object.entries(value).map(([member, own]) => [member, shown(own, member, { isSecret: isSecret || (isNamed && member === 'value'), isPlace: isPlace || (isNamed && member === 'value') })]));
}

const withoutCredentials = (text: string): string => maskCredentials(text.replace(USER_INFO, `$1${HIDDEN}`)).replace(SECRET_QUERY, `$1${HIDDEN}`);

const isOption = (before: unknown): boolean => typeof before === 'string' && SECRET_OPTION.test(before);

/** As `{ name: 'Authorization', value: … }`. */
function namesSecret({ name, key }: { readonly name?: unknown; readonly key?: unknown }): boolean {
  const said = name ?? key;
  return typeof said === 'string' && (SECRET_NAME.test(said) || SECRET_WORD.test(said));
}
