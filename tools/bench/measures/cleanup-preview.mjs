/**
 * What a clean-up would do to a large store: as its owner and the scheduler find out together, and as
 * the command line does from the files, against one reading of every row and entry of the index.
 */
import { parseConfig, planTable } from '@sessions/domain';
import { factsRequest, planStore } from '@sessions/maintenance-scheduler';
import { openFactsReader } from '@sessions/store';
import { factsOf } from '@sessions/store-writer';
import Database from 'better-sqlite3';
import { STORE_NOW_MS, open } from '../context.mjs';
import { WHOLE_INDEX } from '../raw-query.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, timed } from '../sampling.mjs';

export const name = 'cleanup-preview';
const against = 'one reading of all rows and entries of the index';
export const rows = [
  { what: 'preview of a clean-up of the large store: facts of its owner, and the plan', against, floor: 5, goal: 2.5 },
  { what: 'the same from the files, with the table, as the command line does', against, floor: 5, goal: 3 },
];

const ROUNDS = 5;
const DAY_MS = 86_400_000;
/** "Now" for the plan: every second entry or so is older than the limit, none is of the future. */
const NOW_MS = STORE_NOW_MS + DAY_MS;

export async function run({ sizes, served }) {
  const { sessionsFile } = await served(sizes.largeEntries);
  const { config } = parseConfig({ session: { maintenance: { mode: 'enforce', maxEntries: Math.floor(sizes.largeEntries / 2) } } });
  const choice = { enforce: false, dryRun: true, fixMissing: false, fixDmScope: false, activeKey: undefined };
  const occasion = { agentId: 'main', config, choice, nowMs: NOW_MS, asker: 'person' };
  const request = factsRequest(occasion);

  const readers = async () => {
    const raw = new Database(`${sessionsFile.slice(0, -'sessions.json'.length)}.store/index.sqlite`, { readonly: true });
    const query = raw.prepare(WHOLE_INDEX);
    return { close: () => raw.close(), scan: () => timed(() => { for (const { json } of query.iterate()) json.toString('utf8'); }) };
  };
  const counts = new Set();
  const plan = async (source, everyRow) => {
    const planned = await planStore(occasion, factsOf(source, { storePath: sessionsFile, refusal: undefined }, request, everyRow));
    counts.add(planned.plan.actions.length);
    return planned;
  };

  const store = await open(sessionsFile);
  const reference = await readers();
  let owned;
  try {
    owned = await inTurn(ROUNDS, [() => timed(() => plan(store, false)), reference.scan]);
  } finally {
    await store.close();
  }
  const files = await inTurn(ROUNDS, [
    () => timed(async () => planTable((await plan(await openFactsReader({ agentId: 'main', sessionsFile, nowMs: () => NOW_MS }), true)).plan, NOW_MS)),
    reference.scan,
  ]);
  reference.close();
  if (counts.size !== 1) throw new Error(`the previews differ: ${[...counts].join(', ')} actions`);
  return [ratioTo(...owned, 'ms', `${[...counts][0]} actions planned`), ratioTo(...files, 'ms')];
}
