/** A sub-agent whose result has reached its parent: its files are removed, and it is archived where it was spawned to be. */
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { Attachment, BeginTurnRequest, ChildSession, DeliverRequest, DeliveryResult, EraseRequest, FinishTurnRequest, FollowUp, ListArchivesRequest, ReplyRoute, RunRequest, SpawnClaim, StoreServiceAckDeliveryRequest, WriteAttachmentsRequest } from '@sessions/contracts';
import { bench, cleanUpBenches, telegram, type Bench } from './testing/writer-bench';

cleanUpBenches();

const FILES_ID = '11111111-1111-4111-8111-111111111111';
const CHILD = 'agent:main:subagent:22222222-2222-4222-8222-222222222222';
const MODEL = { agents: { defaults: { model: 'demo/echo' } } };

async function ended(made: Bench, cleanup: 'delete' | 'keep', more: { route?: ReplyRoute; mode?: string } = {}): Promise<string[]> {
  const { relDir } = await made.client.writeAttachments(WriteAttachmentsRequest.create({ agentId: 'main', attachmentsId: FILES_ID, files: [Attachment.create({ name: 'a.txt', mimeType: 'text/plain', content: Buffer.from('abc') })] }));
  expect(hasFiles(made)).toBe(true);
  const followUp = FollowUp.create({ kind: { $case: 'spawn', value: SpawnClaim.create({ parentKey: 'agent:main:main', task: 't', step: 'announce', outcome: 'ok', resultText: 'done', route: more.route }) } });
  await made.client.deliver(DeliverRequest.create({
    ...telegram('a task', { key: CHILD }),
    child: ChildSession.create({ spawnedBy: 'agent:main:main', spawnDepth: 1, cleanup, membersJson: Buffer.from(JSON.stringify({ spawnMode: more.mode ?? 'run', attachments: { count: 1, relDir } })) }),
    run: RunRequest.create({ runId: 'r1', source: 'announce', followUp }),
  }));
  await made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId: 'r1', runnerId: 'runner/a', attempt: 1 }));
  return (await made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId: 'r1', outcome: 'ok', text: 'done', attempt: 1 }))).deliveryIds;
}
const ack = (made: Bench, deliveryId: string, ok = true) => made.client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: 'main', deliveryId, result: DeliveryResult.create({ ok, retry: !ok }) }));
const hasFiles = ({ stateDir }: Bench): boolean => existsSync(path.join(stateDir, 'workspace', '.openclaw', 'attachments', FILES_ID));
const entryOf = async (made: Bench): Promise<Record<string, unknown> | undefined> => {
  const { found, entryJson } = await made.client.getEntry({ agentId: 'main', by: { $case: 'key', value: CHILD }, includeFacts: false, entryOffset: undefined });
  return found ? (JSON.parse(entryJson.toString('utf8')) as Record<string, unknown>) : undefined;
};

it('with cleanup "delete": archived with the last message that it left, not before', async () => {
  const made = await bench({ config: MODEL });
  const [toChannel = '', toParent = '', ...others] = await ended(made, 'delete', { route: ReplyRoute.create({ channel: 'telegram', to: '123' }) });
  expect(others).toEqual([]);
  await ack(made, toParent, false);
  await ack(made, toChannel);
  expect([hasFiles(made), (await entryOf(made))?.['attachments']]).toEqual([true, expect.anything()]);
  expect(await ack(made, toParent)).toMatchObject({ state: 'delivered' });
  expect([hasFiles(made), await entryOf(made)]).toEqual([false, undefined]);
  expect((await made.client.listArchives(ListArchivesRequest.create({ agentId: 'main', key: CHILD }))).archives).toHaveLength(1);
  // Told again by somebody who missed the answer.
  expect(await ack(made, toParent)).toMatchObject({ state: 'delivered' });
});

it('with cleanup "keep": its row stays, without its files', async () => {
  const made = await bench({ config: MODEL });
  const [toParent = ''] = await ended(made, 'keep');
  await ack(made, toParent);
  expect(hasFiles(made)).toBe(false);
  const entry = await entryOf(made);
  expect(entry).toMatchObject({ status: 'done', cleanup: 'keep' });
  expect(entry).not.toHaveProperty('attachments');
});

it.each([
  ['the configuration retains them', { config: { ...MODEL, tools: { sessions_spawn: { attachments: { retainOnSessionKeep: true } } } }, mode: 'run' }],
  ['it is a session that stays', { config: MODEL, mode: 'session' }],
])('keeps its files where %s', async (_why, { config, mode }) => {
  const made = await bench({ config });
  const [toParent = ''] = await ended(made, 'keep', { mode });
  await ack(made, toParent);
  expect([hasFiles(made), await entryOf(made)]).toEqual([true, expect.objectContaining({ attachments: expect.anything() as unknown })]);
});

it.each([['itself', CHILD], ['its parent', 'agent:main:main']])('leaves no file in the workspace when %s is erased', async (_who, key) => {
  const made = await bench({ config: MODEL });
  await made.client.deliver(telegram('hello', { key: 'agent:main:main', messageId: 'parent' }));
  await ended(made, 'keep', { mode: 'session' });
  const erase = async (dryRun: boolean) => (await made.client.erase(EraseRequest.create({ agentId: 'main', key, dryRun }))).report;
  const preview = await erase(true);
  expect(preview?.places).toContainEqual(expect.objectContaining({ place: 'attachments', files: 2 }));
  expect(hasFiles(made)).toBe(true);
  const done = await erase(false);
  expect(done).toMatchObject({ left: [], keys: expect.arrayContaining([CHILD]) as unknown });
  expect(done?.places).toContainEqual(preview?.places.find(({ place }) => place === 'attachments'));
  expect([hasFiles(made), await entryOf(made)]).toEqual([false, undefined]);
});
