/** Writers with volumes of their own: an agent lives where its files are, and nowhere twice. */
import { existsSync } from 'node:fs';
import { SessionError } from '@sessions/domain';
import { newStateDir, sessionsDir } from '../testing/writer-bench';
import { House, cleanUpHouses, type HouseWriter } from '../testing/writers-house';

cleanUpHouses();

const config = { storeWriter: { volume: 'own', writers: ['a', 'b'] } };

async function twoVolumes(): Promise<{ house: House; a: HouseWriter; b: HouseWriter }> {
  const house = new House();
  const a = await house.start('a', { stateDir: newStateDir(), config });
  const b = await house.start('b', { stateDir: newStateDir(), config });
  return { house, a, b };
}

const refusalOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error);

describe('an agent', () => {
  it('is served where its files are, whichever writer is asked', async () => {
    const { house, a, b } = await twoVolumes();
    await house.deliver('x', 'one');
    const home = await house.owner('x');
    const [here, there] = home === 'a' ? [a, b] : [b, a];
    expect(existsSync(sessionsDir(there.stateDir, 'x'))).toBe(false);
    await house.client.handOver({ agentId: 'x', reason: 'shutdown' });
    for (let round = 0; round < 4; round += 1) expect(await house.pool.claimStore({ agentId: 'x' })).toMatchObject({ owner: `store-writer/${here.name}` });
    await house.client.handOver({ agentId: 'x', reason: 'shutdown' });
    expect(await refusalOf(house.claimAt(there, 'x'))).toMatchObject({ reason: 'NO_OWNER', facts: { notHere: true } });
    expect(await house.texts('x')).toEqual(['one']);
  });

  it('is not served, and not begun a second time, while its writer is away; the refusal says so', async () => {
    const { house, a, b } = await twoVolumes();
    await house.deliver('x', 'one');
    const home = (await house.owner('x')) === 'a' ? a : b;
    await house.stop(home);
    const refusal = await refusalOf(house.pool.claimStore({ agentId: 'x' }));
    expect(refusal).toMatchObject({ reason: 'NO_OWNER', message: expect.stringContaining('is away') as string, facts: { silent: home.name } });
    expect((refusal as SessionError).hint).toContain('storeWriter.volume is own');
    await house.start(home.name, { stateDir: home.stateDir, config });
    await house.deliver('x', 'two');
    expect(await house.texts('x')).toEqual(['one', 'two']);
  });

  it('is begun only once when every writer is asked for it at the same moment', async () => {
    const { house, a, b } = await twoVolumes();
    await Promise.all(Array.from({ length: 6 }, (_, number) => house.deliver('fresh', `m${String(number)}`)));
    expect([a, b].filter(({ stateDir }) => existsSync(sessionsDir(stateDir, 'fresh')))).toHaveLength(1);
    expect([...(await house.texts('fresh'))].sort()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
  });

  it('is listed by every writer, and stays listed as one that may have a store while a writer is away', async () => {
    const { house, a, b } = await twoVolumes();
    await house.deliver('x', 'one');
    const home = (await house.owner('x')) === 'a' ? a : b;
    for (let round = 0; round < 2; round += 1) {
      const { agents } = await house.pool.listAgents({});
      expect(agents.find(({ agentId }) => agentId === 'x')).toMatchObject({ hasStore: true });
      expect(agents.find(({ agentId }) => agentId === 'main')).toMatchObject({ hasStore: false });
    }
    await house.stop(home);
    const { agents } = await house.pool.listAgents({});
    expect(agents.find(({ agentId }) => agentId === 'main')).toMatchObject({ hasStore: true });
  });
});
