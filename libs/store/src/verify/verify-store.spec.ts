import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, lstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { openIndexForWriting } from '../session-index/open-database';
import { INDEXES, INDEX_FORMAT, META, TABLES } from '../session-index/schema';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { generateStore, type GeneratedStore } from '../testing/store-generator';
import { scanTranscriptSync } from '../transcript/scan-transcript';
import { planRepairs, type FindingKind } from './findings';
import { verifyStore, type StoreReport, type VerifyOptions } from './verify-store';

describe('verifyStore', () => {
  let top: string;
  let store: GeneratedStore;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'verify-'));
    store = generateStore({ stateDir: top, entries: 40, transcripts: { messages: 12, textLength: 40 } });
  });
  afterEach(() => rmSync(top, { recursive: true }));

  const verify = (options: Partial<VerifyOptions> = {}): Promise<StoreReport> =>
    verifyStore('main', store.sessionsFile, { nowMs: () => Date.now(), ...options });

  const kindsOf = (report: StoreReport): FindingKind[] => report.findings.map((finding) => finding.kind);
  const inStore = (name: string): string => join(store.sessionsDir, name);
  const readStore = (): Record<string, Record<string, unknown>> => JSON.parse(readFileSync(store.sessionsFile, 'utf8')) as never;
  const writeStore = (entries: object): void => writeFileSync(store.sessionsFile, JSON.stringify(entries, null, 2));

  function writeMeta(db: ReturnType<typeof openIndexForWriting>): void {
    const stats = statSync(store.sessionsFile, { bigint: true });
    const meta = { [META.format]: INDEX_FORMAT, [META.fileSize]: stats.size, [META.fileMtimeNs]: stats.mtimeNs, [META.fileInode]: stats.ino };
    for (const [name, value] of Object.entries(meta)) db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)').run(name, String(value));
  }

  /** Writes the index that the engine would have for the files as they are now. */
  function writeIndex(change: (db: ReturnType<typeof openIndexForWriting>) => void = () => undefined): void {
    mkdirSync(inStore('.store'), { recursive: true });
    const db = openIndexForWriting(inStore('.store/index.sqlite'));
    db.exec(TABLES);
    db.exec(INDEXES);
    let id = 0;
    const fd = openSync(store.sessionsFile, 'r');
    scanSessionsFileSync(fd, ({ key, valueBytes }) => {
      id += 1;
      db.prepare('INSERT INTO entry (id, json) VALUES (?, ?)').run(id, valueBytes);
      db.prepare("INSERT INTO session (id, key, visibility, sort_at, search, row) VALUES (?, ?, 0, 0, '', x'')").run(id, key);
    });
    closeSync(fd);
    for (const name of readdirSync(store.sessionsDir).filter((file) => file.endsWith('.jsonl'))) {
      const transcript = openSync(inStore(name), 'r');
      const scan = scanTranscriptSync(transcript);
      closeSync(transcript);
      db.prepare('INSERT INTO transcript (file, bytes, messages, exchanges, leaf_id, kind) VALUES (?, ?, ?, ?, ?, ?)').run(
        name, scan.completeBytes, scan.messageCount, scan.userAssistantCount, scan.leafId, scan.kind,
      );
    }
    writeMeta(db);
    change(db);
    db.close();
  }

  /** Every name below the state directory with its bytes, SQLite's own side files apart. */
  function snapshot(directory = top): string[] {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => !/-(wal|shm)$/.test(name))
      .sort()
      .map((name) => {
        const file = join(directory, name);
        const stats = lstatSync(file);
        return `${name} ${stats.isFile() ? `${createHash('sha256').update(readFileSync(file)).digest('hex')} ${stats.mtimeMs}` : 'other'}`;
      });
  }

  it('finds a healthy store of the original in order and counts it', async () => {
    const report = await verify();
    expect(report).toMatchObject({ agentId: 'main', path: store.sessionsFile, ok: true, findings: [] });
    expect(report.totals).toEqual({
      entries: 40,
      sessionsFileBytes: store.sessionsFileBytes,
      transcripts: 40,
      transcriptBytes: store.transcriptBytes,
      lines: 40 * 13,
      messages: 40 * 12,
      malformedLines: 0,
      archives: 0,
      archiveBytes: 0,
      orphans: 0,
      findingsOmitted: 0,
    });
  });

  it('finds a store with an index that agrees in order', async () => {
    writeIndex();
    expect(await verify()).toMatchObject({ ok: true, findings: [] });
  });

  it('changes nothing', async () => {
    writeIndex();
    appendFileSync(store.transcriptAt(1), 'torn');
    writeFileSync(inStore('x.jsonl.lock'), '{"pid":999999999}');
    const before = snapshot();
    await verify();
    expect(snapshot()).toEqual(before);
  });

  it('heeds what was changed since the last checkpoint', async () => {
    writeIndex((db) => {
      // Key 3 was patched, key 4 removed, one added: the file has them as they were.
      db.exec("INSERT INTO base (key, generation, json) SELECT s.key, 1, e.json FROM session s JOIN entry e USING (id) WHERE s.id IN (3, 4)");
      db.exec("UPDATE entry SET json = '{}' WHERE id = 3; DELETE FROM entry WHERE id = 4; DELETE FROM session WHERE id = 4");
      db.exec("INSERT INTO entry (id, json) VALUES (99, '{\"sessionId\":\"n\"}')");
      db.exec("INSERT INTO session (id, key, visibility, sort_at, search, row) VALUES (99, 'agent:main:new', 0, 0, '', x'')");
      db.exec("INSERT INTO base (key, generation, json) VALUES ('agent:main:new', 1, NULL)");
    });
    expect(await verify()).toMatchObject({ ok: true, findings: [] });
  });

  it('finds every way in which the index can disagree with the file', async () => {
    writeIndex((db) => {
      db.exec("UPDATE entry SET json = '{}' WHERE id = 3; DELETE FROM entry WHERE id = 4; DELETE FROM session WHERE id = 4");
      db.exec("INSERT INTO entry (id, json) VALUES (99, '{\"sessionId\":\"n\"}')");
      db.exec("INSERT INTO session (id, key, visibility, sort_at, search, row) VALUES (99, 'agent:main:extra', 0, 0, '', x'')");
    });
    const report = await verify();
    expect(report.ok).toBe(false);
    expect(report.findings.map(({ kind, key, repair }) => [kind, key, repair])).toEqual([
      ['index-entry-differs', store.keyAt(2), 'rebuild-index'],
      ['index-entry-missing', store.keyAt(3), 'rebuild-index'],
      ['index-entry-extra', 'agent:main:extra', 'rebuild-index'],
    ]);
    expect(planRepairs(report.findings)).toEqual([{ do: 'rebuild-index' }]);
  });

  it('finds a transcript that is not what the index remembers', async () => {
    writeIndex((db) => db.prepare('UPDATE transcript SET messages = messages - 1 WHERE file = ?').run(relative(store.sessionsDir, store.transcriptAt(5))));
    expect((await verify()).findings).toMatchObject([{ kind: 'index-transcript-differs', key: store.keyAt(5), detail: 'the index says messages 11 instead of 12' }]);
    appendFileSync(store.transcriptAt(6), '{"type":"custom","id":"c","parentId":"0000000c"}\n');
    expect(kindsOf(await verify())).toEqual(['index-transcript-differs', 'index-transcript-differs']);
    expect(kindsOf(await verify({ live: true }))).toEqual(['index-transcript-differs']);
  });

  it('takes half a line for one being written while an owner lives', async () => {
    appendFileSync(store.transcriptAt(6), '{"type":');
    expect(kindsOf(await verify())).toEqual(['torn-tail']);
    expect(kindsOf(await verify({ live: true }))).toEqual([]);
  });

  it('does not compare with an index that knows another file', async () => {
    writeIndex((db) => db.exec("UPDATE entry SET json = '{}'"));
    writeStore(readStore());
    const report = await verify();
    expect(kindsOf(report)).toEqual(['sessions-file-changed']);
    expect(report.ok).toBe(true);
  });

  it.each<[string, () => void, FindingKind]>([
    ['no database', () => writeFileSync(inStore('.store/index.sqlite'), 'not a database, and long enough to be looked at as one'.repeat(20)), 'index-unreadable'],
    [
      'a damaged page',
      () => {
        const bytes = readFileSync(inStore('.store/index.sqlite'));
        writeFileSync(inStore('.store/index.sqlite'), bytes.fill(0x5a, 8192));
      },
      'index-unreadable',
    ],
    ['a link', () => (unlinkSync(inStore('.store/index.sqlite')), symlinkSync('/etc/passwd', inStore('.store/index.sqlite'))), 'not-a-regular-file'],
  ])('reports an index that is %s and verifies the rest', async (_what, damage, kind) => {
    writeIndex();
    damage();
    appendFileSync(store.transcriptAt(1), 'torn');
    const report = await verify();
    expect(kindsOf(report)).toEqual([kind, 'torn-tail']);
    expect(report.totals.entries).toBe(40);
  });

  it('reports an index in whose change a writer died, mends nothing and verifies the rest', async () => {
    writeIndex();
    const file = inStore('.store/index.sqlite');
    const db = openIndexForWriting(file);
    db.pragma('journal_mode = DELETE');
    db.pragma('cache_size = 2');
    db.exec("BEGIN; UPDATE entry SET json = json || ' '");
    const [half, rollback] = [readFileSync(file), readFileSync(`${file}-journal`)];
    db.close();
    writeFileSync(file, half);
    writeFileSync(`${file}-journal`, rollback);
    appendFileSync(store.transcriptAt(1), 'torn');
    const before = snapshot();
    const report = await verify();
    expect(kindsOf(report)).toEqual(['index-unfinished', 'torn-tail']);
    expect(report.totals.entries).toBe(40);
    expect(snapshot()).toEqual(before);
  });

  it('reports an index of another format', async () => {
    writeIndex((db) => db.exec("UPDATE meta SET value = '999' WHERE name = 'format'"));
    expect(await verify()).toMatchObject({ ok: true, findings: [{ kind: 'index-outdated', repair: 'rebuild-index' }] });
  });

  it.each<[string, () => void, FindingKind]>([
    ['truncated', () => writeFileSync(store.sessionsFile, readFileSync(store.sessionsFile).subarray(0, 30_000)), 'sessions-file-unreadable'],
    ['an array', () => writeFileSync(store.sessionsFile, '[]'), 'sessions-file-unreadable'],
    ['empty', () => writeFileSync(store.sessionsFile, ''), 'sessions-file-empty'],
    ['missing', () => unlinkSync(store.sessionsFile), 'sessions-file-missing'],
    ['a directory', () => (unlinkSync(store.sessionsFile), mkdirSync(store.sessionsFile)), 'sessions-file-unreadable'],
  ])('calls nothing an orphan while the sessions file is %s', async (_what, damage, kind) => {
    damage();
    const report = await verify();
    expect(report.ok).toBe(false);
    expect(kindsOf(report)).toEqual([kind]);
    expect(planRepairs(report.findings).map((action) => action.do)).toContain('restore-sessions-file');
  });

  it('takes the rows from the index when the sessions file is damaged', async () => {
    writeIndex();
    writeFileSync(store.sessionsFile, '{"half');
    appendFileSync(store.transcriptAt(1), 'torn');
    const report = await verify();
    expect(kindsOf(report)).toEqual(['sessions-file-changed', 'sessions-file-unreadable', 'torn-tail']);
    expect(report.totals).toMatchObject({ entries: 40, transcripts: 40, orphans: 0 });
    expect(planRepairs(report.findings)).toEqual([
      { do: 'quarantine', file: 'sessions.json' },
      { do: 'cut-torn-tail', file: relative(store.sessionsDir, store.transcriptAt(1)), key: store.keyAt(1) },
      { do: 'restore-sessions-file' },
    ]);
  });

  it('finds a new store in order', async () => {
    rmSync(top, { recursive: true });
    mkdirSync(store.sessionsDir, { recursive: true });
    expect(await verify()).toMatchObject({ ok: true, findings: [] });
  });

  it('reports rows that repeat, alias, or are no entries', async () => {
    const peer = { sessionId: 'p1', updatedAt: 1 };
    writeFileSync(
      store.sessionsFile,
      `{"agent:main:telegram:dm:7":${JSON.stringify(peer)},"agent:main:telegram:direct:7":${JSON.stringify(peer)},"a":1,"b":{"updatedAt":1},"c":{"sessionId":"../../x"},"a":{"uuid":"p1"}}`,
    );
    const report = await verify();
    expect(report.findings.filter(({ kind }) => kind !== 'orphan' && kind !== 'transcript-not-begun').map(({ kind, key }) => [kind, key])).toEqual([
      ['entry-invalid', 'a'],
      ['entry-invalid', 'b'],
      ['unsafe-session-id', 'c'],
      ['duplicate-key', 'a'],
      ['alias-keys', 'agent:main:telegram:dm:7'],
    ]);
    expect(report.totals.orphans).toBe(40);
  });

  it('lets the last of two equal keys stand for the index', async () => {
    writeFileSync(store.sessionsFile, '{"k":{"sessionId":"a"},"k":{"sessionId":"b"}}');
    mkdirSync(inStore('.store'), { recursive: true });
    const db = openIndexForWriting(inStore('.store/index.sqlite'));
    db.exec(TABLES);
    db.exec(`INSERT INTO entry (id, json) VALUES (1, CAST('{"sessionId":"b"}' AS BLOB))`);
    db.exec("INSERT INTO session (id, key, visibility, sort_at, search, row) VALUES (1, 'k', 0, 0, '', x'')");
    writeMeta(db);
    db.close();
    expect(new Set(kindsOf(await verify()))).toEqual(new Set(['duplicate-key', 'transcript-not-begun', 'orphan']));
  });

  it('tells a lost transcript from one that was never begun', async () => {
    unlinkSync(store.transcriptAt(2));
    const entries = readStore();
    writeStore({ ...entries, 'agent:main:new': { sessionId: 'fresh', updatedAt: 1 } });
    expect((await verify()).findings.map(({ kind, key }) => [kind, key])).toEqual([
      ['transcript-missing', store.keyAt(2)],
      ['transcript-not-begun', 'agent:main:new'],
    ]);
  });

  it('never follows a recorded transcript out of the store', async () => {
    const outside = join(top, 'outside.jsonl');
    writeFileSync(outside, 'not json\n');
    symlinkSync(outside, inStore('link.jsonl'));
    symlinkSync(top, inStore('way-out'));
    const entries = readStore();
    const [a, b, c, d] = [0, 1, 2, 3].map((index) => store.keyAt(index));
    (entries[a as string] as Record<string, unknown>)['sessionFile'] = outside;
    (entries[b as string] as Record<string, unknown>)['sessionFile'] = '../../../../outside.jsonl';
    (entries[c as string] as Record<string, unknown>)['sessionFile'] = 'link.jsonl';
    (entries[d as string] as Record<string, unknown>)['sessionFile'] = 'way-out/outside.jsonl';
    writeStore(entries);
    const report = await verify();
    expect(report.findings.map(({ kind, key, file }) => [kind, key ?? file])).toEqual([
      ['unsafe-session-file', a],
      ['unsafe-session-file', b],
      ['not-a-regular-file', c],
      ['unsafe-session-file', d],
      ['not-a-regular-file', 'way-out'],
    ]);
    expect(report.totals.malformedLines).toBe(0);
  });

  it('reports a recorded transcript that is not there while the canonical one is', async () => {
    const entries = readStore();
    (entries[store.keyAt(0)] as Record<string, unknown>)['sessionFile'] = 'moved.jsonl';
    writeStore(entries);
    expect((await verify()).findings).toMatchObject([{ kind: 'wrong-session-file', key: store.keyAt(0), file: 'moved.jsonl' }]);
  });

  it('reports what is wrong inside a transcript', async () => {
    const message = (id: string, parentId: string | null, role: string, extra: object = {}): string => `${JSON.stringify({ type: 'message', id, parentId, message: { role, content: [], ...extra } })}\n`;
    const header = (index: number): string => `${JSON.stringify({ type: 'session', version: 3, id: store.sessionIdAt(index) })}\n`;
    const call = { content: [{ type: 'toolCall', id: 'c1', name: 'exec' }] };
    writeFileSync(store.transcriptAt(0), header(0) + message('a', null, 'user') + 'not json\n' + message('b', 'a', 'user'));
    writeFileSync(store.transcriptAt(1), header(1) + message('a', 'nowhere', 'user') + message('b', 'a', 'user') + message('b', 'c', 'user'));
    writeFileSync(store.transcriptAt(2), header(2) + message('a', null, 'assistant', call) + message('b', 'a', 'toolResult', { toolCallId: 'c2' }));
    writeFileSync(store.transcriptAt(3), header(3));
    writeFileSync(store.transcriptAt(4), header(5) + message('a', null, 'user'));
    const report = await verify();
    expect(report.findings.map(({ kind, key, detail }) => [kind, key, detail])).toEqual([
      ['malformed-lines', store.keyAt(0), '1 of 4 lines cannot be read; they are skipped and kept'],
      ['broken-parents', store.keyAt(1), '2 lines name a parent that does not stand before them, the first is line 2'],
      ['duplicate-line-ids', store.keyAt(1), '1 lines repeat the id of an earlier line'],
      ['unpaired-tool-calls', store.keyAt(2), '1 tool calls without a result, 1 results without a call'],
      ['transcript-without-messages', store.keyAt(3), 'the transcript holds no message'],
      ['header-names-other-session', store.keyAt(4), 'the header of the transcript names another session id than the entry'],
    ]);
  });

  it('names files that no row explains, and no others', async () => {
    const id = store.sessionIdAt(0);
    const other = '00000000-0000-7000-8000-000000000000';
    const explained = [
      `${id}.trajectory.jsonl`, `${id}.trajectory-path.json`, `${id}-topic-7.jsonl`, `${id}.checkpoint.${other}.jsonl`,
      `${other}.jsonl.reset.2026-05-01T10-00-00.000Z`, `${other}.jsonl.deleted.2026-05-01T10-00-00Z`, `${other}.jsonl.bak.2026-05-01T10-00-00.000Z`,
      'sessions.json.bak.3', 'named-by-family.jsonl', 'named-by-journal.jsonl',
    ];
    for (const name of explained) writeFileSync(inStore(name), '');
    mkdirSync(inStore('skills-prompts'));
    mkdirSync(inStore('transcripts'));
    mkdirSync(inStore('holiday'));
    writeFileSync(inStore('transcripts/alt.jsonl'), '{"role":"user","content":"x"}\n');
    writeFileSync(inStore('transcripts/stray.jsonl'), '');
    writeFileSync(inStore(`${other}.jsonl`), '');
    writeFileSync(inStore(`${other}.trajectory.jsonl`), '');
    writeFileSync(inStore('notes.txt'), '');
    writeFileSync(inStore(`sessions.json.12.${other}.tmp`), '');
    writeFileSync(inStore(`${id}.jsonl.lock`), JSON.stringify({ pid: process.pid }));
    writeFileSync(inStore('dead.jsonl.lock'), JSON.stringify({ pid: 999_999_999 }));
    mkdirSync(inStore('odd.jsonl.lock'));
    const entries = readStore();
    (entries[store.keyAt(0)] as Record<string, unknown>)['usageFamilySessionIds'] = ['named-by-family'];
    writeStore({ ...entries, alt: { sessionId: 'alt', updatedAt: 1, sessionFile: 'transcripts/alt.jsonl' } });
    const report = await verify({ namedElsewhere: (sessionId) => sessionId === 'named-by-journal' });
    // Archives of another program are a notice: they have no line, and are restored by their names.
    const unlisted = report.findings.filter(({ kind }) => kind === 'archive-unlisted');
    expect(unlisted).toHaveLength(3);
    expect(report.findings.filter((finding) => !unlisted.includes(finding)).map(({ kind, file }) => `${kind} ${file}`).sort()).toEqual([
      'dead-lock dead.jsonl.lock',
      'lock-not-a-file odd.jsonl.lock',
      `orphan ${other}.jsonl`,
      `orphan ${other}.trajectory.jsonl`,
      'orphan transcripts/stray.jsonl',
      `temp-file sessions.json.12.${other}.tmp`,
      'unknown-name holiday',
      'unknown-name notes.txt',
    ]);
    expect(report.totals.orphans).toBe(3);
  });

  it('compares archives with the manifest, which also explains names', async () => {
    mkdirSync(inStore('.store'));
    const line = (sessionId: string, content: string, name: string): string =>
      `${JSON.stringify({ at: 1, reason: 'reset', key: 'k', sessionId, files: [{ from: `${sessionId}.jsonl`, to: name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }] })}\n`;
    const stamp = '2026-05-01T10-00-00.000Z';
    writeFileSync(inStore(`good.jsonl.reset.${stamp}`), 'good');
    writeFileSync(inStore(`long.jsonl.reset.${stamp}`), 'longer');
    writeFileSync(inStore(`bent.jsonl.reset.${stamp}`), 'BENT');
    writeFileSync(inStore('good.trajectory.jsonl'), '');
    writeFileSync(
      inStore('.store/archive-manifest.jsonl'),
      line('good', 'good', `good.jsonl.reset.${stamp}`) + line('long', 'long', `long.jsonl.reset.${stamp}`) + line('bent', 'bent', `bent.jsonl.reset.${stamp}`) + line('gone', 'x', `gone.jsonl.reset.${stamp}`) + line('out', 'x', '/etc/passwd') + line('left', 'x', `left.jsonl.reset.${stamp}`) + `${JSON.stringify({ at: 2, reason: 'restore', key: 'k', sessionId: 'left', files: [], gone: [`left.jsonl.reset.${stamp}`] })}\n` + 'broken\n',
    );
    const report = await verify();
    expect(report.findings.map(({ kind, file }) => [kind, file])).toEqual([
      ['manifest-malformed', '.store/archive-manifest.jsonl'],
      ['archive-differs', `long.jsonl.reset.${stamp}`],
      ['archive-differs', `bent.jsonl.reset.${stamp}`],
      ['archive-missing', `gone.jsonl.reset.${stamp}`],
      ['archive-differs', relative(store.sessionsDir, '/etc/passwd')],
    ]);
    expect(report.totals).toMatchObject({ archives: 3, archiveBytes: 14 });
  });

  it('leaves no descriptor open', async () => {
    writeIndex();
    await verify();
    const before = readdirSync('/proc/self/fd').length;
    await verify();
    writeFileSync(store.sessionsFile, '{"half');
    await verify();
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});
