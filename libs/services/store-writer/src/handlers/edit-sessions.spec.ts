/** Creating, patching and appending through the whole service. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { AppendRecordsRequest, FieldChange, HandOverRequest, PatchEntryRequest, StoreServiceCreateSessionRequest } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, newStateDir, sessionsDir, telegram, transcriptLines } from '../testing/writer-bench';

cleanUpBenches();

describe('create and patch', () => {
  const create = (members: Partial<StoreServiceCreateSessionRequest> = {}): StoreServiceCreateSessionRequest => StoreServiceCreateSessionRequest.create({ agentId: 'main', ...members });
  const change = (name: string, value?: unknown): FieldChange => FieldChange.create({ name, valueJson: value === undefined ? undefined : Buffer.from(JSON.stringify(value)) });
  const patch = (changes: FieldChange[], members: Partial<PatchEntryRequest> = {}): PatchEntryRequest => PatchEntryRequest.create({ agentId: 'main', key: KEY, touch: true, create: true, changes, ...members });

  it('makes a dashboard session where no key is given', async () => {
    const made = await bench();
    const answer = await made.client.createSession(create({ fields: [change('label', 'Plan')] }));
    expect(answer.key).toMatch(/^agent:main:dashboard:[0-9a-f-]{36}$/);
    const entry = JSON.parse(answer.entryJson.toString('utf8')) as Record<string, unknown>;
    expect(Object.keys(entry)).toEqual(['sessionId', 'sessionFile', 'updatedAt', 'label']);
    expect(answer).toMatchObject({ created: true, sessionId: entry['sessionId'] });
    expect(String(entry['sessionId'])).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('keeps the session of a key that exists, and moves its time', async () => {
    const made = await bench();
    const first = await made.client.createSession(create({ key: KEY }));
    const second = await made.client.createSession(create({ key: KEY }));
    expect(second).toMatchObject({ created: false, sessionId: first.sessionId });
    const times = [first, second].map((answer) => (JSON.parse(answer.entryJson.toString('utf8')) as { updatedAt: number }).updatedAt);
    expect(times[1]).toBeGreaterThanOrEqual(times[0] ?? Infinity);
    const message = await made.client.deliver(telegram('first words'));
    expect(message).toMatchObject({ created: false, sessionId: first.sessionId, messageSeq: 1 });
    expect((await history(made)).texts).toEqual(['first words']);
    const more = await made.client.deliver(telegram('second words'));
    expect(more.messageId).toMatch(/^[0-9a-f]{8}$/);
  });

  it('gives a label to one session only', async () => {
    const made = await bench();
    await made.client.createSession(create({ key: 'agent:main:a', fields: [change('label', 'L')] }));
    await expect(made.client.createSession(create({ key: 'agent:main:b', fields: [change('label', 'L')] }))).rejects.toMatchObject({ reason: 'LABEL_IN_USE', message: 'label already in use: L' });
    await expect(made.client.patchEntry(patch([change('label', ' L ')]))).rejects.toMatchObject({ reason: 'LABEL_IN_USE' });
    await made.client.patchEntry(patch([change('label')], { key: 'agent:main:a' }));
    await expect(made.client.patchEntry(patch([change('label', 'L')]))).resolves.toMatchObject({ created: true });
  });

  it('refuses an unknown parent and links a known one', async () => {
    const made = await bench();
    await expect(made.client.createSession(create({ parentSessionKey: KEY }))).rejects.toMatchObject({ message: `unknown parent session: ${KEY}` });
    await made.client.deliver(telegram('Hello'));
    const child = await made.client.createSession(create({ parentSessionKey: KEY }));
    expect(JSON.parse(child.entryJson.toString('utf8'))).toMatchObject({ parentSessionKey: KEY });
  });

  it('sets and clears single fields and keeps every unknown one', async () => {
    const stateDir = newStateDir();
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: 's-1', updatedAt: 5, x: { deep: [1, 2.50] }, thinkingLevel: 'low' } }, null, 2));
    const made = await bench({ stateDir });
    const answer = await made.client.patchEntry(patch([change('verboseLevel', 'on'), change('thinkingLevel')], { expectedUpdatedAtMs: 5, expectedSessionId: 's-1' }));
    const entry = JSON.parse(answer.entryJson.toString('utf8')) as Record<string, unknown>;
    expect(entry).toMatchObject({ sessionId: 's-1', x: { deep: [1, 2.5] }, verboseLevel: 'on' });
    expect(entry).not.toHaveProperty('thinkingLevel');
    expect(entry['updatedAt']).toBeGreaterThan(5);
  });

  it('refuses a patch of what has changed meanwhile', async () => {
    const made = await bench();
    const { sessionId } = await made.client.deliver(telegram('Hello'));
    await expect(made.client.patchEntry(patch([], { expectedUpdatedAtMs: 1 }))).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
    await expect(made.client.patchEntry(patch([], { expectedSessionId: 'other' }))).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
    await expect(made.client.patchEntry(patch([], { expectedSessionId: sessionId }))).resolves.toMatchObject({ created: false });
  });

  it.each([['sessionId', 'x'], ['updatedAt', 1], ['uuid', 'x'], ['sessionFile', '../x'], ['skillsSnapshot', {}]])('does not let a patch name %s', async (name, value) => {
    const made = await bench();
    await expect(made.client.patchEntry(patch([change(name, value)]))).rejects.toMatchObject({ reason: 'VALIDATION' });
  });

  it('refuses a patch of an unknown key that it may not create', async () => {
    const made = await bench();
    await expect(made.client.patchEntry(patch([], { create: false }))).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND' });
  });
});

describe('append records', () => {
  it('fills in ids, parents and times, and keeps the rest of each line', async () => {
    const made = await bench();
    const { sessionId = '', messageId } = await made.client.deliver(telegram('Hello'));
    const answer = await made.client.appendRecords(
      AppendRecordsRequest.create({
        agentId: 'main',
        key: KEY,
        sessionId,
        lines: [Buffer.from('{"type":"model_change","provider":"p","modelId":"m"}'), Buffer.from('{"type":"message","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}]},"cost":1.10}')],
      }),
    );
    expect(answer).toMatchObject({ firstMessageSeq: 2, lastMessageSeq: 2 });
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    const raw = readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8');
    expect(raw).toContain('"cost":1.10');
    const lines = transcriptLines(made.stateDir, sessionId);
    expect(lines.slice(2).map((line) => [line['id'], line['parentId']])).toEqual([[answer.recordIds[0], messageId], [answer.recordIds[1], answer.recordIds[0]]]);
  });

  it('refuses lines for a session id that the key has no longer', async () => {
    const made = await bench();
    await made.client.deliver(telegram('Hello'));
    const request = AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: 'other', lines: [Buffer.from('{"type":"custom"}')] });
    await expect(made.client.appendRecords(request)).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
  });
});
