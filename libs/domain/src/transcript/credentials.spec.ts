import { maskCredentials } from './credentials';

it.each([
  ['a JSON web token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U', '[redacted]'],
  ['the token of a Telegram bot', 'bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-x', 'bot[redacted]'],
  ['a bearer', 'Authorization: Bearer abcdefghijklmnop', 'Authorization: [redacted]'],
  ['a password in a URL', 'https://bob:hunter2@host/x', 'https://bob:[redacted]@host/x'],
  ['a password in a URL without a user', 'redis://:hunter2@host/x', 'redis://:[redacted]@host/x'],
  ['an environment variable', 'export DB_PASSWORD=hunter2 && run', 'export DB_PASSWORD=[redacted] && run'],
  ['one in quotation marks', 'DB_PASSWORD="hunter2 and more" run', 'DB_PASSWORD="[redacted]" run'],
  ['one with signs in it', 'DB_PASSWORD=hun;ter{2}& run', 'DB_PASSWORD=[redacted] run'],
  ['one that looks like a variable', 'DB_PASSWORD=$hunter2', 'DB_PASSWORD=[redacted]'],
  ['one with a colon', 'STRIPE_KEY: hunter2', 'STRIPE_KEY: [redacted]'],
  ['one in a string of JSON', String.raw`{"cmd":"TOKEN=\"hunter2\" run"}`, String.raw`{"cmd":"TOKEN=\"[redacted]\" run"}`],
  ['an assignment', 'client-secret=hunter2, user=bob', 'client-secret=[redacted], user=bob'],
  ['one in camel case', 'accessToken=hunter2', 'accessToken=[redacted]'],
  ['a user and his password', 'curl -s -u bob:hunter2 https://host', 'curl -s -u bob:[redacted] https://host'],
  ['the same, spelled out', "curl --user='bob:hunter2' https://host", "curl --user='bob:[redacted]' https://host"],
  ['an option', 'tool --api-key hunter2 --verbose', 'tool --api-key [redacted] --verbose'],
  ['an option with an equals sign', 'tool --db-password=hunter2', 'tool --db-password=[redacted]'],
  ['a query', 'https://host/x?user=bob&api_key=hunter2&code=hunter3#top', 'https://host/x?user=bob&api_key=[redacted]&code=[redacted]#top'],
  ['a form', 'pass=hunter2&user=bob', 'pass=[redacted]&user=bob'],
  ['a member of an object', '{"password": "hunter2", "user": "bob"}', '{"password": "[redacted]", "user": "bob"}'],
  ['one in a string of JSON', String.raw`"{\"accessToken\":\"hunter2\",\"user\":\"bob\"}"`, String.raw`"{\"accessToken\":\"[redacted]\",\"user\":\"bob\"}"`],
  ['one whose value has a quotation mark', String.raw`{"password": "hun\"ter2", "user": "bob"}`, '{"password": "[redacted]", "user": "bob"}'],
  ['a member without quotation marks', "{ api-key: 'hunter2' }", "{ api-key: '[redacted]' }"],
  ['basic authorization', 'Authorization: Basic aHVudGVyMg==', 'Authorization: Basic [redacted]'],
  ['a header', 'X-Api-Key: hunter2', 'X-Api-Key: [redacted]'],
  ['a cookie', 'Cookie: sid=hunter2; theme=dark', 'Cookie: [redacted]'],
  ['a name with percent signs', 'https://host/x?acc%65ss_token=hunter2&page%20=2', 'https://host/x?acc%65ss_token=[redacted]&page%20=2'],
  ['a name with characters that nobody sees', 'a=1&pass\u200bword=hunter2', 'a=1&pass\u200bword=[redacted]'],
  ['one pair of a form', 'body: code=hunter2', 'body: code=[redacted]'],
  ['a cookie in quotation marks', 'Set-Cookie="sid=hunter2; theme=dark"', 'Set-Cookie="[redacted]"'],
  ['a key in armour', 'a -----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY----- b', 'a [redacted] b'],
  ['one with headers', 'a -----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC,0A\n\nhunter2\n-----END RSA PRIVATE KEY----- b', 'a [redacted] b'],
  ['one of PGP', 'a -----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2\n-----END PGP PRIVATE KEY BLOCK----- b', 'a [redacted] b'],
  ['one whose end was cut off', `a -----BEGIN RSA PRIVATE KEY-----\n${'hunter2A'.repeat(8)}\nhunt`, 'a [redacted]'],
  ['one whose end was cut off, in a string of JSON', String.raw`{"text":"-----BEGIN PRIVATE KEY-----\n${'hunter2A'.repeat(8)}\nhunt…"}`, '{"text":"[redacted]…"}'],
  ['a line of a settings file', '[default]\naws_secret_access_key = hunter2hunter\nregion = eu', '[default]\naws_secret_access_key = [redacted]\nregion = eu'],
  ['one with a colon', 'db:\n  password: hunter2\n  user: bob', 'db:\n  password: [redacted]\n  user: bob'],
  ['one in a string', String.raw`{"text":"db:\n  password: hunter2\n"}`, String.raw`{"text":"db:\n  password: [redacted]\n"}`],
  ['a user and his password behind the option at once', 'curl -s -ubob:hunter2 https://host', 'curl -s -ubob:[redacted] https://host'],
  ['the password of a database', 'mysql -u root -phunter2 db', 'mysql -u root -p[redacted] db'],
  ['the number of a card', 'card_number=4111111111111111', 'card_number=[redacted]'],
  ['a connection string', 'DefaultEndpointsProtocol=https;AccountKey=aHVudGVyMg==;EndpointSuffix=x', 'DefaultEndpointsProtocol=https;AccountKey=[redacted];EndpointSuffix=x'],
  ['a line of npm', '//host/:_auth=aHVudGVyMg==', '//host/:_auth=[redacted]'],
  ['a number', '{"token":12345678,"user":"bob"}', '{"token":[redacted],"user":"bob"}'],
  ['an address that lets one post', 'https://hooks.slack.com/services/T0000/B0000/abcdefghijklmnopqrstuvwx', 'https://hooks.slack.com/services/[redacted]'],
])('masks %s', (_what, text, shown) => {
  expect(maskCredentials(text)).toBe(shown);
  // What is masked stays as it is.
  expect(maskCredentials(shown)).toBe(shown);
});

