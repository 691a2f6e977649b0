import fc from 'fast-check';
import { archiveName, freeArchiveName, insideSessionsDir, parseArchiveName, transcriptFileName, transcriptFileOf } from './entry-file';

const DIR = '/home/u/.openclaw/agents/main/sessions';

describe('the name of a transcript', () => {
  it('is the session id, with the encoded topic for topics', () => {
    expect(transcriptFileName('s-1')).toBe('s-1.jsonl');
    expect(transcriptFileName('s-1', '42')).toBe('s-1-topic-42.jsonl');
    expect(transcriptFileName('s-1', 'a/b')).toBe('s-1-topic-a%2Fb.jsonl');
  });

  it.each(['../x', 'x.trajectory', 'x.checkpoint.0b6c0001-1111-4111-8111-111111111111'])('leaves the topic %s out, which would read like a sidecar', (topic) => {
    expect(transcriptFileName('s-1', topic)).toBe('s-1.jsonl');
  });

  it('leaves room for the archives of the file and of its sidecars, however long the topic', () => {
    const sessionId = '0b6c0001-1111-4111-8111-111111111111';
    for (let length = 1; length <= 256; length += 1) {
      for (const letter of ['a', '日']) {
        const file = transcriptFileName(sessionId, letter.repeat(length));
        const sidecar = file.replace(/\.jsonl$/, `.checkpoint.${sessionId}.jsonl`);
        expect(Buffer.byteLength(archiveName({ base: sidecar, kind: 'deleted', atMs: 0 }))).toBeLessThanOrEqual(255);
        expect(insideSessionsDir(file)).toBe(file);
      }
    }
  });

  it.each([
    ['x.jsonl', 'x.jsonl'],
    ['./x.jsonl', 'x.jsonl'],
    ['transcripts/x.jsonl', 'transcripts/x.jsonl'],
    [`${DIR}/x.jsonl`, 'x.jsonl'],
    [`${DIR}//./x.jsonl`, 'x.jsonl'],
    [`${DIR}/transcripts/x.jsonl`, 'transcripts/x.jsonl'],
  ])('is what sessionFile %s says', (sessionFile, name) => {
    expect(transcriptFileOf('s-1', sessionFile, DIR)).toBe(name);
    expect(transcriptFileOf('s-1', sessionFile)).toBe(name);
  });

  it.each([
    '', '.', '..', '../x.jsonl', 'a/../x.jsonl', 'other/x.jsonl', 'transcripts/a/x.jsonl', 'x.jsonl/', '.store/x.jsonl', '.hidden', 'a\\b', 'a\u0000b', 'x'.repeat(256),
    '/etc/passwd', `${DIR}/../../other/sessions/x.jsonl`, `${DIR}/sub/x.jsonl`, DIR, `${DIR}/`, `${DIR}/.store/owner.json`,
    'sessions.json', `${DIR}/sessions.json`, 'sessions.json.bak.1', 'x.jsonl.lock', 'x.trajectory-path.json', 'x.trajectory.jsonl', 'x.jsonl.deleted.2026-06-15T12-00-00.000Z', 5, null, undefined, {},
  ])('is the session id when sessionFile is %j', (sessionFile) => {
    expect(transcriptFileOf('s-1', sessionFile, DIR)).toBe('s-1.jsonl');
  });

  it('never leads into the directory of another agent', () => {
    const other = '/home/u/.openclaw/agents/other/sessions/secret.jsonl';
    expect(transcriptFileOf('s-1', other, DIR)).toBe('s-1.jsonl');
    expect(transcriptFileOf('s-1', `${DIR}-2/x.jsonl`, DIR)).toBe('s-1.jsonl');
  });

  it('is none when the id cannot name a file either', () => {
    expect(transcriptFileOf('a:b', '../x')).toBeNull();
    expect(transcriptFileOf('a:b', 'x.jsonl')).toBe('x.jsonl');
  });

  it('stays inside the sessions directory whatever sessionFile says', () => {
    const parts = fc.array(fc.oneof(fc.constantFrom('..', '.', '', 'sessions', 'transcripts', 'agents', 'x.jsonl', '\\..', '\u0000', ' '), fc.string({ maxLength: 5 })), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom('', '/', `${DIR}/`), parts, (start, segments) => {
        const name = insideSessionsDir(start + segments.join('/'), DIR);
        if (name === undefined) return;
        expect(name.split('/')).not.toContain('..');
        expect(name).toMatch(/^(?:transcripts\/)?[^./\\][^/\\]*$/s);
      }),
    );
  });
});

describe('the name of an archive', () => {
  it('holds kind and time', () => {
    const archive = { base: 's-1.jsonl', kind: 'reset', atMs: Date.UTC(2026, 5, 15, 12, 0, 0, 7) } as const;
    expect(archiveName(archive)).toBe('s-1.jsonl.reset.2026-06-15T12-00-00.007Z');
    expect(parseArchiveName(archiveName(archive))).toEqual(archive);
  });

  it('may lack milliseconds', () => {
    expect(parseArchiveName('s-1.jsonl.deleted.2026-06-15T12-00-00Z')).toEqual({ base: 's-1.jsonl', kind: 'deleted', atMs: Date.UTC(2026, 5, 15, 12) });
  });

  it.each(['s.jsonl', 's.jsonl.reset', 's.jsonl.reset.2026-06-15', 's.jsonl.reset.2026-13-15T12-00-00Z', 's.jsonl.reset.2026-02-30T12-00-00Z', 's.jsonl.reset.2026-06-15T25-00-00Z', '.reset.2026-06-15T12-00-00Z', 's.jsonl.moved.2026-06-15T12-00-00Z', 'sessions.json.bak.3'])(
    'is not %s',
    (name) => {
      expect(parseArchiveName(name)).toBeUndefined();
    },
  );

  it('is read back for every time, kind and base', () => {
    const archives = fc.record({ base: fc.string({ minLength: 1 }), kind: fc.constantFrom('reset', 'deleted', 'bak'), atMs: fc.integer({ min: 0, max: Date.UTC(9999, 0) }) });
    fc.assert(fc.property(archives, (archive) => expect(parseArchiveName(archiveName(archive as never))).toEqual(archive)));
  });

  it('moves to the next free millisecond', () => {
    const archive = { base: 's', kind: 'bak', atMs: 999 } as const;
    const taken = new Set([archiveName(archive), archiveName({ ...archive, atMs: 1000 })]);
    expect(freeArchiveName(archive, (name) => taken.has(name))).toBe(archiveName({ ...archive, atMs: 1001 }));
  });
});
