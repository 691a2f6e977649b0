import { createHash } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import { isRestricted } from '../../auth/scopes';
import type { GatewayMethod } from '../method';

/** Members whose values nobody is shown, at any depth. */
const SECRETS: ReadonlySet<string> = new Set(['token', 'tokens', 'password', 'apiKey', 'secret', 'headers']);
const HIDDEN = '__OPENCLAW_REDACTED__';

/** `config.get`: the configuration in force, without secrets. */
export const configGet: GatewayMethod = async (deps, { context }) => {
  // It names every agent and how all of them are reached.
  if (isRestricted(context.scopes)) throw new SessionError('NOT_VISIBLE', 'forbidden');
  const config = shown(deps.config());
  const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex');
  return { payload: { path: deps.configPath, exists: true, valid: true, issues: [], hash, config } };
};

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, SECRETS.has(name) && member !== undefined ? HIDDEN : shown(member)]));
}
