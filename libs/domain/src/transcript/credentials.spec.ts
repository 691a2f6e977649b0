import { maskCredentials } from './credentials';

it.each([
  ['a JSON web token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U', '[redacted]'],
  ['the token of a Telegram bot', 'bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-x', 'bot[redacted]'],
  ['a bearer', 'Authorization: Bearer abcdefghijklmnop', 'Authorization: [redacted]'],
  ['a password in a URL', 'https://bob:hunter2@host/x', 'https://bob:[redacted]@host/x'],
])('masks %s', (_what, text, shown) => {
  expect(maskCredentials(text)).toBe(shown);
});

it('leaves times, places and addresses as they are', () => {
  const text = 'at 12:30:45 http://127.0.0.1:18789/v1 and mail to ann@example.org, 1780000000:AB';
  expect(maskCredentials(text)).toBe(text);
});

it('takes time in proportion to the text', () => {
  const startedAt = performance.now();
  for (const piece of ['://a:', 'eyJaaaaaaaa.eyJ', '1:AA', 'x://u:p']) maskCredentials(piece.repeat(200_000));
  expect(performance.now() - startedAt).toBeLessThan(20_000);
});
