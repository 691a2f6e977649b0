import { linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { NOTES_FILE_BYTES_MAX, NOTE_BYTES_MAX } from '@sessions/domain';
import { appendNotes } from './memory-files';

const DAY = '2026-06-15';
let base: string;
let workspace: string;
beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), 'memory-files-'));
  workspace = path.join(base, 'workspace');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));
const notes = (): string => path.join(workspace, 'memory', `${DAY}.md`);

describe('notes of a day', () => {
  it('are appended, each ending its line, readable by nobody else', async () => {
    expect(await appendNotes(workspace, DAY, 'one')).toEqual({ relPath: `memory/${DAY}.md`, bytes: 4 });
    await appendNotes(workspace, DAY, '- two\n- three\n');
    expect(readFileSync(notes(), 'utf8')).toBe('one\n- two\n- three\n');
    expect(statSync(notes()).mode & 0o777).toBe(0o600);
    writeFileSync(notes(), 'by hand, without an end');
    await appendNotes(workspace, DAY, 'four');
    expect(readFileSync(notes(), 'utf8')).toBe('by hand, without an end\nfour\n');
  });

  it('are there once when the call is made again', async () => {
    await appendNotes(workspace, DAY, 'one');
    await appendNotes(workspace, DAY, 'two');
    expect(await appendNotes(workspace, DAY, 'two')).toMatchObject({ bytes: 8 });
    expect(readFileSync(notes(), 'utf8')).toBe('one\ntwo\n');
  });

  it('stay within their bounds', async () => {
    for (const [day, text] of [[DAY, 'x'.repeat(NOTE_BYTES_MAX + 2)], [DAY, ' '], ['2026-02-30', 'x'], ['../../evil', 'x']] as const) {
      await expect(appendNotes(workspace, day, text)).rejects.toMatchObject({ reason: 'VALIDATION' });
    }
    mkdirSync(path.dirname(notes()), { recursive: true });
    writeFileSync(notes(), 'x'.repeat(NOTES_FILE_BYTES_MAX - 2));
    await expect(appendNotes(workspace, DAY, 'one')).rejects.toMatchObject({ reason: 'TOO_LARGE' });
    expect(statSync(notes()).size).toBe(NOTES_FILE_BYTES_MAX - 2);
  });

  it('go through no link, into no file that has another name too, and into no directory', async () => {
    const outside = path.join(base, 'outside');
    mkdirSync(outside);
    writeFileSync(path.join(outside, 'secret'), 'secret');
    mkdirSync(workspace);
    symlinkSync(outside, path.join(workspace, 'memory'));
    await expect(appendNotes(workspace, DAY, 'x')).rejects.toMatchObject({ reason: 'VALIDATION' });
    rmSync(path.join(workspace, 'memory'));
    mkdirSync(path.join(workspace, 'memory'));
    for (const make of [() => symlinkSync(path.join(outside, 'secret'), notes()), () => linkSync(path.join(outside, 'secret'), notes()), () => mkdirSync(notes())]) {
      make();
      await expect(appendNotes(workspace, DAY, 'x')).rejects.toMatchObject({ reason: 'VALIDATION' });
      rmSync(notes(), { recursive: true });
    }
    expect([readdirSync(outside), readFileSync(path.join(outside, 'secret'), 'utf8')]).toEqual([['secret'], 'secret']);
  });
});
