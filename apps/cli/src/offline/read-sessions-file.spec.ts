import { readSessionsFile } from './read-sessions-file';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

describe('the sessions file', () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cli-store-'));
    file = join(directory, 'sessions.json');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('keeps the order of its keys', () => {
    writeFileSync(file, '{"b":{"sessionId":"1"},"a":{"sessionId":"2"}}');
    expect(Object.keys(readSessionsFile(file) ?? {})).toEqual(['b', 'a']);
  });

  it('may begin with a byte order mark', () => {
    writeFileSync(file, '\uFEFF{"a":{}}');
    expect(readSessionsFile(file)).toEqual({ a: {} });
  });

  it('is a store that never was when nothing stands beside it', () => expect(readSessionsFile(file)).toBeUndefined());
  it('is a store that never was when its directory is missing', () => expect(readSessionsFile(join(directory, 'no', 'sessions.json'))).toBeUndefined());

  it('is missed when a transcript or the engine’s own files stand beside it', () => {
    mkdirSync(join(directory, '.store'));
    expect(() => readSessionsFile(file)).toThrow(/missing although .*\.store/);
    writeFileSync(join(directory, 'a.jsonl'), '');
    expect(() => readSessionsFile(file)).toThrow('missing although 1 transcript stands beside it');
  });

  it.each([
    ['', 'empty'], ['\uFEFF', 'empty'], ['{"a":{"sess', 'cut short'], ['[]', 'array'], ['null', 'no object'], ['7', 'no object'], ['\0\0\0\0', 'NUL'], ['{"a":1}\0\0', 'NUL'], [' ', 'not valid JSON'],
  ])('is unreadable as %j, and says why', (text, why) => {
    writeFileSync(file, text);
    expect(() => readSessionsFile(file)).toThrow(why);
  });

  it('is unreadable when it is a pipe, and nobody waits for its other end', () => {
    execFileSync('mkfifo', [file]);
    expect(() => readSessionsFile(file)).toThrow('it is no regular file');
  });

  it('is unreadable when it is a link to itself', () => {
    symlinkSync(file, file);
    expect(() => readSessionsFile(file)).toThrow('loop of links');
  });

  it('is unreadable when it is a directory', () => {
    mkdirSync(file);
    expect(() => readSessionsFile(file)).toThrow('it is a directory');
  });
});
