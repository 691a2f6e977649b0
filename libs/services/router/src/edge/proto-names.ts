/** Refusals over gRPC name fields as the contract there does, `agent_id`; the handlers say `agentId`, as all other doors do. */
import { CleanupFlags } from '@sessions/contracts';

/** Members of requests whose fields are as much the caller's as the request's own. */
const INNER: Readonly<Record<string, object>> = { flags: CleanupFlags.create({}) };
/** What stands in quotes is the caller's, or JSON inside of the message: it keeps its spelling. */
const WORDS = /"(?:[^"\\]|\\.)*"|[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*/gu;

const protoName = (name: string): string => name.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);

/** @param empty request of the method without any field set; its members are the names that it may have */
export function inProtoNames(text: string, empty: object): string {
  const inner = Object.entries(INNER).flatMap(([name, members]) => (name in empty ? Object.keys(members) : []));
  const names = new Set([...Object.keys(empty), ...inner]);
  return text.replace(WORDS, (word) => (names.has(word.split('.', 1)[0] ?? '') ? protoName(word) : word));
}
