/**
 * A process that writes a store through its door and dies by its own SIGKILL with the last
 * acknowledgement in hand: node killed-writer.js <sessions.json> <native binding>
 */
import { openStore } from '@sessions/store';

const [sessionsFile = '', nativeBinding = ''] = process.argv.slice(2);
const SESSION = 'aaaaaaaa-0000-4000-8000-000000000001';
const MESSAGES = 6;
/** No checkpoint of its own accord: sessions.json stays behind. */
const NEVER_MS = 3_600_000;

async function write(): Promise<void> {
  const store = await openStore({ agentId: 'main', sessionsFile, instance: 'killed', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: NEVER_MS, nativeBinding });
  const file = `${SESSION}.jsonl`;
  const append = (line: object, messages: number, leafId: string | null): Promise<unknown> =>
    store.mutate({ decide: () => ({ effects: [{ kind: 'append', file, lines: [JSON.stringify(line)], messages, exchanges: messages, leafId }], result: null }) });
  await append({ type: 'session', version: 3, id: SESSION, timestamp: '2026-06-01T06:00:00.000Z', cwd: '/' }, 0, null);
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: 'agent:main:new', set: { sessionId: SESSION, updatedAt: 5000 } }], result: null }) });
  for (let n = 1; n <= MESSAGES; n += 1) {
    const message = { role: n % 2 === 1 ? 'user' : 'assistant', content: [{ type: 'text', text: `message ${n}` }] };
    await append({ type: 'message', id: `m${n}`, parentId: n === 1 ? null : `m${n - 1}`, timestamp: '2026-06-01T06:00:01.000Z', message }, 1, `m${n}`);
  }
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: 'agent:main:old', set: { updatedAt: 6000, label: 'renamed' } }, { kind: 'removeEntry', key: 'agent:main:gone' }], result: null }) });
  process.kill(process.pid, 'SIGKILL');
}

void write();
