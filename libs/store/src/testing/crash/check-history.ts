/**
 * The checker: reads a history and a store's directory and says which invariants do not hold.
 *
 *     I1  acknowledged messages are there once           I6  index = f(files)
 *     I2  unanswered ones wholly or not, failed not      I7  epochs grow, one writer each
 *     I3  order of lines = order of acknowledgements     I8  sessions.json is a state between two acknowledgements
 *     I4  nothing that nobody sent, bytes equal          I9  no line ever seen is gone: it stands in a transcript or an archive
 *     I5  reads see what was acknowledged (by the writer) I12 regular files inside the store only
 *     I18 recovery twice = recovery once
 *
 * An open of the store by the checker is recorded in the history like any other.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { openStore } from '../../open-store';
import { checkArchives } from './check-archives';
import { checkIndex } from './check-index';
import { checkTranscripts, type Violation } from './check-transcripts';
import { HistoryFile, readHistory } from './history';
import { Outcomes, sameState, stateOf, type EntryState } from './outcomes';
import { dumpIndex, dumpTranscripts, fingerprintOf, layoutOf } from './store-dump';

export interface CheckOptions {
  readonly sessionsFile: string;
  readonly historyFile: string;
  /** Number of the run in the history that the checker's own opening counts as. */
  readonly run: number;
  /** Open twice and compare (I18). */
  readonly twice?: boolean;
  /** Lines seen at earlier checks; the checker adds what it sees (I9). */
  readonly seenLines?: Set<string>;
  /** A stopped owner lost the store and woke up. */
  readonly afterTakeOver?: boolean;
  /** Reports of damage are expected: the files were damaged on purpose. */
  readonly damaged?: boolean;
}

/** Looks at the directory as a killed writer left it, opens and closes the store, and looks again. */
export async function checkStore(options: CheckOptions): Promise<Violation[]> {
  const violations: Violation[] = checkSessionsFile(options.sessionsFile, new Outcomes(readHistory(options.historyFile)));
  await recover(options);
  violations.push(...(await checkClosedStore(options)));
  if (options.twice === true) {
    const once = fingerprintOf(options.sessionsFile);
    await recover(options);
    if (fingerprintOf(options.sessionsFile) !== once) violations.push({ invariant: 'I18', message: 'opening the store a second time changed it' });
  }
  return violations;
}

/** Everything that can be said of a store that was closed: nothing is opened or changed. */
export async function checkClosedStore(options: CheckOptions): Promise<Violation[]> {
  const { sessionsFile, historyFile } = options;
  const layout = layoutOf(sessionsFile);
  const outcomes = new Outcomes(readHistory(historyFile));
  const transcripts = dumpTranscripts(layout.dir);
  const violations: Violation[] = [...outcomes.wrong.filter((wrong) => options.damaged !== true || !wrong.message.startsWith('recovery reported'))];
  violations.push(...checkTranscripts(transcripts, outcomes));
  violations.push(...checkArchives(layout, transcripts, options.afterTakeOver));
  violations.push(...checkSessionsFile(sessionsFile, outcomes));
  violations.push(...checkFinalEntries(sessionsFile, outcomes, transcripts.map(({ bytes }) => bytes.toString('utf8')).join('')));
  const index = dumpIndex(layout.indexFile);
  if (index === undefined) violations.push({ invariant: 'I6', message: 'there is no index' });
  else violations.push(...(await checkIndex(index, sessionsFile)));
  violations.push(...checkPlaces(layout.dir));
  if (options.seenLines !== undefined) violations.push(...checkKept(transcripts.map(({ bytes }) => bytes.toString('utf8')), options.seenLines));
  return violations;
}

