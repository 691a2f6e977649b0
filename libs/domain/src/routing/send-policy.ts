import type { SessionConfig } from '../config/parse-config';
import { chatTypeOf, keyRest } from '../keys/key-kind';
import { parseSessionKey } from '../keys/session-key';

type SendPolicy = SessionConfig['session']['sendPolicy'];

/** The session that a send concerns, as far as policy looks at it. */
export interface SendSubject {
  readonly key: string;
  /** The override on the entry, set by a patch or `/send`; it comes before every rule. */
  readonly override?: 'allow' | 'deny';
  /** Channel recorded on the entry. */
  readonly channel?: string;
  readonly chatType?: string;
}

/**
 * Whether messages of a session may be sent out: the entry's override, else any matching `deny`,
 * else any matching `allow`, else the default. Policy is by channel and type, not by session id.
 */
export function evaluateSendPolicy(policy: SendPolicy, subject: SendSubject): 'allow' | 'deny' {
  if (subject.override !== undefined) return subject.override;
  const matching = policy.rules.filter((rule) => matches(rule, subject));
  if (matching.some((rule) => rule.action === 'deny')) return 'deny';
  return matching.length > 0 ? 'allow' : policy.default;
}

function matches(rule: SendPolicy['rules'][number], subject: SendSubject): boolean {
  const { channel, chatType, keyPrefix, rawKeyPrefix } = rule.match;
  if (rule.neverMatches) return false;
  if (channel !== undefined && channel !== channelOf(subject)) return false;
  if (chatType !== undefined && chatType !== chatTypeOf(subject.key, subject)) return false;
  if (keyPrefix !== undefined && !keyRest(subject.key).startsWith(keyPrefix.trim().toLowerCase())) return false;
  return rawKeyPrefix === undefined || subject.key.trim().toLowerCase().startsWith(rawKeyPrefix.trim().toLowerCase());
}

function channelOf(subject: SendSubject): string | undefined {
  if (subject.channel !== undefined && subject.channel !== '') return subject.channel.toLowerCase();
  const parsed = parseSessionKey(subject.key);
  return 'channel' in parsed ? parsed.channel?.toLowerCase() : undefined;
}

/** Where the policy is asked; `sessions_send` comes through `agent`. */
export type SendPoint = 'chat.send' | 'agent' | 'auto-reply';

/**
 * What a policy means where it is enforced (tools §8): both methods are refused before a run starts;
 * the run of a message that came in by itself happens, and its answer is delivered to nobody.
 */
export function enforceSendPolicy(point: SendPoint, policy: SendPolicy, subject: SendSubject): 'proceed' | 'refuse' | 'run-without-delivery' {
  if (evaluateSendPolicy(policy, subject) === 'allow') return 'proceed';
  return point === 'auto-reply' ? 'run-without-delivery' : 'refuse';
}
