/** What may be spoken to without TLS, as the original decides it. */
import { mayBePlaintext } from './plaintext-host';

const hostOf = (url: string): string => new URL(url).hostname;

it.each(['ws://127.0.0.1:1', 'ws://localhost:1', 'ws://LOCALHOST.:1', 'ws://[::1]:1', 'ws://10.0.0.5:1', 'ws://172.31.0.1:1', 'ws://192.168.1.1:1', 'ws://169.254.1.1:1', 'ws://100.64.0.1:1', 'ws://[fe80::1]:1', 'ws://[fd00::1]:1', 'ws://[::ffff:10.0.0.1]:1', 'ws://host.local:1', 'ws://box.tail.ts.net:1'])('%s', (url) => {
  expect(mayBePlaintext(hostOf(url), false)).toBe(true);
});

it.each(['ws://example.com:1', 'ws://192.0.2.1:1', 'ws://172.32.0.1:1', 'ws://100.128.0.1:1', 'ws://[2001:db8::1]:1', 'ws://[::ffff:192.0.2.1]:1', 'ws://local:1', 'ws://localhost.example.com:1', 'ws://gateway:1'])('not %s', (url) => {
  expect(mayBePlaintext(hostOf(url), false)).toBe(false);
});

it('lets names through that somebody vouches for, and no address of others', () => {
  expect(['ws://gateway:1', 'ws://192.0.2.1:1', 'ws://[2001:db8::1]:1'].map((url) => mayBePlaintext(hostOf(url), true))).toEqual([true, false, false]);
});
