/** Messages that come into a store in memory, with the turns that they ask for. */
import { createHash, randomUUID } from 'node:crypto';
import { DeliverResponse, MessageEvent } from '@sessions/contracts';
import type { ChildSession, DeliverRequest, Event } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { STORES_NOW_MS, messageOf } from './memory-agent';
import type { MemoryAgent } from './memory-agent';
import type { MemorySession } from './memory-operations';
import { encodedRow } from './memory-rows';
import type { MemoryRuns } from './memory-runs';

interface DeliverParts {
  readonly agentOf: (agentId: string) => MemoryAgent;
  readonly publish: (agentId: string, key: string, session: MemorySession, body: NonNullable<Event['body']>) => void;
  readonly runs: MemoryRuns;
}

export function deliver(request: DeliverRequest, context: CallContext, { agentOf, publish, runs }: DeliverParts): DeliverResponse {
  const { agentId, route, message } = request;
  const agent = agentOf(agentId);
  const idempotencyKey = context.idempotencyKey ?? context.requestId;
  const hash = createHash('sha256').update(JSON.stringify([route, message])).digest('hex');
  const first = agent.results.get(idempotencyKey);
  if (first !== undefined) {
    if (first.hash !== hash) throw new SessionError('IDEMPOTENCY_MISMATCH', 'the key was used for another message');
    return { ...(first.answer as DeliverResponse), status: 'duplicate' };
  }
  const key = route?.sessionKey ?? '';
  if (request.command?.reply !== undefined) {
    const handled = DeliverResponse.create({ status: 'handled', sessionKey: key, reply: request.command.reply });
    agent.results.set(idempotencyKey, { hash, answer: handled });
    return handled;
  }
  const created = !agent.sessions.has(key);
  if (created && request.requireExisting) throw new SessionError('SESSION_NOT_FOUND', `session not found: ${key}`);
  const session = agent.sessions.get(key) ?? { entry: { sessionId: randomUUID() }, messages: [] };
  session.entry.updatedAt = STORES_NOW_MS;
  if (request.child !== undefined) Object.assign(session.entry, childMembers(request.child));
  agent.sessions.set(key, session);
  const added = messageOf(message?.role ?? 'user', message?.text ?? '');
  session.messages.push(added);
  const value = MessageEvent.create({
    messageId: added.id,
    messageSeq: session.messages.length,
    lineJson: Buffer.from(added.line),
    encodedRow: encodedRow(agentId, key, session),
  });
  publish(agentId, key, session, { $case: 'message', value });
  const interrupted = request.interrupt ? [...agent.aside.runs.values()].find(({ sessionKey, state }) => sessionKey === key && state === 'running')?.runId : undefined;
  if (interrupted !== undefined) runs.end(agentId, interrupted, { outcome: 'aborted', stopReason: 'rpc' });
  const run = runs.takes && request.run !== undefined ? runs.open(agentId, key, request.run, added.id) : undefined;
  const answer = DeliverResponse.create({
    status: 'accepted',
    runId: run?.runId,
    queued: run?.state === 'queued',
    position: run?.position,
    interruptedRunId: interrupted,
    sessionKey: key,
    sessionId: String(session.entry.sessionId),
    messageId: added.id,
    messageSeq: session.messages.length,
    created,
  });
  agent.results.set(idempotencyKey, { hash, answer });
  return answer;
}

function childMembers({ spawnedBy, spawnDepth, label, cleanup, membersJson }: ChildSession): Record<string, JsonValue> {
  const given = membersJson === undefined ? {} : (JSON.parse(membersJson.toString('utf8')) as Record<string, JsonValue>);
  return { spawnedBy, parentSessionKey: spawnedBy, spawnDepth, cleanup, ...(label !== undefined && { label }), ...given };
}
