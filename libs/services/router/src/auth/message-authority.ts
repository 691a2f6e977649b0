/**
 * What a message may command, by the rights of the connection that brings it: never more than these
 * rights do by other means. An administrator speaks as the owner; who may vouch for senders is
 * believed; of everybody else a message is a message, and the commands that it holds are those of
 * `operator.write`.
 */
import { SessionError, needsAdministrator, parseChatCommand } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { SCOPE, holdsScope, vouchesForSenders } from './scopes';

/** `owner`, `allowed`, `other`, as in an envelope's sender, and `turns`: no commands but those inside a message, for its turn. */
type AuthorityWord = string;

export interface MessageClaim {
  readonly text: string;
  readonly hasAttachments: boolean;
  /** `session.resetTriggers` */
  readonly resetTriggers: readonly string[];
  /** What is said of the sender; absent: nothing. */
  readonly claimed: AuthorityWord | undefined;
  /** True: an operator's client speaks for itself. False: an adapter passes on what somebody wrote. */
  readonly isOwnWords: boolean;
}

/**
 * @returns the authority that the message is given; undefined: as claimed
 * @throws SCOPE_MISSING for a command in an operator's own words that takes `operator.admin`; of others it is ignored
 */
export function messageAuthority({ text, hasAttachments, resetTriggers, claimed, isOwnWords }: MessageClaim, { caller, scopes }: Pick<CallContext, 'caller' | 'scopes'>): AuthorityWord | undefined {
  // Services speak for themselves: what they pass on was judged where it came in.
  if (caller.startsWith('service:')) return undefined;
  if (isOwnWords ? holdsScope(scopes, SCOPE.admin) : vouchesForSenders(scopes)) return undefined;
  const intent = hasAttachments ? undefined : parseChatCommand(text, resetTriggers);
  // No command here: should the owner's configuration, newer by a moment, find one, nobody gave it. What it
  // holds for its own turn is no more than the request of a turn can say.
  if (intent === undefined) return claimed === 'other' ? 'other' : 'turns';
  if (!needsAdministrator(intent)) return claimed === 'other' ? 'other' : 'allowed';
  if (isOwnWords) throw new SessionError('SCOPE_MISSING', `missing scope: ${SCOPE.admin}`, { facts: { scope: SCOPE.admin } });
  return 'other';
}
