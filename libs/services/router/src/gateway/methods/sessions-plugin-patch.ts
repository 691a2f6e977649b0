import { SessionError } from '@sessions/domain';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `sessions.pluginPatch`: no plug-in is loaded here, so every extension of one is unknown. */
export const sessionsPluginPatch: GatewayMethod = (_deps, { params }) =>
  Promise.reject(new SessionError('VALIDATION', params['value'] === undefined && params['unset'] !== true ? 'plugin session extension value is required unless unset is true' : `unknown plugin session extension: ${textOf(params, 'pluginId') ?? ''}/${textOf(params, 'namespace') ?? ''}`));
