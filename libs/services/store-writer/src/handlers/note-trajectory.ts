/** NoteTrajectory: what a run did, for the trajectory of its session. Never in the way of a turn: what fails is told to the log. */
import { NoteTrajectoryResponse, type NoteTrajectoryRequest, type TrajectoryNote as GivenNote } from '@sessions/contracts';
import { SessionError, isJsonObject, normaliseSessionKey, successorOf, type JsonObject } from '@sessions/domain';
import type { AgentStore, StoredEntry, TrajectoryNote } from '@sessions/store';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { entryOfKey } from './stored-session';
import { workspaceOf } from '../workspace/agent-workspace';

/** Notes of one request. */
const NOTES_MAX = 256;
/** JSON text of one note's data. */
const DATA_BYTES_MAX = 256 * 1024;
const NAME_CHARS_MAX = 256;
const TYPE = /^[a-z][a-z_.]{0,63}$/u;
/** A session goes on in another transcript this often while its trajectory waits to be held, and no more. */
const PLACES_MAX = 4;

/** @throws VALIDATION */
export async function noteTrajectory(agent: OwnedAgent, { key, sessionId, runId, notes }: NoteTrajectoryRequest): Promise<NoteTrajectoryResponse> {
  if (runId === '' || runId.length > NAME_CHARS_MAX) throw new SessionError('VALIDATION', `run_id must have 1 to ${String(NAME_CHARS_MAX)} characters`);
  if (notes.length < 1 || notes.length > NOTES_MAX) throw new SessionError('VALIDATION', `a request has 1 to ${String(NOTES_MAX)} notes`, { facts: { notes: notes.length } });
  const read = notes.map(readNote);
  return agent.read(
    async (store, open) => {
      const isRecorded = await record(agent, { store, open }, { key: normaliseSessionKey(key), sessionId, runId, notes: read }).catch((err: unknown) => {
        open.log.warn('what a run did could not be added to its trajectory', { agentId: agent.agentId, err });
        return true;
      });
      return NoteTrajectoryResponse.create({ epoch: store.epoch, storeSeq: open.seq, isRecorded });
    },
    () => NoteTrajectoryResponse.create({ isRecorded: false }),
  );
}

interface Noted {
  readonly key: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly notes: readonly TrajectoryNote[];
}

async function record(agent: OwnedAgent, { store, open }: { readonly store: AgentStore; readonly open: OpenAgentStore }, { key, sessionId, runId, notes }: Noted): Promise<boolean> {
  const { trajectories } = open;
  if (trajectories === undefined) return false;
  for (let place = 1; place <= PLACES_MAX; place += 1) {
    const present = await presentOf(store, key, sessionId);
    if (present === undefined) return false;
    const run = { sessionId: present.sessionId, sessionKey: present.key, runId, workspaceDir: workspaceOf(agent) };
    const isPresent = async (): Promise<boolean> => (await presentOf(store, key, sessionId))?.file === present.file;
    if (await trajectories.append(present, run, notes, isPresent)) return true;
  }
  return false;
}

/** The session that the run began in, or what it went on in; undefined: the key has another one by now. */
async function presentOf(store: AgentStore, key: string, sessionId: string): Promise<{ readonly key: string; readonly sessionId: string; readonly file: string } | undefined> {
  const entry = await entryOfKey(store, key);
  if (entry === undefined || entry.sessionId === null || entry.file === null) return undefined;
  return entry.sessionId === sessionId || wentOn(entry, sessionId) ? { key: entry.key, sessionId: entry.sessionId, file: entry.file } : undefined;
}

function wentOn({ text }: StoredEntry, sessionId: string): boolean {
  const members: unknown = JSON.parse(text);
  return isJsonObject(members) && successorOf(members, sessionId) !== undefined;
}

/** @throws VALIDATION */
function readNote({ type, atMs, seq, attempt, modelProvider, model, modelApi, dataJson }: GivenNote): TrajectoryNote {
  if (!TYPE.test(type)) throw new SessionError('VALIDATION', 'a note\'s type has lower-case letters, dots and underscores, at most 64', { facts: { typeLength: type.length } });
  if (!Number.isSafeInteger(seq) || seq < 1) throw new SessionError('VALIDATION', 'a note\'s seq is a positive integer', { facts: { seq } });
  if (Number.isNaN(new Date(atMs).getTime())) throw new SessionError('VALIDATION', 'a note\'s at_ms is no time', { facts: { atMs } });
  for (const name of [modelProvider, model, modelApi]) if (name !== undefined && name.length > NAME_CHARS_MAX) throw new SessionError('VALIDATION', `a note names a model with at most ${String(NAME_CHARS_MAX)} characters`);
  return { type, atMs, seq, attempt, provider: modelProvider, modelId: model, modelApi, data: readData(dataJson) };
}

function readData(json: Uint8Array): JsonObject | undefined {
  if (json.length === 0) return undefined;
  if (json.length > DATA_BYTES_MAX) throw new SessionError('VALIDATION', `a note's data has at most ${String(DATA_BYTES_MAX)} bytes`, { facts: { bytes: json.length } });
  try {
    const value: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
    if (isJsonObject(value)) return value;
  } catch {
    // Said below, with what is no object.
  }
  throw new SessionError('VALIDATION', 'a note\'s data is no JSON object');
}
