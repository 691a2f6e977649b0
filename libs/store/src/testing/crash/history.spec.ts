import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HistoryFile, readHistory } from './history';

it('goes on behind whole lines: what a killed process had begun to say is not said', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'history-'));
  const file = path.join(directory, 'history.jsonl');
  try {
    const closed = (run: number) => ({ t: 'closed', run }) as const;
    for (const run of [1, 2, 3]) {
      const history = new HistoryFile(file);
      history.write(closed(run));
      history.close();
      if (run < 3) appendFileSync(file, '{"t":"ok","run":1,"answ');
    }
    expect(readHistory(file)).toEqual([1, 2, 3].map(closed));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
