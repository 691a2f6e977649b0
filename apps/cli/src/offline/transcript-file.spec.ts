import { readTranscript } from './transcript-file';
import { activeBranch } from '@sessions/domain';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('a transcript', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cli-transcript-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const write = (lines: readonly unknown[]): void => writeFileSync(join(directory, 'a.jsonl'), `${lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')}\n`);
  const message = (id: string, parentId: string | null, more: object = {}): object => ({ type: 'message', id, parentId, message: { role: 'user', content: id }, ...more });
  const branch = (): unknown[] => activeBranch(readTranscript(directory, 'a.jsonl')?.lines ?? []).path.map(({ value }) => value['id'] ?? value['content']);

  it('shows the branch of its last line', () => {
    write([{ type: 'session', version: 3, id: 's' }, message('a', null), message('b', 'a'), message('c', 'a')]);
    expect(branch()).toEqual(['a', 'c']);
  });

  it('leaves out lines beside the branch and follows a moved leaf', () => {
    write([message('a', null), message('b', 'a'), message('side', 'b', { appendMode: 'side' })]);
    expect(branch()).toEqual(['a', 'b']);
    write([message('a', null), message('b', 'a'), { type: 'leaf', id: 'l', parentId: 'b', targetId: 'a' }]);
    expect(branch()).toEqual(['a']);
  });

  it('takes lines without ids in file order', () => {
    write([{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }]);
    expect(branch()).toEqual(['one', 'two']);
  });

  it('counts lines that it cannot parse and goes on', () => {
    write([message('a', null), '{"type":"mess', '', message('b', 'a')]);
    expect(readTranscript(directory, 'a.jsonl')).toMatchObject({ linesCount: 3, malformedLines: 1, seqs: new Map([[1, 1], [4, 2]]) });
  });

  it('may be missing', () => expect(readTranscript(directory, 'none.jsonl')).toBeUndefined());

  it('is not read through a link that leads out of its directory', () => {
    mkdirSync(join(directory, 'in'));
    writeFileSync(join(directory, 'out.jsonl'), '');
    symlinkSync(join(directory, 'out.jsonl'), join(directory, 'in', 'link.jsonl'));
    expect(() => readTranscript(join(directory, 'in'), 'link.jsonl')).toThrow('is not followed');
  });
});
