import { activeBranch, contextLines } from './active-branch';
import { parseTranscriptLine, type ParsedLine } from './parse-line';

const read = (lines: readonly (object | string)[]): ParsedLine[] => lines.map((line, index) => parseTranscriptLine(typeof line === 'string' ? line : JSON.stringify(line), index + 1));
const message = (id: string, parentId: string | null, more: object = {}): object => ({ type: 'message', id, parentId, ...more, message: { role: 'user', content: id } });
const ids = (lines: readonly (object | string)[]): (string | undefined)[] => activeBranch(read(lines)).path.map((line) => line.id);
const HEADER = { type: 'session', version: 3, id: 's' };

describe('activeBranch', () => {
  it('leads from the root to the last line', () => {
    expect(ids([HEADER, message('a', null), message('b', 'a'), message('c', 'b')])).toEqual(['a', 'b', 'c']);
  });

  it('leaves out the other branch of a fork', () => {
    expect(ids([HEADER, message('a', null), message('b', 'a'), message('c', 'a')])).toEqual(['a', 'c']);
  });

  it('is not moved by a line beside it', () => {
    expect(activeBranch(read([HEADER, message('a', null), message('b', 'a', { appendMode: 'side' })]))).toMatchObject({ leafId: 'a', path: [{ id: 'a' }] });
  });

  it('goes through a side line when a later line hangs on it', () => {
    expect(ids([message('a', null), message('b', 'a', { appendMode: 'side' }), message('c', 'b')])).toEqual(['a', 'b', 'c']);
  });

  it('follows a leaf line to the line it names, until the next line', () => {
    const lines = [message('a', null), message('b', 'a'), { type: 'leaf', id: 'x', parentId: 'b', targetId: 'a' }];
    expect(ids(lines)).toEqual(['a']);
    expect(ids([...lines, message('c', 'a')])).toEqual(['a', 'c']);
  });

  it('is empty when a leaf line moves before the root', () => {
    expect(activeBranch(read([message('a', null), { type: 'leaf', id: 'x', parentId: 'a', targetId: null }]))).toMatchObject({ leafId: null, path: [] });
  });

  it('ignores and reports a leaf line that names no line', () => {
    expect(activeBranch(read([message('a', null), { type: 'leaf', id: 'x', parentId: 'a', targetId: 'gone' }]))).toMatchObject({ leafId: 'a', ignoredLeafLines: [2] });
  });

  it('takes lines without ids in file order', () => {
    expect(ids([{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }])).toEqual(['L1', 'L2']);
    expect(ids([{ type: 'session' }, { type: 'message', message: { role: 'user' } }, { type: 'message', message: { role: 'assistant' } }])).toEqual(['L2', 'L3']);
  });

  it('ends where a parent is missing, and reports the line', () => {
    expect(activeBranch(read([message('a', null), message('b', 'gone'), message('c', 'b')]))).toMatchObject({ path: [{ id: 'b' }, { id: 'c' }], brokenAt: [2] });
  });

  it('goes on before a damaged line that may have been the missing parent', () => {
    expect(activeBranch(read([message('a', null), '{"type":"message","id":"b', message('c', 'b')]))).toMatchObject({ path: [{ id: 'a' }, { id: 'c' }], brokenAt: [3], malformedLines: 1 });
  });

  it('ends in a circle', () => {
    expect(ids([message('a', 'b'), message('b', 'a')])).toEqual(['a', 'b']);
    expect(ids([message('a', 'a')])).toEqual(['a']);
  });

  it('takes the nearest earlier line where an id stands twice', () => {
    const { path } = activeBranch(read([message('a', null), message('b', 'a'), message('a', 'b'), message('c', 'a')]));
    expect(path.map((line) => line.number)).toEqual([1, 2, 3, 4]);
  });

  it('is empty for an empty transcript', () => {
    expect(activeBranch([])).toEqual({ path: [], leafId: null, brokenAt: [], ignoredLeafLines: [], malformedLines: 0 });
    expect(ids([HEADER, ''])).toEqual([]);
  });
});

describe('contextLines', () => {
  const path = (lines: readonly object[]) => contextLines(activeBranch(read(lines)).path);

  it('is the whole branch before any compaction', () => {
    expect(path([message('a', null), message('b', 'a')])).toMatchObject({ compaction: undefined, lines: [{ id: 'a' }, { id: 'b' }] });
  });

  it('keeps what the newest compaction keeps, and what came after', () => {
    const lines = [message('a', null), message('b', 'a'), { type: 'compaction', id: 'x', parentId: 'b', summary: '', firstKeptEntryId: 'b' }, message('c', 'x'), { type: 'compaction', id: 'y', parentId: 'c', summary: '', firstKeptEntryId: 'c' }, message('d', 'y')];
    expect(path(lines)).toMatchObject({ compaction: { id: 'y' }, lines: [{ id: 'c' }, { id: 'd' }] });
    expect(path(lines.slice(0, 4))).toMatchObject({ compaction: { id: 'x' }, lines: [{ id: 'b' }, { id: 'c' }] });
  });

  it('keeps nothing before a compaction whose first kept line is not on the branch', () => {
    expect(path([message('a', null), { type: 'compaction', id: 'x', parentId: 'a', summary: '', firstKeptEntryId: 'gone' }, message('b', 'x')])).toMatchObject({ compaction: { id: 'x' }, lines: [{ id: 'b' }] });
  });

  it('loses no line behind a compaction that names a later one as first kept', () => {
    const { lines } = path([message('a', null), { type: 'compaction', id: 'x', parentId: 'a', summary: '', firstKeptEntryId: 'c' }, message('b', 'x'), message('c', 'b')]);
    expect(lines.map((line) => line.id)).toEqual(['b', 'c']);
  });
});