const x = (length: number): string => 'aB3dE5gH7j'.repeat(Math.ceil(length / 10)).slice(0, length);
const hex = (length: number): string => '0a1b2c3d4e'.repeat(Math.ceil(length / 10)).slice(0, length);

it.each([
  `sk-${x(20)}`, `ghp_${x(20)}`, `github_pat_${x(20)}`, `gho_${x(12)}`, `ghu_${x(12)}`, `ghs_${x(12)}`, `ghr_${x(12)}`, `glpat-${x(20)}`, `gloas-${hex(32)}`, `xoxb-${x(12)}`, `xapp-${x(12)}`, `gsk_${x(12)}`, `AIza${x(30)}`,
  `ya29.${x(12)}`, `1//0${x(12)}`, `pplx-${x(12)}`, `fal_${x(12)}`, `fc-${x(12)}`, `bb_live_${x(12)}`, `gAAAA${x(20)}`, `sk_live_${x(12)}`, `sk_test_${x(12)}`, `rk_live_${x(12)}`, `SG.${x(12)}.${x(12)}`, `npm_${x(12)}`, `pypi-${x(12)}`,
  `dop_v1_${x(12)}`, `doo_v1_${x(12)}`, `dor_v1_${x(12)}`, `dp.ct.${x(40)}`, `dp.st.${x(40)}`, `dp.st.dev-1.${x(40)}`, `dckr_pat_${x(28)}`, `bkua_${hex(40)}`, `CCIPAT_${x(22)}_${hex(40)}`, `sbp_${hex(40)}`, `dapi${hex(32)}`, `ddp_${x(36)}`,
  `glsa_${x(41)}`, `glc_eyJ${x(60)}`, `nfp_${x(36)}`, `CFPAT-${x(40)}`, `ATCTT3xFfG${x(20)}=${hex(8)}`, `ATATT${x(20)}=${hex(8)}`, `ATBB${x(20)}`, `BBDC-${x(40)}`, `HRKU-AA${x(20)}`, `pat-na1-${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
  `apify_api_${x(20)}`, `FlyV1 fm2_${x(100)}`, `fio-u-${x(40)}`, `am_${x(12)}`, `sk_${x(12)}`, `tvly-${x(12)}`, `exa_${x(12)}`, `syt_${x(12)}`, `retaindb_${x(12)}`, `hsk-${x(12)}`, `mem0_${x(12)}`, `brv_${x(12)}`, `xai-${x(30)}`, `fw-${x(30)}`, `fw_${x(30)}`, `fpk_${x(30)}`,
  'sk-abcdefghijklmnop', 'hf_abcdefghijklmnop', `whsec_${x(32)}`, `shpat_${hex(32)}`, `sntrys_${x(40)}`, `lin_api_${x(40)}`, `figd_${x(40)}`, `sq0atp-${x(22)}`, `xoxe-1-${x(40)}`, `xoxe.xoxp-1-${x(40)}`, `GOCSPX-${x(28)}`, `hvs.${x(24)}`, `AGE-SECRET-KEY-1${x(58).toUpperCase()}`,
  'AKIAABCDEFGHIJKLMNOP', 'ASIAABCDEFGHIJKLMNOP', `AKID${x(12)}`, `LTAI${x(12)}`, `hf_${x(12)}`, `api_org_${x(20)}`, `r8_${x(12)}`, `123456789:${x(35)}`, `discord ${x(24)}.${x(6)}.${x(27)}`, `https://discord.com/api/webhooks/123456789012345678/${x(60)}`,
])('masks %s, whatever stands around it', (token) => {
  const secret = token.split(/[ .:/_-]/u).at(-1) ?? '';
  for (const text of [token, `use ${token} here`, `"${token}"`, `(${token})`, `${token}\n`]) expect(maskCredentials(text)).not.toContain(secret);
});

