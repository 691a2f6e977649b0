/** Which children a row shows, in lists and by itself. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { EntryFilter, GetEntryRequest, ListEntriesRequest, SessionRow } from '@sessions/contracts';
import { bench, cleanUpBenches, newStateDir, sessionsDir, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const PARENT = 'agent:main:main';
const child = (name: string): string => `agent:main:subagent:${name}`;
const MINUTE_MS = 60_000;

async function family(entries: Record<string, object>): Promise<Bench> {
  const stateDir = newStateDir();
  mkdirSync(sessionsDir(stateDir), { recursive: true });
  writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify(entries));
  return bench({ stateDir });
}

const entry = (place: number, members: object = {}): object => ({ sessionId: `0190bbbb-0000-7000-8000-00000000000${String(place)}`, updatedAt: Date.now() - place, ...members });

describe('children of a row', () => {
  it('are those that run, have not ended, or ended not long ago; nobody whose row is gone', async () => {
    const now = Date.now();
    const made = await family({
      [PARENT]: entry(0),
      [child('runs')]: entry(1, { spawnedBy: PARENT, status: 'running', startedAt: now }),
      [child('ended')]: entry(2, { spawnedBy: PARENT, status: 'done', endedAt: now - 29 * MINUTE_MS }),
      [child('long-ago')]: entry(3, { spawnedBy: PARENT, status: 'done', endedAt: now - 31 * MINUTE_MS }),
      'agent:main:dashboard:1': entry(4, { parentSessionKey: PARENT }),
      [child('other')]: entry(5, { spawnedBy: 'agent:main:gone' }),
    });
    const { encodedRows } = await made.client.listEntries(ListEntriesRequest.create({ agentId: 'main' }));
    const shown = Object.fromEntries(encodedRows.map((row) => SessionRow.decode(row)).map(({ key, childSessionKeys }) => [key, childSessionKeys]));
    expect(shown[PARENT]).toEqual([child('runs'), child('ended'), 'agent:main:dashboard:1']);
    expect(Object.entries(shown).filter(([key, keys]) => key !== PARENT && keys.length > 0)).toEqual([]);
    const { encodedRow } = await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: PARENT } }));
    expect(SessionRow.decode(encodedRow ?? Buffer.alloc(0)).childSessionKeys).toEqual(shown[PARENT]);
    const bare = await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: PARENT }, withoutChildren: true }));
    expect(SessionRow.decode(bare.encodedRow ?? Buffer.alloc(0))).toMatchObject({ key: PARENT, childSessionKeys: [] });
    const byKey = await made.client.listEntries(ListEntriesRequest.create({ agentId: 'main', filter: EntryFilter.create({ keys: [PARENT] }), includeDerivedTitles: true }));
    expect(byKey.encodedRows.map((row) => SessionRow.decode(row).childSessionKeys)).toEqual([shown[PARENT]]);
  });

  it('are a hundred at most, the newest ones', async () => {
    const many = Array.from({ length: 120 }, (_, place): [string, object] => [child(String(place)), { sessionId: `0190bbbb-0000-7000-8000-${String(place).padStart(12, '0')}`, updatedAt: 1_000_000 - place, spawnedBy: PARENT }]);
    const made = await family({ [PARENT]: entry(0), ...Object.fromEntries(many) });
    const { encodedRow } = await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: PARENT } }));
    expect(SessionRow.decode(encodedRow ?? Buffer.alloc(0)).childSessionKeys).toEqual(many.slice(0, 100).map(([key]) => key));
  });
});
