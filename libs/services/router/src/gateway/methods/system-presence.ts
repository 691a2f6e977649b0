import { hostname, platform, release } from 'node:os';
import { isRestricted } from '../../auth/scopes';
import type { GatewayDeps, GatewayMethod } from '../method';

/** `system-presence`: the gateway that answers; who else is connected is told to nobody. */
export const systemPresence: GatewayMethod = (deps, { context }) => Promise.resolve({ payload: presenceOf(deps, context.scopes) });

/** Empty for a caller that is restricted to some agents: the machine is not theirs. */
export function presenceOf(deps: Pick<GatewayDeps, 'clock' | 'version'>, scopes: readonly string[]): readonly object[] {
  if (isRestricted(scopes)) return [];
  const host = hostname();
  return [
    {
      host,
      version: deps.version,
      platform: `${platform()} ${release()}`,
      mode: 'gateway',
      reason: 'self',
      text: `Gateway: ${host} · app ${deps.version} · mode gateway · reason self`,
      ts: deps.clock.nowMs(),
    },
  ];
}
