import { redactJson } from './redact';

it('masks texts and lists of texts under names of secrets, and keeps what describes them', () => {
  const shown = redactJson({ cookies: ['sid=1', 2], apiKey: 'k', input: { properties: { password: { type: 'string' } } } }, { places: [], secrets: [] });
  expect(shown).toEqual({ cookies: ['[redacted]', 2], apiKey: '[redacted]', input: { properties: { password: { type: 'string' } } } });
});
