/** Refusals over gRPC name fields as the contract there does, `agent_id`; the handlers say `agentId`, as all other doors do. */
import { Attachment, CleanupFlags, Envelope } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';

/** Members of requests whose fields are as much the caller's as the request's own. */
const INNER: Readonly<Record<string, object>> = { flags: CleanupFlags.create({}), envelope: { ...Envelope.create({}), ...Attachment.create({}) } };
/** What stands in quotes is the caller's, or JSON inside of the message: it keeps its spelling. */
const WORDS = /"(?:[^"\\]|\\.)*"|[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*/gu;

const protoName = (name: string): string => name.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);

/** @param empty request of the method without any field set; its members are the names that it may have */
function inProtoNames(text: string, empty: object): string {
  const names = namesOf(empty);
  return text.replace(WORDS, (word) => (names.has(word.split('.', 1)[0] ?? '') ? protoName(word) : word));
}

/** The refusal of a request as its contract names its fields, in the text and in the fact `field`. */
export function refusalInProtoNames(error: SessionError, empty: object): SessionError {
  const { field } = error.facts;
  return new SessionError(error.reason, inProtoNames(error.message, empty), {
    facts: typeof field === 'string' ? { ...error.facts, field: inProtoNames(field, empty) } : error.facts,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

function namesOf(empty: object): ReadonlySet<string> {
  const inner = Object.entries(INNER).flatMap(([name, members]) => (name in empty ? Object.keys(members) : []));
  return new Set([...Object.keys(empty), ...inner]);
}
