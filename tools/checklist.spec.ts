/** The checklist tells no tales: every file that it names is there, and holds the words that are said to find the test. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '..');
const rows = readFileSync(path.join(ROOT, 'docs', 'checklist.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, id, shown] = /^\| ([A-Z]+-\d+) \| (.+) \|$/u.exec(line) ?? [];
    return id === undefined || shown === undefined ? [] : [[id, shown] as const];
  });

it('has each row once', () => {
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.map(([id]) => id)).toEqual([...new Set(rows.map(([id]) => id))]);
});

it.each(rows)('%s is shown by what it names', (_id, shown) => {
  for (const one of shown.split('; ')) {
    const [, file, words] = /^`([^`]+)`(?: (.+))?$/u.exec(one) ?? [];
    expect([one, file !== undefined && existsSync(path.join(ROOT, file))]).toEqual([one, true]);
    if (words !== undefined) expect([one, readFileSync(path.join(ROOT, file ?? ''), 'utf8').includes(words)]).toEqual([one, true]);
  }
});
