import { NOTE_BYTES_MAX, parseMemoryNote } from './memory-notes';

const parse = (raw: unknown) => parseMemoryNote(raw, (text) => Buffer.byteLength(text));

describe('notes of a day', () => {
  it('go to a day of the calendar', () => {
    expect(parse({ path: 'memory/2026-06-15.md', text: '- likes tea\n' })).toEqual({ ok: true, value: { day: '2026-06-15', text: '- likes tea\n' } });
  });

  it.each(['memory/2026-02-30.md', 'memory/2026-06-15.txt', 'memory/../2026-06-15.md', '../memory/2026-06-15.md', '/memory/2026-06-15.md', 'memory/a/2026-06-15.md', 'memory/2026-06-15.md\n', 'MEMORY.md', '', 7, undefined])('and nowhere else: %j', (path) => {
    expect(parse({ path, text: 'x' })).toEqual({ ok: false, problems: ['path: must be memory/YYYY-MM-DD.md with a day of the calendar'] });
  });

  it('are a text within its bound, and nothing more', () => {
    const path = 'memory/2026-06-15.md';
    expect(parse({ path, text: 'x'.repeat(NOTE_BYTES_MAX) }).ok).toBe(true);
    for (const more of [{ text: 'ä'.repeat(NOTE_BYTES_MAX) }, { text: ' ' }, { text: 1 }, {}, { text: 'x', mode: 'replace' }]) expect(parse({ path, ...more }).ok).toBe(false);
    for (const raw of [undefined, null, [], 'x']) expect(parse(raw).ok).toBe(false);
  });
});
