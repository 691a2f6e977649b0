/**
 * Texts that look like credentials, masked wherever a conversation is shown outside of itself: keys in the
 * form that their providers give them, and whatever stands under a name that says it is a secret. Wrong
 * towards masking. Each pattern takes time in proportion to the text.
 */

const MASK = '[redacted]';

/** Forms of keys and tokens that providers give out; every repetition is bounded by what may stand in one. */
const FORMS: readonly RegExp[] = [
  // Models; short words without a digit are a name: hf_hub_download.
  /\b(?:sk|hsk|pplx|tvly)-(?=[\w-]{0,40}\d|[A-Za-z]{8})[\w-]{8,}|\b(?:gsk|hf|r8|exa|fal|mem0|brv|syt|retaindb|am|sk|rk)_(?=[\w-]{0,40}\d|[A-Za-z]{10})\w[\w-]{7,}|\bxai-\w{20,}|\bAIza[\w-]{20,}|\b(?:fw[-_]|fpk_)\w{30,}|\bapi_org_\w{20,}/gu,
  // Places that keep code.
  /\bgh[pousr]_\w{10,}|\bgithub_pat_\w{10,}|\bgl(?:pat|oas)-[\w.=-]{20,}|\bAT(?:CTT3xFfG|ATT|BB)[\w+/=.-]{16,}|\bBBDC-[\w+/@-]{20,}|\bbkua_\w{20,}|\bCCIPAT_\w{22}_[\da-f]{40}/gu,
  // Packages, clouds, hosts.
  /\bnpm_[A-Za-z\d]{10,}(?!\w)|\bpypi-[\w-]{10,}|\bdckr_(?:pat|oat)_[\w-]{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}|\b(?:AKID|LTAI)\w{10,}|\bya29\.[\w./+=-]{10,}|(?<![\w:/])1\/\/0[\w./+=-]{10,}|\bdo[opr]_v1_\w{10,}|\bdapi[\da-f]{32}|\bHRKU-AA[\w-]{20,}|\bFlyV1 fm\d{1,4}_[\w+/=,-]{20,}|\bfio-u-[\w-]{20,}|\bnfp_\w{20,}|\bsbp_\w{20,}|\bdp\.(?:st|ct|pt|sa|scim|audit)\.[\w.-]{40,}|\bGOCSPX-[\w-]{10,}|\bhv[sbr]\.[\w-]{20,}|\bAGE-SECRET-KEY-1[\dA-Z]{20,}/gu,
  // Services.
  /\b[sr]k_(?:live|test)_\w{10,}|\bSG\.[\w-]{10,256}\.[\w-]{10,}|\bxox[abprs]-[\w-]{10,}|\bxapp-[\w-]{10,}|\b(?:glsa|glc|ddp|ddw)_[\w+/=]{20,}|\bCFPAT-[\w-]{20,}|\bpat-(?:eu|na)1-[\w-]{30,}|\bapify_api_[\w-]{20,}|\bfc-\w{10,}|\bbb_live_[\w-]{10,}|\bgAAAA[\w=-]{20,}|\bwhsec_[\w+/=-]{10,}|\bshp(?:at|ss|pa|ca|ua)_\w{10,}|\bsntry[su]_[\w+/=-]{10,}|\blin_(?:api|oauth)_\w{10,}|\bfigd_[\w-]{10,}|\bsq0(?:atp|csp|idp)-[\w-]{10,}|\bxoxe(?:\.xox[bp])?-[\w-]{10,}/gu,
  // JSON web tokens, tokens of bots, addresses that let whoever knows them post.
  /\beyJ[\w-]{8,2048}\.[\w-]{8,8192}\.[\w-]{8,2048}|(?<!\d)\d{6,12}:[\w-]{20,64}(?![\w-])|\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}|(?<=\bhttps:\/\/hooks\.slack\.com\/(?:services|workflows)\/)[\w/]{20,}|(?<=\bhttps:\/\/discord(?:app)?\.com\/api\/webhooks\/)\d{17,20}\/[\w-]{40,}/gu,
  // Passwords in addresses, the scheme of a header, keys in armour.
  /(?<=:\/\/[^\s/:@]{0,64}:)[^\s/@]{1,256}(?=@)|\bBearer\s+[\w.~+/-]{8,}=*|-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[^])*-----END [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----/gu,
  // What is left of such a key where a text was cut: as far as it looks like one.
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----(?:(?:\s|\\{1,8}[rn]){1,8}(?:[A-Za-z-]{1,32}: [^\r\n\\]{0,200}|[\w+/=]{24,}))+(?:(?:\s|\\{1,8}[rn]){1,8}[\w+/=]+)?/gu,
];