it.each(['password: ask the admin', 'Password: required', 'secret: 12 apples are here', 'token = next(it)', 'const token = await getToken();', '-----BEGIN PRIVATE KEY-----\nis how a key begins. And more of it', 'mysql -u root -p db', 'git push -u origin main', 'at 12:30:45 http://127.0.0.1:18789/v1 and mail to ann@example.org, 1780000000:AB', 'docker run -u 1000:1000 image', 'echo $TOKEN and API_KEY="$API_KEY" PASSWORD=${PASSWORD}', 'the token is in the safe; max_tokens=100, keyboard=us', 'a key: the one of the door', 'monkey=banana', 'see https://host/x?page=2&sort=asc', 'a cookie: the chocolate kind', '--token --verbose', 'npm_config_registry and npm_lifecycle_event', 'hf_hub_download(repo) and exa_search_tool', 'sk-learn-pipeline, am_reading_the_book', '{"token": 12}'])('leaves as it is: %s', (text) => {
  expect(maskCredentials(text)).toBe(text);
});

it('takes time in proportion to the text', () => {
  const startedAt = performance.now();
  for (const piece of ['://a:', 'eyJaaaaaaaa.eyJ', '1:AA', 'x://u:p', 'token', 'a-', 'A_', '"a', '\\"token\\":', '-u a', 'cookie: ', '?a=', '--token-', 'KEY', 'SG.a', 'a%20', '+', '\\u200b', 'body: code=', ',+', 'pass=&', 'sid=', ',key=', '-----BEGIN PRIVATE KEY-----a-', 'sk-', 'am_a-', 'whsec_a-', '_auth ', '"token":1']) maskCredentials(piece.repeat(40_000));
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});
