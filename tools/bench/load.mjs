/** Mutations as the services make them, for measurements. */
import { randomBytes } from 'node:crypto';

/** Bytes of one appended transcript line, its newline included. */
export const MESSAGE_BYTES = 1024;

const PROSE = 'Please check the calendar of next week and send the draft of the release plan to the team before noon. ';

/** Texts by the length of the ids around them; times have one length until the year 2286. */
const texts = new Map();

let nextCall = 0;
const callPrefix = randomBytes(6).toString('hex');

/** A user's message as a line of MESSAGE_BYTES with its newline. */
export function messageLine(id, parentId, nowMs) {
  const build = (text) =>
    JSON.stringify({
      type: 'message',
      id,
      parentId,
      timestamp: new Date(nowMs).toISOString(),
      message: { role: 'user', content: [{ type: 'text', text }], timestamp: nowMs },
    });
  // Its own cost is part of no store: the text is cut once for each length of the rest.
  const idBytes = id.length + (parentId === null ? 'null'.length : parentId.length + 2);
  let text = texts.get(idBytes);
  if (text === undefined) {
    const missing = MESSAGE_BYTES - 1 - build('').length;
    text = PROSE.repeat(Math.ceil(missing / PROSE.length)).slice(0, missing);
    texts.set(idBytes, text);
  }
  return build(text);
}

function headerLine({ sessionId, key }, nowMs) {
  return JSON.stringify({ type: 'session', version: 3, id: sessionId, timestamp: new Date(nowMs).toISOString(), sessionKey: key });
}

/** One message to one session: its line, its entry's times, and the answer kept for a repeat. */
export function appendMessage(session) {
  nextCall += 1;
  return {
    idempotencyKey: `${callPrefix}-${nextCall}`,
    contentHash: callPrefix,
    decide(view) {
      const tail = view.transcript(session.file);
      const id = (tail.messages + 1).toString(16).padStart(8, '0');
      const line = messageLine(id, tail.leafId, view.nowMs);
      return {
        effects: [
          { kind: 'putEntry', key: session.key, set: { ...(tail.kind === 'none' ? { sessionId: session.sessionId } : {}), updatedAt: view.nowMs, lastInteractionAt: view.nowMs } },
          { kind: 'append', file: session.file, lines: tail.kind === 'none' ? [headerLine(session, view.nowMs), line] : [line], messages: 1, exchanges: 1, leafId: id },
        ],
        result: { messageSeq: tail.messages + 1 },
      };
    },
  };
}

/** One changed field of one entry. */
export function patchEntry(key) {
  nextCall += 1;
  const label = `bench ${callPrefix} ${nextCall}`;
  return { decide: (view) => ({ effects: [{ kind: 'putEntry', key, set: { label, updatedAt: view.nowMs } }], result: null }) };
}

/** Sessions of their own, apart from the generated ones. */
export function newSessions(count) {
  const run = randomBytes(4).toString('hex');
  return Array.from({ length: count }, (_, index) => {
    const sessionId = `${run}-0000-4000-8000-${String(index).padStart(12, '0')}`;
    return { key: `agent:main:telegram:direct:${run}${index}`, sessionId, file: `${sessionId}.jsonl` };
  });
}

/** Resolves when the index has everything acknowledged: what follows is not disturbed by it. */
export const settled = (store) => store.list({ limit: 1 });

/** A repeatable stream of whole numbers below `limit`. */
export function numbersBelow(limit, seed = 1) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
