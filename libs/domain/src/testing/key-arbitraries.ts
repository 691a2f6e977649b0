/** Generators of session keys, canonical and careless. */
import fc from 'fast-check';
import type { ParsedKey } from '../keys/session-key';

const AGENT_CHARS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_CHARS = `${AGENT_CHARS}+-_#@.=`;

const text = (chars: string, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...chars), minLength: 1, maxLength });

/** Literal agent ids. */
export const agentIds: fc.Arbitrary<string> = text(AGENT_CHARS, 12);

/** Channels of the shipped adapters and of plug-ins. */
export const channels: fc.Arbitrary<string> = fc.constantFrom('telegram', 'discord', 'slack', 'whatsapp', 'signal', 'matrix', 'imessage', 'my-plugin');

/** Lower-case identifiers; some hold colons, as Matrix ids do, none a suffix marker. */
export const conversationIds: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: text(ID_CHARS, 20) },
  { weight: 1, arbitrary: fc.tuple(text(ID_CHARS, 8), text(ID_CHARS, 8)).map(([left, right]) => `${left}:${right}`).filter((id) => !/:?(thread|topic|run|subagent):/.test(id)) },
);

/** Identifiers as outside programs send them: any case, blanks around them. */
export const carelessIds: fc.Arbitrary<string> = fc
  .tuple(conversationIds, fc.boolean(), fc.constantFrom('', ' ', '  '))
  .map(([id, upper, blank]) => `${blank}${upper ? id.toUpperCase() : id}${blank}`);

const suffixes = fc.option(fc.record({ kind: fc.constantFrom('thread' as const, 'topic' as const), id: text(ID_CHARS, 10) }), { nil: undefined });
const accounts = fc.option(text(AGENT_CHARS, 8).filter((id) => !['direct', 'dm', 'group', 'channel', 'room', 'slash'].includes(id)), { nil: undefined });
const plainIds = text(AGENT_CHARS, 16);

/** Every addressable form with canonical identifiers, in parts. */
export const keyParts: fc.Arbitrary<ParsedKey> = fc
  .oneof(
    fc.constant({ form: 'main' as const }),
    fc.record({ form: fc.constant('direct' as const), word: fc.constantFrom('direct' as const, 'dm' as const), peerId: conversationIds }),
    fc.record({ form: fc.constant('direct' as const), word: fc.constantFrom('direct' as const, 'dm' as const), channel: channels, accountId: accounts, peerId: conversationIds }),
    fc.record({ form: fc.constant('group' as const), channel: channels, accountId: accounts, id: conversationIds }),
    fc.record({ form: fc.constant('group' as const), id: conversationIds }),
    fc.record({ form: fc.constant('room' as const), word: fc.constantFrom('channel' as const, 'room' as const), channel: channels, accountId: accounts, id: conversationIds }),
    fc.record({ form: fc.constant('slash' as const), channel: channels, userId: conversationIds }),
    fc.record({ form: fc.constant('cron' as const), jobId: plainIds, runId: fc.option(plainIds, { nil: undefined }) }),
    fc.record({ form: fc.constant('hook' as const), hookId: conversationIds }),
    fc.record({ form: fc.constant('node' as const), separator: fc.constantFrom('-' as const, ':' as const), nodeId: conversationIds }),
    fc.record({ form: fc.constant('subagent' as const), ids: fc.array(plainIds, { minLength: 1, maxLength: 3 }) }),
    fc.record({ form: fc.constantFrom('acp' as const, 'explicit' as const, 'dashboard' as const), id: conversationIds }),
  )
  .chain((address) => fc.record({ agentId: agentIds, suffix: suffixes }).map((around): ParsedKey => ({ ...address, ...around })));