async function recover({ sessionsFile, historyFile, run }: CheckOptions): Promise<void> {
  const history = new HistoryFile(historyFile);
  try {
    history.write({ t: 'opening', run, pid: process.pid });
    const store = await openStore({ agentId: 'main', sessionsFile, instance: 'checker', transport: 'standalone', clock: { nowMs: () => Date.now() } });
    try {
      const info = await store.info();
      history.write({ t: 'opened', run, pid: process.pid, epoch: store.epoch, seq: info.seq, notices: info.notices.map((notice) => `${notice.kind}: ${notice.message}`) });
      await store.checkpoint();
    } finally {
      await store.close();
    }
    history.write({ t: 'closed', run });
  } finally {
    history.close();
  }
}

/** I8: parses, and is the state after some acknowledgement, give or take the unanswered. */
export function checkSessionsFile(sessionsFile: string, outcomes: Outcomes): Violation[] {
  if (!fs.existsSync(sessionsFile)) return [];
  let entries: Record<string, unknown>;
  try {
    entries = JSON.parse(fs.readFileSync(sessionsFile, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    return [{ invariant: 'I8', message: `the sessions file does not parse: ${String(error)}` }];
  }
  const orders = [0, ...[...outcomes.operations.keys()].flatMap((id) => outcomes.orderOf(id) ?? [])].sort((a, b) => b - a);
  const actual = new Map([...outcomes.keys()].map((key) => [key, stateOf(entries[key])]));
  let closest: string[] = [];
  for (const order of orders) {
    const unlike = [...actual].filter(([key, state]) => !outcomes.possibleStates(key, order).some((possible) => sameState(possible, state)));
    if (unlike.length === 0) return [];
    if (closest.length === 0 || unlike.length < closest.length) closest = unlike.map(([key, state]) => `${key} (${describe(state)}) at ${order}`);
  }
  return [{ invariant: 'I8', message: `the sessions file is no state between two acknowledgements; closest but for ${closest.join(', ')}` }];
}

/** After recovery nothing acknowledged is missing from an entry, and an entry and its lines agree. */
function checkFinalEntries(sessionsFile: string, outcomes: Outcomes, lines: string): Violation[] {
  const entries = JSON.parse(fs.readFileSync(sessionsFile, 'utf8')) as Record<string, unknown>;
  const violations: Violation[] = [];
  for (const key of outcomes.keys()) {
    const actual = stateOf(entries[key]);
    const possible = outcomes.possibleStates(key, Number.POSITIVE_INFINITY, (operation) => lines.includes(`"id":"${operation.messages[0]?.id}"`));
    if (possible.some((state) => sameState(state, actual))) continue;
    violations.push({ invariant: 'I1', message: `${key} is ${describe(actual)}, and may be ${possible.map(describe).join(' or ')}` });
  }
  for (const key of Object.keys(entries)) {
    if (!outcomes.keys().has(key)) violations.push({ invariant: 'I4', message: `${key} was made by nobody` });
  }
  return violations;
}

/** I12: below the store only regular files and directories, and nothing beside it. */
function checkPlaces(dir: string): Violation[] {
  const violations: Violation[] = [];
  const visit = (place: string): void => {
    for (const entry of fs.readdirSync(place, { withFileTypes: true })) {
      if (entry.isDirectory()) visit(path.join(place, entry.name));
      else if (!entry.isFile()) violations.push({ invariant: 'I12', message: `${path.join(place, entry.name)} is no regular file` });
    }
  };
  visit(dir);
  for (const name of fs.readdirSync(path.dirname(dir))) {
    if (name.endsWith('.jsonl') && name !== HISTORY_NAME) violations.push({ invariant: 'I12', message: `${name} was made outside the store` });
  }
  return violations;
}

/** Name of a history that stands beside the store's directory. */
export const HISTORY_NAME = 'history.jsonl';

function checkKept(texts: readonly string[], seenLines: Set<string>): Violation[] {
  const now = new Set(texts.flatMap((text) => text.split('\n')));
  const gone = [...seenLines].filter((line) => !now.has(line));
  for (const line of now) seenLines.add(line);
  return gone.map((line) => ({ invariant: 'I9', message: `a line is gone: ${line.slice(0, 80)}` }));
}

function describe(state: EntryState): string {
  return state === undefined ? 'absent' : JSON.stringify(state);
}
