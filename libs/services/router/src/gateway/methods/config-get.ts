import { createHash } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import { isRestricted } from '../../auth/scopes';
import type { GatewayMethod } from '../method';
import { withoutSecrets } from '../without-secrets';

/**
 * `config.get`: what the file says, which of it is not in force and why, and (`inForce`) every value in
 * force under this system's own names; all without secrets. The file's text is never shown, for what may stand in it.
 */
export const configGet: GatewayMethod = async (deps, { context }) => {
  // It names every agent and how all of them are reached.
  if (isRestricted(context.scopes)) throw new SessionError('NOT_VISIBLE', 'forbidden');
  const inForce = withoutSecrets(deps.config());
  const file = deps.configFile?.();
  const config = file === undefined ? inForce : withoutSecrets(file.source ?? {});
  const hash = createHash('sha256').update(JSON.stringify(config)).digest('hex');
  const problems = (file?.problems ?? []).map(({ path, message }) => ({ path, message }));
  return {
    payload: {
      path: deps.configPath,
      exists: file?.exists ?? true,
      raw: null,
      parsed: config,
      sourceConfig: config,
      resolved: config,
      runtimeConfig: config,
      config,
      inForce,
      valid: problems.length === 0,
      hash,
      issues: problems,
      warnings: (file?.warnings ?? []).map(({ path, message }) => ({ path, message })),
      legacyIssues: [],
    },
  };
};
