/** A store with conversations of answered calls, and what may become of their files. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { TOOL } from './names';

export interface Planted {
  readonly name: string;
  readonly key: string;
  readonly sessionId: string;
  readonly callsCount: number;
}

export const callId = (number: number): string => `call_${String(number)}`;
/** The first thing that is said in a conversation. */
export const planted = ({ name }: Planted): string => `${name} planted`;

const sessionsDir = (stateDir: string): string => path.join(stateDir, 'agents', 'main', 'sessions');
const transcriptOf = (stateDir: string, { sessionId }: Planted): string => path.join(sessionsDir(stateDir), `${sessionId}.jsonl`);

/** One conversation for each number of calls. @returns the state directory beside them */
export function plant(callsCounts: readonly number[]): { readonly stateDir: string; readonly conversations: readonly Planted[] } {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'killed-'));
  mkdirSync(sessionsDir(stateDir), { recursive: true });
  const conversations = callsCounts.map((callsCount, at): Planted => ({ name: `c${String(at)}`, key: `agent:main:dashboard:c${String(at)}`, sessionId: `0190bbbb-0000-7000-8000-${String(at).padStart(12, '0')}`, callsCount }));
  const nowMs = Date.now();
  for (const one of conversations) writeFileSync(transcriptOf(stateDir, one), linesOf(one, new Date(nowMs).toISOString()));
  const entries = conversations.map(({ key, sessionId }) => [key, { sessionId, updatedAt: nowMs, sessionStartedAt: nowMs, lastInteractionAt: nowMs }] as const);
  writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify(Object.fromEntries(entries), null, 2));
  return { stateDir, conversations };
}

function linesOf(one: Planted, timestamp: string): string {
  const calls = Array.from({ length: one.callsCount }, (_, number) => [
    { role: 'assistant', content: [{ type: 'toolCall', id: callId(number), name: TOOL, arguments: { number } }], stopReason: 'toolUse' },
    { role: 'toolResult', toolCallId: callId(number), toolName: TOOL, isError: false, content: [{ type: 'text', text: JSON.stringify({ status: 'ok', number }) }] },
  ]);
  const id = (at: number): string => (at + 1).toString(16).padStart(8, '0');
  const messages = [{ role: 'user', content: [{ type: 'text', text: planted(one) }] }, ...calls.flat()].map((message, at) => ({ type: 'message', id: id(at), parentId: at === 0 ? null : id(at - 1), timestamp, message }));
  return [{ type: 'session', version: 3, id: one.sessionId, timestamp, cwd: '/' }, ...messages].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Looks at the transcripts again and again: each only ever grows at its end, and no other appears. */
export class OnlyGrow {
  readonly #stateDir: string;
  readonly #conversations: readonly Planted[];
  readonly #before = new Map<Planted, Buffer>();

  constructor(stateDir: string, conversations: readonly Planted[]) {
    this.#stateDir = stateDir;
    this.#conversations = conversations;
  }

  /** @returns what is wrong, for each transcript that is not what it was with something behind it */
  look(only: readonly Planted[] = this.#conversations): string[] {
    const names = readdirSync(sessionsDir(this.#stateDir)).filter((name) => name.includes('.jsonl') && !name.endsWith('.lock') && !name.includes('.trajectory'));
    const others = names.filter((name) => !this.#conversations.some(({ sessionId }) => name === `${sessionId}.jsonl`));
    return [
      ...others.map((name) => `another transcript: ${name}`),
      ...only.flatMap((one) => {
        const before = this.#before.get(one) ?? Buffer.alloc(0);
        const now = readFileSync(transcriptOf(this.#stateDir, one));
        this.#before.set(one, now);
        return now.length >= before.length && now.subarray(0, before.length).equals(before) ? [] : [`${one.name}: of ${String(before.length)} bytes not all are as they were`];
      }),
    ];
  }

  get bytesCount(): number {
    return [...this.#before.values()].reduce((sum, { length }) => sum + length, 0);
  }
}
