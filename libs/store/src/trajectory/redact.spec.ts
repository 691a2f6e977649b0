import { REDACTED_DEPTH_MAX, createRedaction, redactJson, redactText } from './redact';
import type { JsonValue } from '@sessions/domain';

it('masks texts and lists of texts under names of secrets, and keeps what describes them', () => {
  const shown = redactJson({ cookies: ['sid=1', 2], apiKey: 'k', input: { properties: { password: { type: 'string' } } } }, { places: [], secrets: [] });
  expect(shown).toEqual({ cookies: ['[redacted]', 2], apiKey: '[redacted]', input: { properties: { password: { type: 'string' } } } });
});

const HERE = { workspace: '/data/ws', stateDir: '/data', homeDir: '/home/ann' };

it('leaves nothing of a configured secret that begins with another', () => {
  expect(redactText('the word is hunter2-and-longer', createRedaction(HERE, ['hunter2', undefined, 'hunter2-and-longer']))).toBe('the word is [redacted]');
});

it('keeps what stands under two names that become one', () => {
  expect(redactJson({ 'sk-aaaaaaaaaa1': 1, 'sk-bbbbbbbbbb2': 2, '/data/a': 3 }, createRedaction(HERE, []))).toEqual({ '[redacted]': 1, '[redacted] (2)': 2, '$STATE_DIR/a': 3 });
});

it.each(['sessionToken', 'gatewayToken', 'accessKey', 'signing_key', 'passphrase', 'jwt'])('masks the member %s as it is masked where it stands in a text', (name) => {
  expect(redactJson({ [name]: 'hunter2' }, createRedaction(HERE, []))).toEqual({ [name]: '[redacted]' });
  expect(redactText(`{"${name}":"hunter2"}`, createRedaction(HERE, []))).toBe(`{"${name}":"[redacted]"}`);
});

it('leaves a name that goes on where a place ends', () => {
  const redaction = createRedaction(HERE, []);
  const text = '"/data" /data/a, /database/b /data-old /data.json\n/data';
  expect(redactJson(text, redaction)).toBe('"$STATE_DIR" $STATE_DIR/a, /database/b /data-old $STATE_DIR.json\n$STATE_DIR');
});

it('leaves a path that began before a place', () => {
  const text = '/mnt/data/a -I/data/inc PATH=/bin:/data/bin file:///data/x "/data"';
  expect(redactJson(text, createRedaction(HERE, []))).toBe('/mnt/data/a -I$STATE_DIR/inc PATH=/bin:$STATE_DIR/bin file://$STATE_DIR/x "$STATE_DIR"');
});

it('says what it left out of a value that is nested without end', () => {
  const nested = JSON.parse(`${'[{"a":'.repeat(50_000)}"sk-aaaaaaaaaa1"${'}]'.repeat(50_000)}`) as JsonValue;
  const shown = JSON.stringify(redactJson({ password: nested, other: nested }, createRedaction(HERE, [])));
  expect(shown.split('[left out: nested too deeply]').length).toBe(3);
  expect(shown.split('[').length).toBeLessThan(2 * REDACTED_DEPTH_MAX);
});
