/** Who may come in: judges what a request presents, bounds wrong tries, and notes each refusal. */
import { SessionError } from '@sessions/domain';
import type { Audit, Door } from './audit';
import { bearerOf, isOpen, isOwnPage, judgeSecret, plainAddress, principalOf, proxiedPrincipal, scopesHeader } from './credentials';
import type { Authority, Principal, ProxyHeaders } from './credentials';
import type { FailureLimit } from './failure-limit';
import { SHARED_SECRET_SCOPES, heldScopes, holdsScope } from './scopes';
import type { OperatorScope } from './scopes';

export interface GuardDeps {
  readonly authority: () => Authority;
  readonly limit: FailureLimit;
  readonly audit: Audit;
}

/** A request of HTTP or gRPC. */
export interface Presented {
  readonly door: Door;
  readonly operation: string;
  readonly address: string | undefined;
  readonly headers: ProxyHeaders;
}

export interface Guard {
  /** What a request's sender holds. @throws UNAUTHENTICATED, RATE_LIMITED */
  admit(presented: Presented): readonly string[];
  /** For doors with a secret of their own. @throws UNAUTHENTICATED, RATE_LIMITED */
  admitWith(presented: Presented, secret: string | undefined): void;
  /** @throws SCOPE_MISSING */
  assertScope(presented: Presented, scopes: readonly string[], needed: OperatorScope): void;
  /** What a sender that was admitted holds by now; undefined: nothing any more. Nothing is noted. */
  again(presented: Presented): readonly string[] | undefined;
  /** `Principal.id` of a sender that was admitted; undefined: it is nobody's any more. Nothing is noted. */
  principalId(presented: Presented): string | undefined;
}

export function createGuard({ authority, limit, audit }: GuardDeps): Guard {
  const judge = ({ address, headers }: Presented): Principal | undefined => {
    const now = authority();
    const text = (name: string): string | undefined => (typeof headers[name] === 'string' ? headers[name] : undefined);
    // A page of another site could send requests through its visitor's browser: with these it would need no secret.
    const isOwn = isOwnPage({ origin: text('origin'), host: text('host') }, now);
    if (isOpen(now)) return isOwn ? { name: 'nobody', id: 'nobody', granted: now.grantedScopes } : undefined;
    const proxied = isOwn ? proxiedPrincipal(now, plainAddress(address), headers) : undefined;
    return proxied ?? principalOf(bearerOf(text('authorization')), now);
  };
  // The header can only narrow.
  const scopesOf = ({ granted }: Principal, headers: ProxyHeaders): readonly string[] => heldScopes(scopesHeader(headers['x-openclaw-scopes']), granted ?? SHARED_SECRET_SCOPES);
  const refuse = ({ door, operation, address }: Presented, error: SessionError): SessionError => {
    audit({ door, operation, reason: error.reason, address: plainAddress(address) });
    return error;
  };
  const judged = <T>(presented: Presented, judgement: () => T | undefined): T => {
    const address = plainAddress(presented.address);
    const waitMs = limit.waitMs(address);
    if (waitMs > 0) throw refuse(presented, new SessionError('RATE_LIMITED', 'too many failed attempts, try again later', { retryAfterMs: waitMs }));
    const found = judgement();
    if (found !== undefined) return found;
    // Who presents nothing guesses nothing: any page could have a browser do that until its own user is shut out.
    if (presented.headers.authorization !== undefined) limit.note(address);
    throw refuse(presented, new SessionError('UNAUTHENTICATED', 'Unauthorized'));
  };
  return {
    admit: (presented) => scopesOf(judged(presented, () => judge(presented)), presented.headers),
    admitWith(presented, secret) {
      const given = bearerOf(typeof presented.headers.authorization === 'string' ? presented.headers.authorization : undefined);
      judged(presented, () => (judgeSecret(given, secret) === 'match' ? true : undefined));
    },
    assertScope(presented, scopes, needed) {
      if (holdsScope(scopes, needed)) return;
      throw refuse(presented, new SessionError('SCOPE_MISSING', `missing scope: ${needed}`, { facts: { scope: needed } }));
    },
    again(presented) {
      const principal = judge(presented);
      return principal === undefined ? undefined : scopesOf(principal, presented.headers);
    },
    principalId: (presented) => judge(presented)?.id,
  };
}
