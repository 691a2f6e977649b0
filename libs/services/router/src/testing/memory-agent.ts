/** One agent's store in memory, and what its messages look like. */
import { randomUUID } from 'node:crypto';
import type { Finding } from '@sessions/contracts';
import type { Served } from '@sessions/bus';
import type { MemoryAside, MemorySession } from './memory-operations';

/** One agent's store. */
export interface MemoryAgent {
  readonly sessions: Map<string, MemorySession>;
  readonly results: Map<string, { readonly hash: string; readonly answer: unknown }>;
  findings: readonly Finding[];
  served: Promise<Served> | undefined;
  /** Last event number by key. */
  readonly seqs: Map<string, number>;
  readonly aside: MemoryAside;
}

/** The moment at which everything here happens. */
export const STORES_NOW_MS = 1_780_000_000_000;
export const pathOf = (agentId: string): string => `/state/agents/${agentId}/sessions/sessions.json`;
export const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8');

export function messageOf(role: string, text: string): MemorySession['messages'][number] {
  const id = randomUUID().slice(0, 8);
  return { id, role, line: JSON.stringify({ type: 'message', id, message: { role, content: [{ type: 'text', text }] } }) };
}

export function textOfLine(line: string): string {
  return (JSON.parse(line) as { message: { content: { text: string }[] } }).message.content[0]?.text ?? '';
}
