/** Files of a spawn that was cut off before a sub-agent came to own them: removed after an hour, and nothing else is. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { Attachment, ChildSession, DeliverRequest, RunRequest, WriteAttachmentsRequest } from '@sessions/contracts';
import { createManualClock } from '@sessions/host/testing';
import { UNCLAIMED_MS } from './spawn-notes';
import { bench, cleanUpBenches, restart, sessionsDir, telegram, until, type Bench } from './testing/writer-bench';

cleanUpBenches();

const ID = (place: number): string => `11111111-1111-4111-8111-11111111111${String(place)}`;
const CHILD = (place: number): string => `agent:main:subagent:22222222-2222-4222-8222-22222222222${String(place)}`;
const MODEL = { agents: { defaults: { model: 'demo/echo' } } };

const write = (made: Bench, place: number, childKey: string | undefined = CHILD(place), text = 'abc') =>
  made.client.writeAttachments(WriteAttachmentsRequest.create({ agentId: 'main', attachmentsId: ID(place), childKey, files: [Attachment.create({ name: 'a.txt', mimeType: 'text/plain', content: Buffer.from(text) })] }));
const spawn = async (made: Bench, place: number): Promise<void> => {
  const { relDir, files } = await write(made, place);
  await made.client.deliver(DeliverRequest.create({
    ...telegram('a task', { key: CHILD(place) }),
    child: ChildSession.create({ spawnedBy: 'agent:main:main', spawnDepth: 1, cleanup: 'keep', membersJson: Buffer.from(JSON.stringify({ attachments: { count: 1, relDir, files } })) }),
    run: RunRequest.create({ runId: `r${String(place)}`, source: 'spawn' }),
  }), { idempotencyKey: `spawn-${String(place)}` });
};
const attachmentsDir = ({ stateDir }: Bench): string => path.join(stateDir, 'workspace', '.openclaw', 'attachments');
const isThere = (made: Bench, place: number): boolean => existsSync(path.join(attachmentsDir(made), ID(place), 'a.txt'));
const notes = ({ stateDir }: Bench): string[] => {
  const dir = path.join(sessionsDir(stateDir), '.store', 'spawns');
  return existsSync(dir) ? readdirSync(dir).sort() : [];
};

it('goes after an hour, over restarts; what is owned, not ours, or still on its way stays', async () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  let made = await bench({ config: MODEL, clock });
  await spawn(made, 1);
  await write(made, 2);
  // Written by an older release, without its sub-agent's key; and what somebody put there.
  await made.client.writeAttachments(WriteAttachmentsRequest.create({ agentId: 'main', attachmentsId: ID(3), files: [Attachment.create({ name: 'a.txt', mimeType: 'text/plain', content: Buffer.from('abc') })] }));
  mkdirSync(path.join(attachmentsDir(made), ID(4)), { recursive: true });
  writeFileSync(path.join(attachmentsDir(made), ID(4), 'a.txt'), 'mine');
  expect(notes(made)).toEqual([ID(2)]);
  made = await restart(made, { config: MODEL, clock });
  await clock.advance(UNCLAIMED_MS - 1_000);
  // The spawn is made again: its time begins anew.
  await write(made, 5);
  expect([1, 2, 3, 4, 5].map((place) => isThere(made, place))).toEqual([true, true, true, true, true]);
  made = await restart(made, { config: MODEL, clock });
  await clock.advance(2_000);
  made = await restart(made, { config: MODEL, clock });
  await made.client.storeInfo({ agentId: 'main' });
  await until(() => !isThere(made, 2));
  expect([1, 3, 4, 5].map((place) => isThere(made, place))).toEqual([true, true, true, true]);
  await until(() => notes(made).join() === ID(5));
});

it('is looked for while the store is open', async () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const made = await bench({ config: MODEL, clock });
  await made.client.deliver(telegram('hello'));
  await write(made, 1);
  for (let minutes = 0; minutes <= 120 && isThere(made, 1); minutes += 5) {
    await clock.advance(5 * 60_000);
    await made.client.storeInfo({ agentId: 'main' });
  }
  await until(() => !isThere(made, 1));
});

it('is not written again for a sub-agent that has them, nor other files in their place', async () => {
  const made = await bench({ config: MODEL });
  await spawn(made, 1);
  await spawn(made, 1);
  expect([isThere(made, 1), notes(made)]).toEqual([true, []]);
  await expect(write(made, 1, CHILD(1), 'other')).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
});

it.each([['ENOSPC', 'DISK_FULL'], ['EROFS', 'READ_ONLY']])('leaves nothing where the workspace refuses with %s, says so, and can be tried again', async (code, reason) => {
  const made = await bench({ config: MODEL });
  const probe = await open(path.join(made.stateDir, 'probe'), 'w');
  await probe.close();
  // The note's own write goes through; the file is what does not fit.
  const handles = Object.getPrototypeOf(probe) as FileHandle;
  const writeFile = handles.writeFile;
  jest.spyOn(handles, 'writeFile').mockImplementation(async function (this: FileHandle, data) {
    if (Buffer.from(data as Uint8Array).equals(Buffer.from('abc'))) throw Object.assign(new Error('refused'), { code });
    return writeFile.call(this, data);
  });
  await expect(write(made, 1)).rejects.toMatchObject({ reason });
  expect(readdirSync(attachmentsDir(made))).toEqual([]);
  jest.restoreAllMocks();
  await write(made, 1);
  expect(isThere(made, 1)).toBe(true);
});
