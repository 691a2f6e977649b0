/** A parent that steers its sub-agent hears one result: that of the work it went on with. */
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

const PARENT = 'agent:main:main';

let gateway: GatewayInProcess | undefined;
afterEach(() => gateway?.stop(), 60_000);

it.each([
  ['while its run is with the model', true],
  ['before its run has begun', false],
])('a sub-agent steered %s tells one result', async (_when, hasBegun) => {
  const opened = (gateway = await openInProcess({ agents: { defaults: { model: { primary: 'local/small' }, maxConcurrent: 4, subagents: { maxConcurrent: 1 } } } }));
  opened.model.answer = obedientModel(({ message }) => (message.includes('look in the wrong place') && !message.includes('Result of') ? { hangs: 'before' } : { chunks: [message.includes('Result of') ? 'NO_REPLY' : 'found in the right place'] }));
  if (!hasBegun) {
    // The one place for sub-agents is taken.
    await opened.tool(PARENT, 'sessions_spawn', { task: 'look in the wrong place', label: 'first' });
    await waitUntil('the model is asked', () => (opened.model.open === 1 ? true : undefined));
  }
  const spawned = await opened.tool(PARENT, 'sessions_spawn', { task: 'look in the wrong place', label: 'finder' });
  expect(spawned).toMatchObject({ status: 'accepted' });
  if (hasBegun) await waitUntil('the model is asked', () => (opened.model.open === 1 ? true : undefined));
  expect(await opened.tool(PARENT, 'subagents', { action: 'steer', target: 'finder', message: 'look in the right place' })).toMatchObject({ status: 'accepted', interrupted: true });
  if (!hasBegun) expect(await opened.tool(PARENT, 'subagents', { action: 'kill', target: 'first' })).toMatchObject({ status: 'ok' });

  const results = async (): Promise<readonly string[]> => {
    const { messages } = (await opened.tool(PARENT, 'sessions_history', { sessionKey: 'current' })) as unknown as { readonly messages: readonly { readonly role: string }[] };
    return messages.filter(({ role }) => role === 'user').map((message) => JSON.stringify(message)).filter((text) => text.includes('Result of the sub-agent') && text.includes('finder'));
  };
  await waitUntil('a result', async () => ((await results()).length > 0 ? true : undefined), 20_000);
  // One that should not be there would have come before it, or comes now.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const heard = await results();
  expect(heard).toHaveLength(1);
  expect(heard[0]).toContain('found in the right place');
}, 60_000);