/** The last word of a name under which a secret stands, and those that are one alone. */
const SECRET_WORDS = String.raw`(?:api|access|private|secret|signing|encryption)[-_]?key|token|secret|passw(?:or)?d|passphrase|credentials?|authorization|jwt|secret[-_]?(?:value|input)|raw[-_]?secret|key[-_]?material|card[-_]?(?:number|cvc|cvv)|cvc|cvv|security[-_]?code|payment[-_]?credential`;
/** Words that name a secret only where nothing else is written: in a query and in a shell. */
const SHORT_WORDS = String.raw`pass|pwd|auth|key|session|code|sig|signature|sid`;
/** A quotation mark, as it stands in JSON that stands in a string too. */
const QUOTE = String.raw`\\{0,8}["'\x60]`;
/** A value in quotation marks, one that is masked already, or up to white space, less what only ends it in a sentence or an object. */
const valueWithout = (ends: string): string => String.raw`(?:(?<open>${QUOTE})(?:(?!\k<open>)[^\r\n])+(?:\k<open>)?|\[redacted\]|[^\s"'\x60\\${ends}]*[^\s"'\x60\\${ends},;)}\]])`;
const VALUE = valueWithout('');
const FORM_VALUE = valueWithout('&<>');

/** Words at the end of an environment variable that holds a secret. */
const VARIABLE = String.raw`[A-Z\d_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|CREDENTIALS?|CARD_?NUMBER|CARD_?CVC|CARD_?CVV|CVC|CVV|SECURITY_?CODE)`;

