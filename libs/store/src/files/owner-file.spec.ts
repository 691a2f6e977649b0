import * as fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { nodeFileSystem } from './file-system';
import { storeLayout } from './layout';
import { acquireOwnership, readOwnerSync, type OwnerOptions, type StoreOwnership } from './owner-file';

let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'owner-file-'));
  fs.mkdirSync(layout().ownDir);
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

const layout = () => storeLayout('main', path.join(dir, 'sessions.json'));
const acquire = (more: Partial<OwnerOptions> = {}): Promise<StoreOwnership> =>
  acquireOwnership(layout(), { fs: nodeFileSystem, instance: 'test', transport: 'split', nowMs: 0, ...more });

/** As if the record were that of a process that was stopped with the lock in its hands. */
function ofAnother(more: { transport?: string } = {}): void {
  const record = readOwnerSync(layout().ownerFile);
  fs.writeFileSync(layout().ownerFile, JSON.stringify({ ...record, pid: process.ppid, host: hostname(), ...more }));
}

describe('a store whose owner was stopped', () => {
  it('goes to the holder of the lease, and its fence has fallen when it wakes', async () => {
    const stopped = await acquire();
    ofAnother();
    await expect(acquire()).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    const taker = await acquire({ takesOverBelow: 2, epochFloor: 2 });
    expect(taker.record.epoch).toBe(2);
    expect(() => stopped.fence()).toThrow(expect.objectContaining({ reason: 'EPOCH_SUPERSEDED' }));
    taker.fence();
    await expect(acquire()).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    stopped.release();
    taker.release();
  });

  it('does not go to one whose lease is not newer', async () => {
    const owner = await acquire({ epochFloor: 5 });
    ofAnother();
    await expect(acquire({ takesOverBelow: 5 })).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    owner.release();
  });

  it('is never taken from a gateway of its own or a repair, which have no lease', async () => {
    const owner = await acquire({ transport: 'standalone' });
    ofAnother();
    await expect(acquire({ takesOverBelow: 9 })).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    owner.release();
  });
});
