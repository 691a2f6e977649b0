/**
 * What a measurement is given: sizes, a place for its files, and the prepared stores that several
 * measurements share. A store is made when it is first asked for and imported once, so that later
 * ones find it as a gateway leaves it: `sessions.json`, index and empty journal in agreement.
 */
import { GENERATED_NOW_MS, LARGE_ENTRY_BYTES, SMALL_ENTRY_BYTES, generateStore } from '@sessions/store/testing';
import { openStore } from '@sessions/store';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Far beyond any measurement: checkpoints happen when they are asked for, and at closing. */
export const NO_CHECKPOINTS_MS = 3_600_000;

const FULL = {
  tinyEntries: 100,
  smallEntries: 1_000,
  largeEntries: 100_000,
  hugeEntries: 1_000_000,
  fatEntries: 10_000,
  shortTranscript: 10_000,
  longTranscript: 1_000_000,
  foreignEntries: 12_500,
  hugeForeignEntries: 200_000,
};
const QUICK = {
  ...FULL,
  largeEntries: 10_000,
  hugeEntries: 50_000,
  fatEntries: 500,
  longTranscript: 100_000,
  foreignEntries: 2_500,
  hugeForeignEntries: 20_000,
};
/** Characters of a message in the long transcripts. */
const TRANSCRIPT_TEXT_LENGTH = 100;

/**
 * @param directory where prepared stores are kept and shared
 * @param notice takes a sentence that the reader of the table should see
 */
export function createContext({ directory, quick, notice }) {
  const sizes = quick ? QUICK : FULL;
  const prepared = path.join(directory, quick ? 'prepared-quick' : 'prepared');
  mkdirSync(prepared, { recursive: true });
  const scratch = mkdtempSync(path.join(directory, 'scratch-'));

  /** A directory under `name` that `make` has filled to the end, now or in an earlier call. */
  async function once(name, make) {
    const target = path.join(prepared, name);
    const facts = `${target}.json`;
    if (!existsSync(facts)) {
      const unfinished = `${target}.unfinished`;
      rmSync(unfinished, { recursive: true, force: true });
      rmSync(target, { recursive: true, force: true });
      const made = await make(unfinished);
      renameSync(unfinished, target);
      writeFileSync(facts, JSON.stringify(made));
    }
    const { bytes } = JSON.parse(readFileSync(facts, 'utf8'));
    return { stateDir: target, sessionsFile: path.join(target, 'agents', 'main', 'sessions', 'sessions.json'), bytes };
  }

  /** A store as the original leaves it: no index, no journal. */
  const foreign = (entries, { entryBytes = SMALL_ENTRY_BYTES } = {}) =>
    once(`foreign-${entries}-${entryBytes}`, (stateDir) => ({ bytes: generateStore({ stateDir, entries, entryBytes }).sessionsFileBytes }));

  /** A store that we have served and closed. Measurements may add to it. */
  const served = async (entries, { entryBytes = SMALL_ENTRY_BYTES } = {}) => ({
    entries,
    ...(await once(`served-${entries}-${entryBytes}`, async (stateDir) => {
      const { sessionsFile, sessionsFileBytes } = generateStore({ stateDir, entries, entryBytes });
      const store = await open(sessionsFile);
      // As a gateway leaves it that ran for longer than its first seconds: a search waits for all rows.
      await store.list({ limit: 1, search: 'no session has this' });
      await store.close();
      return { bytes: sessionsFileBytes };
    })),
  });

  /** A served store of one session whose transcript has so many messages. */
  const conversation = (messages) =>
    once(`conversation-${messages}`, async (stateDir) => {
      const made = generateStore({ stateDir, entries: 1, transcripts: { messages, textLength: TRANSCRIPT_TEXT_LENGTH } });
      await (await open(made.sessionsFile)).close();
      return { bytes: made.transcriptBytes };
    });

  return { quick, sizes, scratch, notice, foreign, served, conversation, fatEntryBytes: LARGE_ENTRY_BYTES };
}

/** Opens a store for its owner with what the measurement does not vary left as a gateway has it. */
export function open(sessionsFile, options = {}) {
  return openStore({ agentId: 'main', sessionsFile, instance: 'bench', transport: 'standalone', clock: { nowMs: () => Date.now() }, ...options });
}

/** "Now" of the generated stores. */
export const STORE_NOW_MS = GENERATED_NOW_MS;
