/**
 * A StoreService in memory, for tests of routers: real calls over a real bus, real rows and events,
 * no files. A store is served once it has been claimed, as a writer does it.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  AgentInfo, ChangedEvent, ClaimChildResponse, ClaimStoreResponse, Event, GetEntryResponse, MessageEvent, PatchEntryResponse, PreviewResponse, ReleaseChildResponse, RepairDeed,
  RepairResponse, ResolveKeyResponse, SearchHit, SearchResponse, StoreServiceCreateSessionResponse, StoreServiceListAgentsResponse, StoreServiceService, VerifyTotals,
} from '@sessions/contracts';
import type { DeliverRequest, FieldChange, Finding } from '@sessions/contracts';
import { SessionError, storedSpellings, planEntryPatch, searchTextOf } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { createSubjects, serveService } from '@sessions/bus';
import type { Bus, CallContext, Handlers } from '@sessions/bus';
import { STORES_NOW_MS, bytes, messageOf, pathOf, textOfLine } from './memory-agent';
import type { MemoryAgent } from './memory-agent';
import { deliver } from './memory-deliver';
import { newAside, operationHandlers } from './memory-operations';
import type { MemoryAside, MemorySession } from './memory-operations';
import { readHistory } from './memory-history';
import { encodedRow, listEntries, rowOf } from './memory-rows';
import { MemoryRuns } from './memory-runs';

export { STORES_NOW_MS } from './memory-agent';

export interface MemoryStores {
  /** Puts an entry under a key, and with it the agent. */
  put(agentId: string, key: string, entry: JsonObject, texts?: readonly { readonly role: string; readonly text: string }[]): void;
  entry(agentId: string, key: string): JsonObject | undefined;
  /** Texts of a session's messages, oldest first. */
  texts(agentId: string, key: string): readonly string[];
  /** Calls so far, oldest first: method and agent. */
  readonly calls: readonly string[];
  /** What was delivered so far, as it came. */
  readonly delivered: readonly DeliverRequest[];
  /** What a verify of the store finds from now on; a repair cuts its torn tails. */
  plant(agentId: string, findings: readonly Finding[]): void;
  /** Methods that the owners do not serve, by their member names. */
  readonly unserved: Set<string>;
  /** Calls of these methods are answered when this resolves. */
  readonly held: Map<string, Promise<void>>;
  /** Turns that messages ask for: taken when the test says so. */
  readonly runs: MemoryRuns;
  /** Archives, runs and deliveries of a store. */
  aside(agentId: string): MemoryAside;
  /** Gives a session another transcript with these texts. */
  reset(agentId: string, key: string, sessionId: string, texts?: readonly { readonly role: string; readonly text: string }[]): void;
  /** Stops serving a store, as an owner that dies does. */
  loseOwner(agentId: string): Promise<void>;
  /** Every later call to the store is refused with this; undefined: no more. */
  refuse(agentId: string, error: SessionError | undefined): void;
  stop(): Promise<void>;
}

