/**
 * The number of sub-agents of a session holds for spawns that come at the same time through several
 * routers: who may have one more is decided by the owner of the session that spawns.
 */
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';

const PARENT = 'agent:main:main';
const LIMIT = 3;
const AT_ONCE = 20;

describe('the number of sub-agents of a session', () => {
  let gateway: GatewayInProcess;
  beforeAll(async () => {
    gateway = await openInProcess({ agents: { defaults: { model: { primary: 'local/small' }, subagents: { maxChildrenPerAgent: LIMIT } } } }, { routers: 2 });
  });
  afterAll(() => gateway.stop());

  it('is kept by spawns at the same time over two routers, and free again when sub-agents have ended', async () => {
    gateway.model.answer = () => ({ hangs: 'before' });
    const spawn = (task: string): Promise<Readonly<Record<string, unknown>>> => gateway.tool(PARENT, 'sessions_spawn', { task });
    const asked = await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => spawn(`work ${String(at)}`)));
    const accepted = asked.filter(({ status }) => status === 'accepted');
    expect(accepted).toHaveLength(LIMIT);
    for (const { status, error } of asked.filter((one) => !accepted.includes(one))) {
      expect([status, error]).toEqual(['forbidden', 'sessions_spawn has reached the number of active children of this session (3 of 3)']);
    }
    const { active } = (await gateway.tool(PARENT, 'subagents', { action: 'list' })) as { active: { sessionKey: string }[] };
    expect(active.map(({ sessionKey }) => sessionKey).sort()).toEqual(accepted.map(({ childSessionKey }) => childSessionKey).sort());

    expect(await gateway.tool(PARENT, 'subagents', { action: 'kill', target: 'all' })).toMatchObject({ status: 'ok' });
    gateway.model.answer = () => ({ chunks: ['done'] });
    await waitUntil('all have ended', async () => (((await gateway.tool(PARENT, 'subagents', { action: 'list' })) as { active: unknown[] }).active.length === 0 ? true : undefined), 60_000);
    const again = await Promise.all(Array.from({ length: LIMIT }, (_, at) => spawn(`again ${String(at)}`)));
    expect(again.map(({ status }) => status)).toEqual(Array.from({ length: LIMIT }, () => 'accepted'));
  }, 240_000);

  it('does not count a spawn that was refused', async () => {
    await waitUntil('all have ended', async () => (((await gateway.tool(PARENT, 'subagents', { action: 'list' })) as { active: unknown[] }).active.length === 0 ? true : undefined), 60_000);
    for (let at = 0; at < LIMIT + 1; at += 1) expect(await gateway.tool(PARENT, 'sessions_spawn', { task: 'x', model: 'no/such' })).toMatchObject({ status: 'error' });
    expect(await gateway.tool(PARENT, 'sessions_spawn', { task: 'x' })).toMatchObject({ status: 'accepted' });
  }, 240_000);
});
