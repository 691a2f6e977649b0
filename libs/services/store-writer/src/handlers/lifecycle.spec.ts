/** Reset, delete, restore, fork and branches through the whole service. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import {
  AppendRecordsRequest,
  FieldChange,
  ForkSessionRequest,
  ListArchivesRequest,
  ReadBranchRequest,
  StoreServiceCreateSessionRequest,
  StoreServiceDeleteSessionRequest,
  StoreServiceResetSessionRequest,
  StoreServiceRestoreSessionRequest,
} from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, newStateDir, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const reset = (made: Bench, members: Partial<StoreServiceResetSessionRequest> = {}, options?: { idempotencyKey: string }) =>
  made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset', ...members }), options);
const remove = (made: Bench, members: Partial<StoreServiceDeleteSessionRequest> = {}, options?: { idempotencyKey: string }) =>
  made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true, ...members }), options);
const restore = (made: Bench, members: Partial<StoreServiceRestoreSessionRequest> = {}, options?: { idempotencyKey: string }) =>
  made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, ...members }), options);
const archives = async (made: Bench, key?: string) => (await made.client.listArchives(ListArchivesRequest.create({ agentId: 'main', key }))).archives;
const OTHER = 'agent:main:telegram:direct:456';
const reasons = (made: Bench): (string | undefined)[] => made.events.flatMap(({ body }) => (body?.$case === 'changed' ? [body.value.reason] : []));
const members = (json: Uint8Array): Record<string, unknown> => JSON.parse(Buffer.from(json).toString('utf8')) as Record<string, unknown>;
const change = (name: string, value: unknown): FieldChange => FieldChange.create({ name, valueJson: Buffer.from(JSON.stringify(value)) });
const files = (made: Bench): string[] => readdirSync(sessionsDir(made.stateDir)).filter((name) => name.includes('.jsonl') && !name.endsWith('.lock'));

async function branch(made: Bench, key = KEY): Promise<string[]> {
  const texts: string[] = [];
  for await (const { item } of made.client.readBranch(ReadBranchRequest.create({ agentId: 'main', key }))) {
    if (item?.$case !== 'records') continue;
    for (const { lineJson } of item.value.records) texts.push((members(lineJson)['message'] as { content: string | { text: string }[] } | undefined)?.content.toString() ?? '');
  }
  return texts;
}

describe('reset', () => {
  it('begins a new session under the key, keeps what was chosen, and says which id was before', async () => {
    const made = await bench();
    const said = await made.client.deliver(telegram('before'));
    const answer = await reset(made, { fields: [change('label', 'Mine')] });
    expect(answer).toMatchObject({ key: KEY, previousSessionId: said.sessionId });
    expect(answer.archived).toHaveLength(1);
    expect(readFileSync(answer.archived[0] ?? '', 'utf8')).toContain('before');
    expect(path.basename(answer.archived[0] ?? '')).toMatch(new RegExp(`^${said.sessionId ?? ''}\\.jsonl\\.reset\\.\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d\\.\\d{3}Z$`));
    expect(members(answer.entryJson)).toMatchObject({ sessionId: answer.sessionId, label: 'Mine', previousSessionId: said.sessionId, lastResetReason: 'reset', totalTokens: 0, usageFamilySessionIds: [said.sessionId, answer.sessionId] });
    expect((await history(made)).texts).toEqual([]);
    await made.client.deliver(telegram('after'));
    expect((await history(made)).texts).toEqual(['after']);
    const event = made.events.find(({ body }) => body?.$case === 'changed' && body.value.reason === 'reset');
    expect(event?.body?.$case === 'changed' && event.body.value.previousSessionId).toBe(said.sessionId);
  });

  it('answers a repeat with the first result, and resets once', async () => {
    const made = await bench();
    await made.client.deliver(telegram('before'));
    const first = await reset(made, {}, { idempotencyKey: 'r-1' });
    const second = await reset(made, {}, { idempotencyKey: 'r-1' });
    expect(second).toMatchObject({ sessionId: first.sessionId, archived: first.archived });
    expect(files(made)).toHaveLength(2);
  });

  it('makes the row of an unknown key, and refuses an expected id that is another', async () => {
    const made = await bench();
    await expect(reset(made, { expectedSessionId: 'x' })).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
    const answer = await reset(made);
    expect(answer).toMatchObject({ previousSessionId: undefined, archived: [] });
    expect(answer.sessionId).not.toBe('');
  });

  it('loses no message that comes while it works: each stands once, before or after', async () => {
    const made = await bench();
    await made.client.deliver(telegram('m0'));
    const sends = Array.from({ length: 30 }, (_, index) => made.client.deliver(telegram(`m${index + 1}`)));
    const resets = [reset(made), reset(made, { reason: 'new' }), reset(made, { reason: 'clear' })];
    await Promise.all([...sends, ...resets]);
    const text = files(made).map((name) => readFileSync(path.join(sessionsDir(made.stateDir), name), 'utf8')).join('');
    await made.stop();
    const all = files(made).map((name) => readFileSync(path.join(sessionsDir(made.stateDir), name), 'utf8')).join('');
    expect(all.length).toBeGreaterThanOrEqual(text.length);
    for (let index = 0; index <= 30; index += 1) expect(all.split(`"m${index}"`)).toHaveLength(2);
  });
});

describe('delete and restore', () => {
  it('finds the archive of a row whose key was stored in another case, with the key as it stood and as requests have it', async () => {
    const stateDir = newStateDir();
    const dir = sessionsDir(stateDir);
    mkdirSync(dir, { recursive: true });
    const stored = 'agent:main:telegram:direct:@Bob';
    writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [stored]: { sessionId: 's-bob', updatedAt: Date.now() } }));
    const transcript = `${JSON.stringify({ type: 'session', version: 3, id: 's-bob' })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'x' } })}\n`;
    writeFileSync(path.join(dir, 's-bob.jsonl'), transcript);
    const made = await bench({ stateDir });
    for (const asked of [stored, stored.toLowerCase()]) {
      // It comes back under the key that it had.
      expect(await remove(made, { key: stored })).toMatchObject({ deleted: true });
      expect((await archives(made, asked)).some(({ restorable }) => restorable)).toBe(true);
      expect(await restore(made, { key: asked })).toMatchObject({ sessionId: 's-bob' });
      expect(readFileSync(path.join(dir, 's-bob.jsonl'), 'utf8')).toBe(transcript);
    }
  });

  it('takes transcript and trajectory away, and brings both back byte for byte with the entry', async () => {
    const made = await bench();
    const said = await made.client.deliver(telegram('hello'));
    const dir = sessionsDir(made.stateDir);
    const trajectory = `${said.sessionId ?? ''}.trajectory.jsonl`;
    writeFileSync(path.join(dir, trajectory), '{"type":"session.started"}\n');
    await reset(made, { fields: [change('label', 'Kept')] });
    await made.client.deliver(telegram('second'));
    const before = (await made.client.getEntry({ agentId: 'main', by: { $case: 'key', value: KEY }, includeFacts: false, entryOffset: undefined })).entryJson;
    const sessionId = members(before)['sessionId'];
    writeFileSync(path.join(dir, `${String(sessionId)}.trajectory.jsonl`), '{"type":"session.started"}\n');
    const gone = await remove(made);
    expect(gone).toMatchObject({ deleted: true, sessionId });
    expect(gone.archived).toHaveLength(2);
    expect(await remove(made)).toMatchObject({ deleted: false });
    expect((await archives(made, KEY)).map(({ archiveKind, reason, restorable }) => [archiveKind, reason, restorable])).toEqual([['deleted', 'delete', true], ['reset', 'reset', true]]);
    const bytes = readFileSync(gone.archived[0] ?? '');
    const back = await restore(made);
    expect(back).toMatchObject({ sessionId, archived: [] });
    expect(back.restored).toHaveLength(2);
    expect(readFileSync(path.join(dir, `${String(sessionId)}.jsonl`)).equals(bytes)).toBe(true);
    expect(members(back.entryJson)).toMatchObject({ label: 'Kept', sessionId });
    expect((await history(made)).texts).toEqual(['second']);
    await made.client.deliver(telegram('third'));
    expect((await history(made)).texts).toEqual(['second', 'third']);
    expect(reasons(made)).toEqual(expect.arrayContaining(['reset', 'delete', 'restore']));
  });

  it('goes back and forth between a reset session and the one before', async () => {
    const made = await bench();
    const first = await made.client.deliver(telegram('one'));
    const second = await reset(made);
    await made.client.deliver(telegram('two'));
    const back = await restore(made);
    expect(back).toMatchObject({ sessionId: first.sessionId, previousSessionId: second.sessionId });
    expect((await history(made)).texts).toEqual(['one']);
    expect(await restore(made, { archive: second.sessionId })).toMatchObject({ sessionId: second.sessionId });
    expect((await history(made)).texts).toEqual(['two']);
    await expect(restore(made, { archive: 'nothing' })).rejects.toMatchObject({ reason: 'ARCHIVE_NOT_FOUND' });
  });

  it('brings nothing of one session back into another', async () => {
    const made = await bench();
    const elsewhere = await made.client.deliver(telegram('only between us', { key: OTHER }));
    const [file] = (await reset(made, { key: OTHER })).archived;
    await made.client.deliver(telegram('before'));
    for (const archive of [elsewhere.sessionId ?? '', path.basename(file ?? '')]) await expect(restore(made, { archive })).rejects.toMatchObject({ reason: 'ARCHIVE_NOT_FOUND' });
    expect((await history(made)).texts).toEqual(['before']);
    expect(await restore(made, { key: OTHER, archive: path.basename(file ?? '') })).toMatchObject({ sessionId: elsewhere.sessionId });
  });

  it('answers a repeated restore with its first result, and changes nothing in a dry run', async () => {
    const made = await bench();
    await made.client.deliver(telegram('one'));
    await reset(made);
    const before = files(made);
    expect((await restore(made, { dryRun: true })).restored).toHaveLength(1);
    expect(files(made)).toEqual(before);
    const first = await restore(made, {}, { idempotencyKey: 'back' });
    expect(await restore(made, {}, { idempotencyKey: 'back' })).toMatchObject({ sessionId: first.sessionId, restored: first.restored });
  });

  it('refuses an archive that is not what was set aside', async () => {
    const made = await bench();
    await made.client.deliver(telegram('one'));
    const { archived } = await reset(made);
    const text = readFileSync(archived[0] ?? '', 'utf8');
    for (const changed of [text.replace('one', 'two'), `${text}more\n`, text.slice(0, -3)]) {
      writeFileSync(archived[0] ?? '', changed);
      await expect(restore(made)).rejects.toMatchObject({ reason: 'DAMAGED' });
    }
    expect(existsSync(archived[0] ?? '')).toBe(true);
  });

  it('finds archives of other programs by their names', async () => {
    const made = await bench();
    mkdirSync(sessionsDir(made.stateDir), { recursive: true });
    writeFileSync(path.join(sessionsDir(made.stateDir), 'old-1.jsonl.deleted.2026-01-02T03-04-05.678Z'), '{"type":"session","version":3,"id":"old-1"}\n');
    const back = await restore(made, { archive: 'old-1' });
    expect(back).toMatchObject({ key: KEY, sessionId: 'old-1' });
  });

  it('refuses the main session, keeps files in place on request', async () => {
    const made = await bench();
    await reset(made, { key: 'agent:main:main' });
    await expect(remove(made, { key: 'agent:main:main' })).rejects.toMatchObject({ reason: 'MAIN_PROTECTED', message: 'Cannot delete the main session (agent:main:main).' });
    await made.client.deliver(telegram('one'));
    await history(made);
    const before = files(made);
    expect(await remove(made, { deleteTranscript: false })).toMatchObject({ deleted: true, archived: [] });
    expect(files(made)).toEqual(before);
    // Its files never left: the entry alone comes back.
    expect((await archives(made, KEY))[0]).toMatchObject({ reason: 'delete', file: '', restorable: true });
    expect(await restore(made)).toMatchObject({ key: KEY, restored: [], archived: [] });
    expect((await history(made)).texts).toEqual(['one']);
    await expect(restore(made)).rejects.toMatchObject({ reason: 'ARCHIVE_NOT_FOUND' });
  });
});

describe('fork and branch', () => {
  it('reads the lines of a branch whole, those that stand side by side and those that others stand between', async () => {
    const made = await bench();
    const said = await made.client.deliver(telegram('question'));
    const append = async (content: string, parentId?: string): Promise<string> => {
      const { recordIds } = await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: said.sessionId ?? '', parentId, lines: [Buffer.from(JSON.stringify({ type: 'message', message: { role: 'assistant', content } }))] }));
      return recordIds[0] ?? '';
    };
    const first = await append('ä first');
    await append('left');
    await append('left too');
    const second = await append('second €', first);
    await append('left as well', first);
    await append('third', second);
    await append('fourth');
    expect((await branch(made)).slice(1)).toEqual(['ä first', 'second €', 'third', 'fourth']);
  });

  it('copies the active branch with its ids under a header that names the parent, without an unfinished tool call', async () => {
    const made = await bench();
    const said = await made.client.deliver(telegram('question'));
    const line = (record: unknown): Buffer => Buffer.from(JSON.stringify(record));
    const append = (...lines: Buffer[]) => made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: said.sessionId ?? '', lines }));
    await append(line({ type: 'message', message: { role: 'assistant', content: 'answer' } }), line({ type: 'message', message: { role: 'user', content: 'more' } }));
    await append(line({ type: 'message', message: { role: 'assistant', content: [{ type: 'toolCall', id: 't1', name: 'x', arguments: {} }] } }));
    expect(await branch(made)).toHaveLength(4);
    const fork = await made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: KEY, targetKey: 'agent:main:child' }));
    expect(fork).toMatchObject({ forked: true, key: 'agent:main:child' });
    expect(members(fork.entryJson)).toMatchObject({ parentSessionKey: KEY });
    const lines = readFileSync(path.join(sessionsDir(made.stateDir), `${fork.sessionId}.jsonl`), 'utf8').trimEnd().split('\n');
    expect(members(Buffer.from(lines[0] ?? ''))).toMatchObject({ type: 'session', id: fork.sessionId, parentSession: said.sessionId, sessionKey: 'agent:main:child' });
    expect(lines).toHaveLength(4);
    expect(await branch(made, 'agent:main:child')).toHaveLength(3);
    const small = await made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: KEY, contextTokens: 10 }));
    expect(small).toMatchObject({ forked: false, refusal: 'parent_too_large' });
    const created = await made.client.createSession(StoreServiceCreateSessionRequest.create({ agentId: 'main', key: 'agent:main:other', parentSessionKey: KEY, fork: true }));
    expect(created).toMatchObject({ forked: true, created: true, key: 'agent:main:other' });
    await expect(made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: 'agent:main:none' }))).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
  });
});