export async function serveMemoryStores(bus: Bus, subjectPrefix?: string): Promise<MemoryStores> {
  const subjects = createSubjects(subjectPrefix);
  const agents = new Map<string, MemoryAgent>();
  const refusals = new Map<string, SessionError>();
  const calls: string[] = [];
  const delivered: DeliverRequest[] = [];
  const unserved = new Set<string>();
  const held = new Map<string, Promise<void>>();
  const agentOf = (agentId: string): MemoryAgent => {
    const agent = agents.get(agentId) ?? { sessions: new Map(), results: new Map(), findings: [], served: undefined, seqs: new Map(), aside: newAside() };
    agents.set(agentId, agent);
    return agent;
  };
  const { handlers, runs } = storeHandlers(bus, subjects, agentOf);
  const watched = Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      (request: { agentId: string }, context: CallContext) => {
        calls.push(`${name} ${request.agentId}`);
        if (name === 'deliver') delivered.push(request as DeliverRequest);
        const refusal = refusals.get(request.agentId);
        if (refusal !== undefined) throw refusal;
        if (unserved.has(name)) throw new SessionError('UNSUPPORTED', `${name} is not served here`);
        const answer = (): unknown => (handler as (request: unknown, context: CallContext) => unknown)(request, context);
        const until = held.get(name);
        return until === undefined ? answer() : until.then(answer);
      },
    ]),
  ) as unknown as typeof handlers;
  const pool = await serveService(
    bus,
    StoreServiceService,
    {
      claimStore: async ({ agentId }) => {
        calls.push(`claimStore ${agentId}`);
        const agent = agentOf(agentId);
        agent.served ??= serveService(bus, StoreServiceService, watched, {
          subjectFor: (method) => (method === 'ClaimStore' || method === 'ListAgents' ? undefined : subjects.store(agentId, method)),
        });
        await agent.served;
        return ClaimStoreResponse.create({ epoch: 1, owner: 'memory/test' });
      },
      listAgents: async () => {
        calls.push('listAgents');
        const found = [...agents.keys()].map((agentId) => AgentInfo.create({ agentId, hasStore: true, storePath: pathOf(agentId) }));
        return StoreServiceListAgentsResponse.create({ agents: found });
      },
    },
    {
      subjectFor: (method) => (method === 'ClaimStore' || method === 'ListAgents' ? subjects.storePool(method) : undefined),
      queueGroup: 'store-writer',
    },
  );
  return {
    calls,
    delivered,
    unserved,
    held,
    runs,
    aside: (agentId) => agentOf(agentId).aside,
    put(agentId, key, entry, texts = []) {
      const messages = texts.map(({ role, text }) => messageOf(role, text));
      agentOf(agentId).sessions.set(key, { entry: { ...entry } as Record<string, JsonValue>, messages });
    },
    plant(agentId, findings) {
      agentOf(agentId).findings = findings;
    },
    reset(agentId, key, sessionId, texts = []) {
      const session = agentOf(agentId).sessions.get(key);
      if (session === undefined) return;
      session.entry = { ...session.entry, sessionId };
      session.messages.splice(0, Infinity, ...texts.map(({ role, text }) => messageOf(role, text)));
    },
    entry: (agentId, key) => agents.get(agentId)?.sessions.get(key)?.entry,
    texts: (agentId, key) =>
      (agents.get(agentId)?.sessions.get(key)?.messages ?? []).map(
        ({ line }) => (JSON.parse(line) as { message: { content: { text: string }[] } }).message.content[0]?.text ?? '',
      ),
    async loseOwner(agentId) {
      const agent = agentOf(agentId);
      const served = await agent.served;
      agent.served = undefined;
      await served?.stop();
    },
    refuse(agentId, error) {
      if (error === undefined) refusals.delete(agentId);
      else refusals.set(agentId, error);
    },
    async stop() {
      await pool.stop();
      for (const { served } of agents.values()) await (await served)?.stop();
    },
  };
}