/** Each keeps what is in its group `name`, and masks the rest. */
const NAMED: readonly RegExp[] = [
  // As environment variables are written: DB_PASSWORD=…, API_KEY: …
  new RegExp(String.raw`(?<name>\b${VARIABLE}\s{0,8}[=:]\s{0,8})${VALUE}`, 'gu'),
  // password=…, client-secret=…
  new RegExp(String.raw`(?<name>(?:${SECRET_WORDS}|pass|pwd)=)${FORM_VALUE}`, 'giu'),
  // A line of a settings file: aws_secret_access_key = …, password: …; a colon stands in prose too, so what follows it has a digit.
  new RegExp(String.raw`(?<name>(?<=^|\\n)[^\S\r\n]{0,64}[\w.-]{0,64}(?:${SECRET_WORDS})(?:\s{1,8}=\s{0,8}|\s{0,8}:\s{1,8}(?=[^\s\d]{0,64}\d)))[^\s"'\x60\\(]{6,}(?=\s{0,8}(?:$|\\n))`, 'gimu'),
  // A connection string of a cloud, the settings of npm: AccountKey=…;, _auth=…
  /(?<name>\b(?:Account|SharedAccess)Key=|(?<![\w-])_auth\s{0,8}=\s{0,8})[^\s;"'`\\]+/gu,
  // A number under such a name.
  new RegExp(String.raw`(?<name>(?:${SECRET_WORDS})${QUOTE}\s{0,8}:\s{0,8})\d{4,}(?=\s{0,8}[,}])`, 'giu'),
  // In an address or a form.
  new RegExp(String.raw`(?<name>[?&][\w.-]*(?:${SECRET_WORDS}|${SHORT_WORDS})=)[^&#\s<>"'\x60\\]+`, 'giu'),
  // Of a form too, where another pair follows: without one the whole is taken all the same, so that no part of it is tried again.
  new RegExp(String.raw`(?<name>(?<![\w.-])(?:${SHORT_WORDS})=)[^&#\s<>"'\x60\\]+(?:(?=&[\w.-]{1,64}=)|(?<alone>))`, 'giu'),
  new RegExp(String.raw`(?<name>body\s{0,8}[:=]\s{0,8}["'\x60]?(?:${SECRET_WORDS}|${SHORT_WORDS})=)[^&\s<>"'\x60\\]+`, 'giu'),
  // "password": "…", 'x-api-key': '…'; also camelCase.
  new RegExp(String.raw`(?<name>(?:${SECRET_WORDS}|cookie)${QUOTE}\s{0,8}[:=]\s{0,8})(?<open>${QUOTE})(?:(?!\k<open>)(?:\\.|[^\r\n\\]))+(?:\k<open>)?`, 'giu'),
  // api-key: '…', outside of JSON.
  new RegExp(String.raw`(?<name>(?:${SECRET_WORDS}|cookie)\s{0,8}[:=]\s{0,8})(?<open>${QUOTE})(?:(?!\k<open>)[^\r\n])+(?:\k<open>)?`, 'giu'),
  // Headers.
  new RegExp(String.raw`(?<name>authorization\s{0,8}[:=]\s{0,8}(?:basic|bot|bearer|token|digest|negotiate)\s{1,8})[^\s"'\x60\\]+`, 'giu'),
  new RegExp(String.raw`(?<name>(?:x-[a-z-]{0,32}(?:api-key|token|assertion|secret)|cookie(?=\s{0,8}:\s{0,8}[\w.-]{1,128}=))\s{0,8}:\s{0,8})[^\r\n"'\x60\\]+`, 'giu'),
  new RegExp(String.raw`(?<name>discord[\s\S]{0,40}?\b)[\w-]{24}\.[\w-]{6}\.[\w-]{27,38}`, 'giu'),
  // Options of commands: --token …, curl -u user:…
  new RegExp(String.raw`(?<name>(?<![\w-])--(?:[\w-]{0,32}-)?(?:${SECRET_WORDS}|pass|pwd)[\s=]\s{0,8})(?!-|(?:or|and)\b)${VALUE}`, 'giu'),
  new RegExp(String.raw`(?<name>\b(?:curl\b[^\r\n]{0,200}?\s-[uU]["'\x60]?[^\s:"'\x60]{1,128}:|mysql(?:dump|admin)?\b[^\r\n]{0,200}?\s-p(?=\S)["'\x60]?))[^\s"'\x60]+`, 'gu'),
  new RegExp(String.raw`(?<name>(?<![\w-])(?:-[uU]|--(?:proxy-)?user)[\s=]\s{0,8}["'\x60]?(?!\d{1,10}:\d{1,10}(?!\S))[^\s:"'\x60]{0,128}:)[^\s"'\x60]+`, 'gu'),
];

/** A variable that holds a secret is none itself. */
const REFERENCE = new RegExp(String.raw`^(?:${QUOTE})?\$\{?${VARIABLE}\}?(?:${QUOTE})?$`, 'u');

/** Signs with which a name of a pair can be written so that it is not seen: percent and plus, and characters without a shape. */
const UNSEEN = String.raw`+\p{Cf}\x00-\x08\x0e-\x1f\u00a0\u115f\u1160\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0`;
const HAS_UNSEEN = new RegExp(String.raw`%[\da-fA-F]{2}|[${UNSEEN}]`, 'u');
const NAME_PART = String.raw`[^ \t\r\n=&?({[,;:"'\x60]{0,64}`;
const HIDDEN = new RegExp(String.raw`(?<name>(?<![^ \t\r\n?&({[,;:"'\x60])(?<key>${NAME_PART}(?:%[\da-fA-F]{2}|[${UNSEEN}])${NAME_PART})=)[^&#\s<>"'\x60\\]+`, 'gu');
const NOT_SEEN = new RegExp(`[${UNSEEN}]`, 'gu');
const SECRET_NAME = new RegExp(String.raw`(?:^|[_.-])(?:${SECRET_WORDS}|${SHORT_WORDS})$`, 'iu');

const MEMBER_NAME = new RegExp(String.raw`(?:${SECRET_WORDS}|cookie)$`, 'iu');

/** Whether a text under this name is masked by `maskCredentials` where both stand in a text. */
export function isSecretName(name: string): boolean {
  return MEMBER_NAME.test(name);
}

export function maskCredentials(text: string): string {
  let shown = text;
  for (const form of FORMS) shown = shown.replace(form, MASK);
  for (const named of NAMED) shown = shown.replace(named, maskValue);
  if (!HAS_UNSEEN.test(shown)) return shown;
  return shown.replace(HIDDEN, (match: string, name: string, key: string) => (SECRET_NAME.test(plainName(key)) ? `${name}${MASK}` : match));
}

function plainName(key: string): string {
  const seen = key.replace(NOT_SEEN, '');
  try {
    return decodeURIComponent(seen).replace(NOT_SEEN, '');
  } catch {
    return seen;
  }
}

/** What `replace` gives: the match, groups, place, text, and the groups by name. */
function maskValue(match: string, ...more: readonly unknown[]): string {
  const { name = '', open = '', alone } = more.at(-1) as { readonly name?: string; readonly open?: string; readonly alone?: string };
  if (alone !== undefined) return match;
  const value = match.slice(name.length);
  if (REFERENCE.test(value)) return match;
  const isClosed = open !== '' && value.length > open.length && value.endsWith(open);
  return `${name}${open}${MASK}${isClosed ? open : ''}`;
}
