/**
 * Looks at the files that the writers left, and at what the clients wrote down:
 *
 *     I1 accepted messages are there once      I4  nothing that nobody sent
 *     I2 the others once or not at all         I15 one peer, one session
 *     I3 in the order of their acceptance      I16 every call that began has ended
 *     I7 epochs only grow, each has one owner  (from the owner events that were seen)
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { textOf, type MessageRecorder } from './message-recorder';

export interface SeenOwner {
  readonly agentId: string;
  readonly epoch: number;
  readonly owner: string;
}

export function checkMessages(stateDir: string, recorder: MessageRecorder, owners: readonly SeenOwner[]): string[] {
  const wrong = [...recorder.wrong];
  if (recorder.records.length !== recorder.started) wrong.push(`I16: ${recorder.started} messages were begun and ${recorder.records.length} ended`);
  const clients = new Set(recorder.records.map(({ client }) => client));
  for (const client of clients) wrong.push(...checkClient(stateDir, recorder, client));
  return [...wrong, ...checkOwners(owners)];
}

function checkClient(stateDir: string, recorder: MessageRecorder, client: number): string[] {
  const wrong: string[] = [];
  const dir = join(stateDir, 'agents', recorder.agentOf(client), 'sessions');
  const key = recorder.keyOf(client);
  const entries = JSON.parse(readFileSync(join(dir, 'sessions.json'), 'utf8')) as Record<string, { readonly sessionId: string }>;
  const entry = entries[key];
  if (entry === undefined) return [`I15: there is no session ${key}`];
  const lines = readFileSync(join(dir, `${entry.sessionId}.jsonl`), 'utf8').split('\n').filter((line) => line !== '');
  const numbers: number[] = [];
  for (const line of lines) {
    const found = /client (\d+) message (\d+)\./.exec(line);
    if (found === null) continue;
    if (Number(found[1]) !== client) wrong.push(`I15: the session of client ${client} holds a message of client ${found[1]}`);
    numbers.push(Number(found[2]));
  }
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  const own = recorder.records.filter((record) => record.client === client);
  for (const { number, outcome } of own) {
    const count = counts.get(number) ?? 0;
    if (outcome === 'ok' && count !== 1) wrong.push(`I1: message ${number} of client ${client} was accepted and is there ${count} times`);
    if (count > 1) wrong.push(`I2: message ${number} of client ${client} is there ${count} times`);
  }
  const sent = new Set(own.map(({ number }) => number));
  for (const number of counts.keys()) if (!sent.has(number)) wrong.push(`I4: nobody sent "${textOf(client, number)}"`);
  // A client sends one after the other, so the order of its numbers is that of their acceptance.
  const sorted = [...numbers].sort((a, b) => a - b);
  if (numbers.some((number, index) => number !== sorted[index])) wrong.push(`I3: the messages of client ${client} are out of order`);
  for (const other of otherTranscripts(dir, entry.sessionId)) {
    if (readFileSync(join(dir, other), 'utf8').includes(`client ${client} message `)) wrong.push(`I15: messages of client ${client} stand in ${other} too`);
  }
  return wrong;
}

function otherTranscripts(dir: string, sessionId: string): string[] {
  return readdirSync(dir).filter((name) => name.endsWith('.jsonl') && !name.startsWith(sessionId));
}

function checkOwners(owners: readonly SeenOwner[]): string[] {
  const wrong: string[] = [];
  const ownerOf = new Map<string, string>();
  const highest = new Map<string, number>();
  for (const { agentId, epoch, owner } of owners) {
    const name = `${agentId} ${epoch}`;
    const before = ownerOf.get(name);
    if (before !== undefined && before !== owner) wrong.push(`I7: epoch ${epoch} of ${agentId} was taken by ${before} and by ${owner}`);
    if (epoch < (highest.get(agentId) ?? 0)) wrong.push(`I7: epoch ${epoch} of ${agentId} was taken after ${highest.get(agentId)}`);
    ownerOf.set(name, owner);
    highest.set(agentId, Math.max(epoch, highest.get(agentId) ?? 0));
  }
  return wrong;
}