function storeHandlers(
  bus: Bus,
  subjects: ReturnType<typeof createSubjects>,
  agentOf: (agentId: string) => MemoryAgent,
): { readonly handlers: Partial<Handlers<typeof StoreServiceService>>; readonly runs: MemoryRuns } {
  const find = (agentId: string, key: string): [string, MemorySession] | undefined => {
    const { sessions } = agentOf(agentId);
    for (const candidate of storedSpellings(key)) {
      const session = sessions.get(candidate);
      if (session !== undefined) return [candidate, session];
    }
    return undefined;
  };
  const once = <T>(agentId: string, context: CallContext, request: unknown, run: () => T): T => {
    const { results } = agentOf(agentId);
    const key = context.idempotencyKey ?? context.requestId;
    const hash = createHash('sha256').update(JSON.stringify(request)).digest('hex');
    const first = results.get(key);
    if (first === undefined) {
      const answer = run();
      results.set(key, { hash, answer });
      return answer;
    }
    if (first.hash !== hash) throw new SessionError('IDEMPOTENCY_MISMATCH', 'the key was used for another request');
    return first.answer as T;
  };
  const publish = (agentId: string, key: string, session: MemorySession, body: NonNullable<Event['body']>): void => {
    const agent = agentOf(agentId);
    const seq = (agent.seqs.get(key) ?? 0) + 1;
    agent.seqs.set(key, seq);
    const event = Event.create({ agentId, sessionKey: key, sessionId: String(session.entry.sessionId), epoch: 1, seq, atMs: STORES_NOW_MS, body });
    bus.events.publish(subjects.event(agentId, body.$case === 'message' ? 'message' : 'changed', key), Event, event);
  };

  const sessionOf = (agentId: string, key: string): MemorySession => agentOf(agentId).sessions.get(key) ?? { entry: { sessionId: randomUUID() }, messages: [] };
  const changedOf = (agentId: string, key: string, session: MemorySession, value: Partial<ChangedEvent>): void =>
    publish(agentId, key, session, { $case: 'changed', value: ChangedEvent.create({ encodedRow: encodedRow(agentId, key, session), ...value }) });
  const runs = new MemoryRuns({
    bus,
    subjects,
    nowMs: STORES_NOW_MS,
    asideOf: (agentId) => agentOf(agentId).aside,
    changed(agentId, key, value) {
      const session = sessionOf(agentId, key);
      session.entry = { ...session.entry, status: value.phase === 'start' ? 'running' : value.phase === 'error' ? 'failed' : 'done' };
      changedOf(agentId, key, session, value);
    },
    append(agentId, key, text) {
      const session = sessionOf(agentId, key);
      const added = messageOf('assistant', text);
      session.messages.push(added);
      publish(agentId, key, session, { $case: 'message', value: MessageEvent.create({ messageId: added.id, messageSeq: session.messages.length, lineJson: Buffer.from(added.line), encodedRow: encodedRow(agentId, key, session) }) });
    },
  });

  const handlers: Partial<Handlers<typeof StoreServiceService>> = {
    async *verify({ agentId }) {
      for (const finding of agentOf(agentId).findings) yield { item: { $case: 'finding', value: finding } };
      yield { item: { $case: 'totals', value: totalsOf(agentId, agentOf(agentId)) } };
    },
    repair: async ({ agentId }) => {
      const agent = agentOf(agentId);
      const repaired = agent.findings.filter(({ repair }) => repair === 'cut-torn-tail');
      agent.findings = agent.findings.filter((finding) => !repaired.includes(finding));
      const deeds = repaired.map(({ repair, path, key }) => RepairDeed.create({ deed: repair, file: path, key }));
      return RepairResponse.create({ repaired, remaining: [...agent.findings], deeds, totals: totalsOf(agentId, agent) });
    },
    listEntries: async (request) => listEntries(agentOf(request.agentId), request),
    getEntry: async ({ agentId, by }) => {
      const found =
        by?.$case === 'sessionId'
          ? [...agentOf(agentId).sessions].find(([, { entry }]) => entry.sessionId === by.value)
          : find(agentId, by?.value ?? '');
      if (found === undefined) return GetEntryResponse.create({});
      const entryJson = bytes(found[1].entry);
      return GetEntryResponse.create({ found: true, key: found[0], entryJson, entryBytes: entryJson.length, encodedRow: encodedRow(agentId, ...found) });
    },
    resolveKey: async ({ agentId, by }) => {
      const { sessions } = agentOf(agentId);
      const keyed = by?.$case === 'key' ? find(agentId, by.value) : undefined;
      const matches = by?.$case === 'key' ? (keyed === undefined ? [] : [keyed]) : [...sessions].filter(([, { entry }]) => entry[by?.$case ?? ''] === by?.value);
      return ResolveKeyResponse.create({ keys: matches.map(([key]) => key), sessionId: matches[0] === undefined ? undefined : String(matches[0][1].entry.sessionId) });
    },
    preview: async ({ agentId, keys }) =>
      PreviewResponse.create({
        previews: keys.map((key) => {
          const session = find(agentId, key)?.[1];
          const items = (session?.messages ?? []).map(({ role, line }) => ({ role, text: textOfLine(line) }));
          return { key, status: session === undefined ? 'missing' : items.length === 0 ? 'empty' : 'ok', items };
        }),
      }),
    search: async ({ agentId, query, limit, cursor, in: place, channel, sinceAtMs, untilAtMs }) => {
      if (place === 'text') {
        const snippet = ['text', query, channel, sinceAtMs, untilAtMs].join(' ');
        const [key, { entry }] = [...agentOf(agentId).sessions][0] ?? ['', { entry: {} }];
        const hit = SearchHit.create({ agentId, key, sessionId: String((entry as { sessionId?: string }).sessionId), messageId: 'm-1', messageSeq: 7, role: 'user', atMs: 5, snippet, highlights: [{ start: 5, end: 5 + query.length }] });
        return SearchResponse.create({ hits: [hit], incomplete: true });
      }
      const all = [...agentOf(agentId).sessions]
        .filter(([key, session]) => searchTextOf(rowOf(agentId, key, session)).includes(query.toLowerCase()))
        .sort(([, a], [, b]) => Number(b.entry.updatedAt ?? 0) - Number(a.entry.updatedAt ?? 0));
      const from = Number(cursor ?? 0);
      const until = from + (limit ?? 20);
      const hits = all.slice(from, until).map(([key, { entry }], at) =>
        SearchHit.create({ agentId, key, sessionId: String(entry.sessionId), snippet: key, cursor: String(from + at + 1), ...(typeof entry.updatedAt === 'number' && { atMs: entry.updatedAt }) }));
      return SearchResponse.create({ hits, nextCursor: until < all.length ? String(until) : undefined });
    },
    readHistory: (request, { signal }) => readHistory(find(request.agentId, request.by?.value ?? ''), request, signal),
    createSession: async (request, context) =>
      once(request.agentId, context, request, () => {
        const key = request.key ?? `agent:${request.agentId}:dashboard:${randomUUID()}`;
        const { sessions } = agentOf(request.agentId);
        const label = request.fields.find(({ name }) => name === 'label');
        const labelText: unknown = label?.valueJson === undefined ? undefined : JSON.parse(label.valueJson.toString());
        const owner = [...sessions].find(([other, { entry }]) => other !== key && labelText !== undefined && entry.label === labelText);
        if (owner !== undefined) throw new SessionError('LABEL_IN_USE', `label already in use: ${String(labelText)}`);
        const created = !sessions.has(key);
        const session = sessions.get(key) ?? { entry: { sessionId: randomUUID() }, messages: [] };
        session.entry = changed({ ...session.entry, updatedAt: STORES_NOW_MS }, request.fields);
        sessions.set(key, session);
        publish(request.agentId, key, session, { $case: 'changed', value: { reason: 'create', phase: undefined, runId: undefined, encodedRow: encodedRow(request.agentId, key, session), previousSessionId: undefined, messageSeq: undefined } });
        return StoreServiceCreateSessionResponse.create({ key, sessionId: String(session.entry.sessionId), entryJson: bytes(session.entry), created });
      }),
    claimChild: async ({ agentId, childKey, childrenMax, activeKeys }) => {
      const taken = activeKeys.filter((key) => key !== childKey).length;
      if (taken >= childrenMax) throw new SessionError('SPAWN_DENIED', `${String(taken)} of ${String(childrenMax)}`, { facts: { agentId } });
      return ClaimChildResponse.create({ active: taken + 1 });
    },
    releaseChild: async () => ReleaseChildResponse.create({ released: true }),
    patchEntry: async (request, context) =>
      once(request.agentId, context, request, () => {
        const { sessions } = agentOf(request.agentId);
        const [key, session] = find(request.agentId, request.key) ?? [request.key, { entry: { sessionId: randomUUID() }, messages: [] }];
        if (request.expectedUpdatedAtMs !== undefined && session.entry.updatedAt !== request.expectedUpdatedAtMs) {
          throw new SessionError('ENTRY_CHANGED', 'the entry has changed');
        }
        const created = !sessions.has(key);
        const fields = Object.fromEntries(
          request.changes.map(({ name, valueJson }) => [name, valueJson === undefined ? null : (JSON.parse(valueJson.toString('utf8')) as JsonValue)]),
        );
        const { boundSession, threadBinding, yieldingRun, ...patched } = fields;
        for (const [name, value] of Object.entries({ boundSession, threadBinding, yieldingRun })) if (value !== undefined) session.entry = { ...session.entry, [name]: value };
        const { set, clear } = planEntryPatch(patched, session.entry, { key, defaultModel: { provider: 'fake', model: 'fake-1' }, labelOwner: undefined });
        const kept = Object.entries(session.entry).filter(([name]) => !clear.includes(name));
        session.entry = { ...Object.fromEntries(kept), ...set, updatedAt: STORES_NOW_MS };
        sessions.set(key, session);
        return PatchEntryResponse.create({ key, entryJson: bytes(session.entry), created });
      }),
    deliver: async (request, context) => deliver(request, context, { agentOf, publish, runs }),
    ...operationHandlers({
      nowMs: STORES_NOW_MS,
      find,
      sessionsOf: (agentId) => agentOf(agentId).sessions,
      asideOf: (agentId) => agentOf(agentId).aside,
      once,
      changed: changedOf,
      endRun: (agentId, runId) => runs.end(agentId, runId, { outcome: 'aborted', stopReason: 'rpc' }),
    }),
  };
  return { handlers, runs };
}

function totalsOf(agentId: string, { sessions, findings }: MemoryAgent): VerifyTotals {
  const messages = [...sessions.values()].reduce((sum, session) => sum + session.messages.length, 0);
  return VerifyTotals.create({
    path: pathOf(agentId),
    ok: findings.every(({ wrong }) => !wrong),
    entries: sessions.size,
    transcripts: sessions.size,
    lines: messages + sessions.size,
    messages,
    findings: findings.length,
  });
}

function changed(entry: Record<string, JsonValue>, changes: readonly FieldChange[]): Record<string, JsonValue> {
  const next = { ...entry };
  for (const { name, valueJson } of changes) {
    if (valueJson === undefined) delete next[name];
    else next[name] = JSON.parse(valueJson.toString('utf8')) as JsonValue;
  }
  return next;
}
