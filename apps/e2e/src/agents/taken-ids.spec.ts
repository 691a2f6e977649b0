/** The result of a sub-agent comes once, whatever a client has called its own messages before. */
import { createHash } from 'node:crypto';
import { GetHistoryRequest, SendMessageRequest } from '@sessions/contracts';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';

const PARENT = 'agent:main:main';
let gateway: GatewayInProcess;
beforeEach(async () => (gateway = await openInProcess({ tools: { sessions: { visibility: 'agent' } } })));
afterEach(() => gateway.stop(), 240_000);

const say = (idempotencyKey: string): Promise<unknown> => gateway.router.sendMessage(SendMessageRequest.create({ key: PARENT, message: `taken by ${idempotencyKey}` }), { idempotencyKey });
const textsOf = async (key: string): Promise<string[]> => {
  const texts: string[] = [];
  for await (const { item } of gateway.router.getHistory(GetHistoryRequest.create({ key, includeTools: true }))) {
    if (item?.$case === 'page') texts.push(...item.value.records.map(({ lineJson }) => lineJson.toString('utf8')));
  }
  return texts;
};

it('is not kept from its parent by ids that were taken beforehand', async () => {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  gateway.model.answer = ({ body }) => (JSON.stringify(body['messages']).includes('count the stars') ? { after: finished, chunks: ['seven'] } : { chunks: ['NO_REPLY'] });
  const spawned = await gateway.tool(PARENT, 'sessions_spawn', { task: 'count the stars' });
  expect(spawned).toMatchObject({ status: 'accepted' });
  const runId = String(spawned['runId']);
  for (const id of [`${runId}.result`, `${runId}.announce`, runId]) await expect(say(id)).rejects.toMatchObject({ reason: 'VALIDATION', message: expect.stringContaining('idempotencyKey: ') });
  // The id of the delivery can be worked out; as a key of a client it is another one than the delivery's.
  const deliveryId = createHash('sha256').update(`main\n${runId}\n0`).digest('hex').slice(0, 32);
  await expect(say(`hand-over:${deliveryId}`)).rejects.toMatchObject({ reason: 'VALIDATION' });
  await say(deliveryId);
  finish();
  await gateway.idle('main');
  const told = (await textsOf(PARENT)).filter((text) => text.includes('Result of the sub-agent'));
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('seven');
}, 240_000);
